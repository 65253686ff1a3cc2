// The GPU as a backend: the table of kernels, and the symbol through which the addon finds it.
#include <string>

#include "cuda/abi.h"
#include "cuda/kernels.h"
#include "cuda/runtime.h"

namespace needletail::cuda {

namespace {

Backend make() {
  Backend b{};
  b.name = deviceName();
  b.asynchronous = kAsynchronous;
  b.allocate = allocate;
  b.release = release;
  b.copyIn = copyIn;
  b.copyOut = copyOut;
  b.copy = copyWithin;
  b.wait = wait;
  b.memory = memory;
#define K(name, function) b.prepare[static_cast<int>(Kernel::name)] = function;
  NEEDLETAIL_KERNELS(K)
#undef K
  return b;
}

}  // namespace

std::string complaintText(const Complaint& c) {
  const char* what[] = {"indices", "labels", "predictions", "positions"};
  return std::string("expected ") + what[c.kind - 1] + " in [0, " + std::to_string(c.limit) + "), got " +
         std::to_string(c.got) + ".";
}

}  // namespace needletail::cuda

needletail::Backend* needletail_backend(uint32_t abi) {
  if (abi != needletail::kBackendAbi || !needletail::cuda::start()) return nullptr;
  static needletail::Backend backend = needletail::cuda::make();
  return &backend;
}
