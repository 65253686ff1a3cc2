// The CPU as a backend: memory from the C library, the table of kernels.
#include "backend.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <sched.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "cpu/cpu.h"
#include "cpu/kernels.h"

namespace needletail {

namespace {

// The first number in a file, or -1 ("max", no file).
double numberIn(const char* path) {
  std::ifstream file(path);
  double value = -1;
  return file >> value ? value : -1;
}

// Cores that this process may use: its affinity and the container's quota (cgroup v2, then v1).
int availableCores() {
  cpu_set_t set;
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  double quota = -1, period = 0;
  if (!(v2 >> quota >> period)) {
    quota = numberIn("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    period = numberIn("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  }
  if (quota > 0 && period > 0) cores = std::min(cores, std::max(1, static_cast<int>(quota / period)));
  return std::max(1, cores);
}

MemoryInfo memoryInfo() {
  struct sysinfo info;
  double total = sysinfo(&info) == 0 ? static_cast<double>(info.totalram) * info.mem_unit : 4e9;
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const double limit = numberIn(path);
    if (limit > 0) total = std::min(total, limit);
  }
  return {static_cast<size_t>(total), 0, static_cast<size_t>(total * 0.8)};
}

constexpr const char* kIsaNames[] = {"baseline", "avx2", "avx512", "avx512bf16"};

Isa bestIsa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::baseline;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    return Isa::avx2;
  return __builtin_cpu_supports("avx512bf16") ? Isa::avx512bf16 : Isa::avx512;
#else
  return Isa::baseline;
#endif
}

Isa detect() {
  const Isa best = bestIsa();
  const char* wish = std::getenv("NEEDLETAIL_ISA");
  for (int i = 0; wish && i < static_cast<int>(best); i++) {
    if (std::string(wish) == kIsaNames[i]) return static_cast<Isa>(i);
  }
  return best;
}

int threadCount = 0;

}  // namespace

Isa isa() {
  static const Isa found = detect();
  return found;
}
bool hasBFloat16() { return isa() == Isa::avx512bf16; }
bool hasFloat16() {
#ifdef __x86_64__
  return isa() >= Isa::avx512 && __builtin_cpu_supports("avx512fp16");
#else
  return false;
#endif
}
bool hasTiles() {
#ifdef __x86_64__
  return hasBFloat16() && __builtin_cpu_supports("amx-bf16");
#else
  return false;
#endif
}
const char* isaName() { return kIsaNames[static_cast<int>(isa())]; }

std::string onednnVersion() {
  const dnnl_version_t* version = dnnl_version();
  return std::to_string(version->major) + "." + std::to_string(version->minor) + "." + std::to_string(version->patch);
}

int threads() {
  if (threadCount == 0) threadCount = availableCores();
  return threadCount;
}
void setThreads(int count) { threadCount = count; }

Backend& cpuBackend() {
  static Backend backend = [] {
    Backend b{};
    b.name = "cpu";
    b.alignment = 64;
    b.allocate = [](size_t bytes) -> void* {
      void* memory = nullptr;
      return posix_memalign(&memory, 64, std::max<size_t>(bytes, 64)) == 0 ? memory : nullptr;
    };
    b.release = [](void* memory, size_t) { std::free(memory); };
    b.copyIn = b.copyOut = [](Stream&, void* to, const void* from, size_t bytes) {
      if (bytes) std::memcpy(to, from, bytes);
    };
    b.copy = [](Stream&, std::span<const Transfer> transfers) {
      for (const auto& [to, from, bytes] : transfers) {
        if (bytes) std::memcpy(to, from, bytes);
      }
    };
    b.memory = memoryInfo;
    // Two teams would be more threads than cores, where libgomp lets none of them spin.
    b.rest = [] { omp_pause_resource_all(omp_pause_soft); };
#define K(name, function) b.prepare[static_cast<int>(Kernel::name)] = function;
    NEEDLETAIL_KERNELS(K)
#undef K
    return b;
  }();
  return backend;
}

}  // namespace needletail
