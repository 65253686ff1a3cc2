// The one C symbol through which the addon opens the backends of a kind of device from a shared library at run time.
#pragma once

#include <cstdint>
#include <string>

namespace needletail {

// Raised whenever Backend (native/backend.h) or anything it refers to changes its layout or meaning.
inline constexpr uint32_t kBackendAbi = 8;

struct Backend;

struct BackendLibrary {
  // How many devices can be used; 0 without a driver or a GPU.
  int (*count)();
  const char* (*name)(int ordinal);
  // The device, which lives as long as the process. Throws Error where it can't be used: says what is missing, where it
  // was looked for, and what mends it.
  Backend* (*open)(int ordinal);
  // What has been looked for and found, as JSON, for people with a problem (libraries.h).
  std::string (*report)();
  // How calls were computed where a library has a choice, as a JSON object from call to plan (plans.h).
  std::string (*plans)();
  // Whether that choice is made by trying, for calls that are prepared from then on.
  void (*measure)(bool on);
};

}  // namespace needletail

// The library's devices; null if `abi` is not the number it was built with.
extern "C" __attribute__((visibility("default"))) const needletail::BackendLibrary* needletail_backend(uint32_t abi);
