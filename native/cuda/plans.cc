#include "cuda/plans.h"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>

#include "cuda/json.h"
#include "cuda/variable.h"

namespace needletail::cuda {

namespace {

std::atomic<bool> measured{variable("NEEDLETAIL_CUDNN_MEASURE") == "1"};

std::mutex mutex;
std::map<std::string, std::string>& noted() {
  static auto* all = new std::map<std::string, std::string>;
  return *all;
}

// As cacheFolder() of lib/data/cache.ts on Linux.
std::filesystem::path cacheFolder() {
  if (!variable("NEEDLETAIL_CACHE").empty()) return variable("NEEDLETAIL_CACHE");
  if (!variable("XDG_CACHE_HOME").empty()) return std::filesystem::path(variable("XDG_CACHE_HOME")) / "needletail";
  if (!variable("HOME").empty()) return std::filesystem::path(variable("HOME")) / ".cache" / "needletail";
  return {};
}

// FNV-1a, the same in every process.
uint64_t hash(const std::string& text) {
  uint64_t h = 0xcbf29ce484222325;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

std::filesystem::path fileOf(const std::string& key) {
  char name[32];
  std::snprintf(name, sizeof name, "%016llx.plan", static_cast<unsigned long long>(hash(key)));
  const std::filesystem::path folder = cacheFolder();
  return folder.empty() ? folder : folder / "plans" / name;
}

// What a file begins with: its key, the plan's name, and how long the data is and what they hash to.
std::string header(const std::string& key, const StoredPlan& plan) {
  return key + "\n" + plan.name + "\n" + std::to_string(plan.data.size()) + " " + std::to_string(hash(plan.data)) +
         "\n";
}

}  // namespace

bool measuring() { return measured; }
void setMeasuring(bool on) { measured = on; }

std::string textOf(const Call& call) {
  constexpr const char* names[] = {
#define K(name, function) #name,
      NEEDLETAIL_KERNELS(K)
#undef K
  };
  std::string text = std::string(names[static_cast<int>(call.kernel)]) + "(";
  for (int i = 0; i < call.params.count(); i++) {
    char number[32];
    std::snprintf(number, sizeof number, "%.9g", call.params.real(i));
    text += (i ? ", " : "") + std::string(number);
  }
  text += ")";
  for (const Specs* specs : {&call.in, &call.out}) {
    if (specs == &call.out) text += " ->";
    const char* before = " ";
    for (const Spec& spec : *specs) text += before + spec.text(), before = ", ";
  }
  return text;
}

void notePlan(const Call& call, const std::string& plan) {
  std::lock_guard lock(mutex);
  noted()[textOf(call)] = plan;
}

std::optional<std::string> plannedBefore(const Call& call) {
  static const auto* before = [] {
    auto* plans = new std::map<std::string, std::string>;
    std::ifstream file(variable("NEEDLETAIL_CUDA_PLANNED"));
    for (std::string plan, text; std::getline(file, plan, '\t') && std::getline(file, text);) (*plans)[text] = plan;
    return plans;
  }();
  const auto found = before->find(textOf(call));
  return found == before->end() ? std::nullopt : std::optional(found->second);
}

std::string notedPlans() {
  std::lock_guard lock(mutex);
  std::string json;
  for (const auto& [call, plan] : noted()) json += (json.empty() ? "" : ",") + quoted(call) + ":" + quoted(plan);
  return "{" + json + "}";
}

std::optional<StoredPlan> loadPlan(const std::string& key) {
  const std::filesystem::path path = fileOf(key);
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t first = text.find('\n'), second = text.find('\n', first + 1), third = text.find('\n', second + 1);
  if (path.empty() || third == std::string::npos) return std::nullopt;
  StoredPlan plan{text.substr(first + 1, second - first - 1), text.substr(third + 1)};
  if (text.compare(0, third + 1, header(key, plan)) != 0) return std::nullopt;
  return plan;
}

void storePlan(const std::string& key, const StoredPlan& plan) {
  const std::filesystem::path path = fileOf(key);
  if (path.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  const std::filesystem::path temporary = path.string() + "." + std::to_string(getpid());
  std::ofstream file(temporary, std::ios::binary);
  file << header(key, plan) << plan.data;
  file.close();
  if (file) std::filesystem::rename(temporary, path, error);
  if (!file || error) std::filesystem::remove(temporary, error);
}

}  // namespace needletail::cuda
