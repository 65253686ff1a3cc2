// The calls of the CUDA runtime that the backend makes, under names of its own: runtime.cu makes them, and
// emulation/runtime.cc stands in for them where the library is built to run on the processor.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "backend.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#endif

namespace needletail::cuda {

// Whether a kernel call returns before the kernel has run.
#if defined(__CUDACC__)
constexpr bool kAsynchronous = true;
#else
constexpr bool kAsynchronous = false;
#endif

// More blocks than any GPU runs at once; a kernel's threads then take several elements each.
constexpr int64_t kMaxBlocks = 1 << 16;

// Finds the device; false where there is none.
bool start();
const char* deviceName();

// Throws what the last launch failed with, as Error of Fault::device.
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
// `expected <what> in [0, <limit>), got <got>`
std::string complaintText(const Complaint& complaint);

#if defined(__CUDACC__)
inline cudaStream_t streamOf(Stream& stream) { return static_cast<cudaStream_t>(stream.handle); }
#endif

// The device's memory and order; the functions of Backend.
void* allocate(size_t bytes);
void release(void* memory, size_t bytes);
void copyIn(Stream& stream, void* to, const void* from, size_t bytes);
void copyOut(Stream& stream, void* to, const void* from, size_t bytes);
void copyWithin(Stream& stream, void* to, const void* from, size_t bytes);
void wait(Stream& stream);
MemoryInfo memory();

}  // namespace needletail::cuda
