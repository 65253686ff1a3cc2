// The one C symbol through which the addon opens a device's backend from a shared library at run time.
#pragma once

#include <cstdint>

namespace needletail {

// Raised whenever Backend (native/backend.h) or anything it refers to changes its layout or meaning.
inline constexpr uint32_t kBackendAbi = 1;

struct Backend;

}  // namespace needletail

// Returns the backend, which belongs to the library and lives as long as the process; null if `abi` is not the number
// the library was built with, or if no usable device is there.
extern "C" __attribute__((visibility("default"))) needletail::Backend* needletail_backend(uint32_t abi);
