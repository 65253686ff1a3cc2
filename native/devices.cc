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

// Which library has the backend of a device.
struct Library {
  const char* device;
  const char* file;
};
constexpr Library kLibraries[] = {{"cuda:0", "libneedletail_cuda.so"}, {"emulated", "libneedletail_cuda_emulated.so"}};

// The folder that the addon was loaded from.
std::string ownFolder() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&ownFolder), &info) || !info.dli_fname) return ".";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

Backend& openBackend(const std::string& name) {
  for (const Library& library : kLibraries) {
    if (name != library.device) continue;
    const std::string path = ownFolder() + "/" + library.file;
    void* opened = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!opened) throw expected("device", "the backend of " + name + " at " + path, dlerror());
    auto* backend = reinterpret_cast<Backend* (*)(uint32_t)>(dlsym(opened, "needletail_backend"));
    Backend* found = backend ? backend(kBackendAbi) : nullptr;
    if (!found) throw expected("device", "a GPU and a driver for " + name, "none", "See `needletail doctor`.");
    return *found;
  }
  throw expected("device", "a device of cpu, cuda:0", "'" + name + "'");
}

std::atomic<Device*> chosen{nullptr};

}  // namespace

Device& deviceNamed(const std::string& name) {
  // Never destroyed: their threads may run until the process ends.
  static std::mutex mutex;
  static auto* devices = new std::map<std::string, Device*>;
  std::lock_guard lock(mutex);
  auto found = devices->find(name);
  if (found != devices->end()) return *found->second;
  auto* made = new Device(name == "cpu" ? cpuBackend() : openBackend(name));
  (*devices)[name] = made;
  // Registered here, after the libraries it uses have been initialised, the handler runs before theirs.
  if (devices->size() == 1) {
    std::atexit([] {
      for (auto& [_, device] : *devices) device->queue.stop();
    });
  }
  return *made;
}

Device& defaultDevice() {
  Device* device = chosen.load(std::memory_order_relaxed);
  if (device) return *device;
  setDefaultDevice(cpuDevice());
  return *chosen.load();
}
void setDefaultDevice(Device& device) { chosen = &device; }

}  // namespace needletail
