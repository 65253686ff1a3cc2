// The CUDA runtime: device 0, its memory, its default stream, and what its kernels complain about.
#include "cuda/runtime.h"

#include <new>

#include "error.h"

namespace needletail::cuda {

namespace {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  const bool lost = status != cudaErrorMemoryAllocation && status != cudaErrorInvalidValue &&
                    status != cudaErrorInvalidConfiguration && status != cudaErrorNotSupported;
  throw Error(std::string(what) + ": " + cudaGetErrorString(status) +
                  (lost ? ". The GPU is lost to this process: start it anew" : ""),
              Fault::device);
}

Complaint* complaint = nullptr;  // in memory that host and device see

}  // namespace

bool start() {
  static const bool found = [] {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) return false;
    if (cudaSetDevice(0) != cudaSuccess) return false;
    void* memory = nullptr;
    if (cudaHostAlloc(&memory, sizeof(Complaint), cudaHostAllocMapped) != cudaSuccess) return false;
    complaint = new (memory) Complaint{};
    return true;
  }();
  return found;
}

const char* deviceName() { return "cuda:0"; }

void checkLaunch() { check(cudaGetLastError(), "launch"); }

Complaint* complaintOf(Stream&) { return complaint; }

void* allocate(size_t bytes) {
  void* memory = nullptr;
  if (cudaMalloc(&memory, bytes) == cudaSuccess) return memory;
  cudaGetLastError();  // forgotten: the caller frees and tries again
  return nullptr;
}
void release(void* memory, size_t) { cudaFree(memory); }

void copyIn(Stream& stream, void* to, const void* from, size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, streamOf(stream)), "copy to the GPU");
}
void copyOut(Stream& stream, void* to, const void* from, size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, streamOf(stream)), "copy from the GPU");
}
void copyWithin(Stream& stream, void* to, const void* from, size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, streamOf(stream)), "copy on the GPU");
}

void wait(Stream& stream) {
  check(cudaStreamSynchronize(streamOf(stream)), "wait");
  if (complaint->kind == 0) return;
  const Complaint found = *complaint;
  *complaint = {};
  throw Error(std::string(found.op) + ": " + complaintText(found), Fault::device);
}

MemoryInfo memory() {
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  return {total};
}

}  // namespace needletail::cuda
