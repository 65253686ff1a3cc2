// The device's memory and order, over the CUDA runtime. Where the library is built to run on the processor, the runtime
// is that of emulation/.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "backend.h"

namespace needletail::cuda {

// More blocks than any GPU runs at once; a kernel's threads then take several elements each.
constexpr int64_t kMaxBlocks = 1 << 16;

inline cudaStream_t streamOf(Stream& stream) { return static_cast<cudaStream_t>(stream.handle); }

// The description of a GPU that isn't there (cuDNN's device properties as JSON, in the file that
// NEEDLETAIL_CUDA_DESCRIBED names), or null. With one, calls are prepared for that GPU as they would be on it, plans
// included, and then do nothing: memory is address space, copies and launches are left out. For tests of what is
// planned.
const std::string* described();

// The devices that the runtime finds; a described one is one.
int deviceCount();
// The ordinal of the device that the calling thread works with (Backend::use).
int currentOrdinal();
// An attribute of that device; 0 where it is described.
int attribute(cudaDeviceAttr which);
// Opens a device's own memory for what its kernels report. Throws Error where it can't be used.
void openDevice(int ordinal);

// One T for each device, for ever, made when it is first asked for. Threads may share it.
template <class T>
class OfDevices {
 public:
  template <class Make>
  T& current(const Make& make) {
    std::lock_guard lock(mutex_);
    T& own = made_[currentOrdinal()];
    if (!own) own = make();
    return own;
  }

 private:
  std::mutex mutex_;
  std::map<int, T> made_;
};

// Throws what a call of the CUDA runtime failed with, as Error of Fault::device.
void check(cudaError_t status, const char* what);
// The same for the last launch.
void checkLaunch();

// What a kernel found wrong with the values it was given: kept by the first thread that sees it, in memory that the
// host sees, and thrown when the stream is waited for.
struct Complaint {
  int32_t kind;  // 0: none, else 1 + Wrong
  int32_t unused;
  const char* op;
  int64_t got, limit;
};
enum class Wrong : int32_t { index, label, prediction, position };
Complaint* complaintOf(Stream& stream);

// The functions of Backend (native/backend.h).
void use(int ordinal);
void* allocate(size_t bytes);
void release(void* memory, size_t bytes);
void copyIn(Stream& stream, void* to, const void* from, size_t bytes);
void copyOut(Stream& stream, void* to, const void* from, size_t bytes);
void copyWithin(Stream& stream, void* to, const void* from, size_t bytes);
void copyWithin(Stream& stream, std::span<const Transfer> transfers);  // in memory.cu
MemoryInfo memory();
// And those of its stream.
extern const StreamCalls streamCalls;

}  // namespace needletail::cuda
