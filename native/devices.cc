// The devices of this process: the CPU, and those whose backends are libraries beside the addon.
#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>

#include "cuda/abi.h"
#include "device.h"

namespace needletail {

namespace {

// Which library has the backends of a kind of device.
struct Source {
  const char* kind;
  const char* file;
};
constexpr Source kSources[] = {{"cuda", "libneedletail_cuda.so"}, {"emulated", "libneedletail_cuda_emulated.so"}};

// The folder that the addon was loaded from.
std::string ownFolder() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&ownFolder), &info) || !info.dli_fname) return ".";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

// The library, or null with the reason why not.
const BackendLibrary* libraryOf(const Source& source, std::string* why = nullptr) {
  const std::string path = ownFolder() + "/" + source.file;
  void* opened = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!opened) {
    if (why) *why = dlerror();
    return nullptr;
  }
  auto* find = reinterpret_cast<const BackendLibrary* (*)(uint32_t)>(dlsym(opened, "needletail_backend"));
  const BackendLibrary* library = find ? find(kBackendAbi) : nullptr;
  if (!library && why) *why = path + " was built for another version of needletail";
  return library;
}

// "cuda:1" is device 1 of the kind "cuda"; a name without a number is the first.
Backend& openBackend(const std::string& name) {
  const size_t colon = name.find(':');
  const std::string number = colon == std::string::npos ? "0" : name.substr(colon + 1);
  for (const Source& source : kSources) {
    if (name.substr(0, colon) != source.kind || number.empty() || number.size() > 3 ||
        number.find_first_not_of("0123456789") != std::string::npos)
      continue;
    std::string why;
    const BackendLibrary* library = libraryOf(source, &why);
    if (!library) throw expected("device", "the backend of " + name, "none: " + why, "Build it with scripts/cuda.");
    return *library->open(std::stoi(number));
  }
  throw expected("device", "cpu or cuda:<number>", "'" + name + "'");
}

// All that have been opened, for those who ask often.
constexpr int kMostDevices = 256;
Device* opened[kMostDevices];
std::atomic<int> openedCount{0};

NEEDLETAIL_THREAD Device* chosen = nullptr;

}  // namespace

Device& deviceNamed(const std::string& name) {
  // Never destroyed: their threads may run until the process ends.
  static std::mutex mutex;
  static auto* devices = new std::map<std::string, Device*>;
  std::lock_guard lock(mutex);
  auto found = devices->find(name);
  if (found != devices->end()) return *found->second;
  Backend& backend = name == "cpu" ? cpuBackend() : openBackend(name);
  Device*& device = (*devices)[backend.name];
  if (device) return *device;  // "cuda" is "cuda:0"
  try {
    device = new Device(backend);
  } catch (...) {
    devices->erase(backend.name);
    throw;
  }
  if (const int count = openedCount; count < kMostDevices) {
    opened[count] = device;
    openedCount.store(count + 1, std::memory_order_release);
  }
  // Registered here, after the libraries it uses have been initialised, the handler runs before theirs.
  if (devices->size() == 1) {
    std::atexit([] {
      for (auto& [_, one] : *devices) one->queue.stop();
    });
  }
  return *device;
}

std::vector<std::string> deviceNames() {
  std::vector<std::string> names{"cpu"};
  for (const Source& source : kSources) {
    const BackendLibrary* library = libraryOf(source);
    const int count = library ? library->count() : 0;
    for (int i = 0; i < count; i++) names.push_back(library->name(i));
  }
  return names;
}

std::string cudaReport() {
  const BackendLibrary* library = libraryOf(kSources[0]);
  return library ? library->report() : "[]";
}

std::string cudaPlans() {
  const BackendLibrary* library = libraryOf(kSources[0]);
  return library ? library->plans() : "{}";
}

void measureCudaPlans(bool on) {
  if (const BackendLibrary* library = libraryOf(kSources[0])) library->measure(on);
}

size_t bytesInUse() {
  size_t bytes = 0;
  for (int i = openedCount.load(std::memory_order_acquire); i-- > 0;) bytes += opened[i]->allocator.used();
  return bytes;
}

Device& defaultDevice() {
  if (!chosen) chosen = &cpuDevice();
  return *chosen;
}
void setDefaultDevice(Device& device) { chosen = &device; }

}  // namespace needletail
