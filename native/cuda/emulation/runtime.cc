// Stands in for the CUDA runtime: the processor's memory, and kernels that have run when their call returns.
#include "cuda/runtime.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "error.h"

namespace needletail::cuda {

namespace {
Complaint complaint{};
}

bool start() { return true; }
const char* deviceName() { return "emulated"; }

// Here a kernel has run: what it complains about is thrown at once.
void checkLaunch() {
  if (complaint.kind == 0) return;
  const Complaint found = complaint;
  complaint = {};
  throw Error(complaintText(found), Fault::device);
}

Complaint* complaintOf(Stream&) { return &complaint; }

void* allocate(size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, std::max<size_t>(bytes, 256)) != 0) return nullptr;
  // Fresh memory of a GPU holds anything: a kernel that reads what it has not written is found here.
  std::memset(memory, 0xff, bytes);
  return memory;
}
void release(void* memory, size_t) { std::free(memory); }

void copyIn(Stream&, void* to, const void* from, size_t bytes) {
  if (bytes) std::memcpy(to, from, bytes);
}
void copyOut(Stream& stream, void* to, const void* from, size_t bytes) { copyIn(stream, to, from, bytes); }
void copyWithin(Stream&, void* to, const void* from, size_t bytes) {
  if (bytes) std::memmove(to, from, bytes);
}
void wait(Stream&) {}
MemoryInfo memory() { return {size_t{4} << 30}; }

}  // namespace needletail::cuda
