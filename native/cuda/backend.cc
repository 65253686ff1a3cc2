// The GPUs as backends: their calls, the table of kernels, and the symbol through which the addon finds them.
#include <map>
#include <mutex>
#include <string>

#include "cuda/abi.h"
#include "cuda/kernels.h"
#include "cuda/libraries.h"
#include "cuda/plans.h"
#include "cuda/runtime.h"

namespace needletail::cuda {

namespace {

#if defined(NEEDLETAIL_EMULATED)
const std::string kKind = "emulated";
#else
const std::string kKind = "cuda";
#endif

const char* nameOf(int ordinal) {
  static std::mutex mutex;
  static auto* names = new std::map<int, std::string>;
  std::lock_guard lock(mutex);
  std::string& name = (*names)[ordinal];
  if (name.empty()) name = ordinal == 0 && kKind == "emulated" ? kKind : kKind + ":" + std::to_string(ordinal);
  return name.c_str();
}

std::string description(int ordinal) {
  if (described()) return *described();
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, ordinal), "a description");
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  auto version = [](int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); };
  return std::string("{\"name\":\"") + properties.name + "\",\"computeCapability\":\"" +
         std::to_string(properties.major) + "." + std::to_string(properties.minor) +
         "\",\"memory\":" + std::to_string(properties.totalGlobalMem) + ",\"driver\":\"" + version(driver) +
         "\",\"runtime\":\"" + version(runtime) + "\"}";
}

Backend make(int ordinal) {
  Backend b{};
  b.name = nameOf(ordinal);
  b.ordinal = ordinal;
  b.alignment = 256;  // what cuBLASLt takes for granted
  b.stream = &streamCalls;
  b.use = use;
  b.allocate = allocate;
  b.release = release;
  b.copyIn = copyIn;
  b.copyOut = copyOut;
  b.copy = copyWithin;
  b.memory = memory;
  b.description = description;
#define K(name, function) b.prepare[static_cast<int>(Kernel::name)] = function;
  NEEDLETAIL_KERNELS(K)
#undef K
  return b;
}

Backend* open(int ordinal) {
  static std::mutex mutex;
  static auto* backends = new std::map<int, Backend>;
  if (!described()) requireGpu(ordinal);
  requireLibraries();
  const int count = deviceCount();
  if (ordinal >= count) {
    throw expected("device", "a GPU for " + std::string(nameOf(ordinal)),
                   count == 0 ? "no GPU with a driver" : std::to_string(count) + " of them",
                   "See `needletail doctor`.");
  }
  openDevice(ordinal);
  std::lock_guard lock(mutex);
  auto found = backends->find(ordinal);
  if (found == backends->end()) found = backends->emplace(ordinal, make(ordinal)).first;
  return &found->second;
}

}  // namespace

}  // namespace needletail::cuda

const needletail::BackendLibrary* needletail_backend(uint32_t abi) {
  using namespace needletail::cuda;
  static const needletail::BackendLibrary library = {deviceCount, nameOf, open, report, notedPlans, setMeasuring};
  return abi == needletail::kBackendAbi ? &library : nullptr;
}
