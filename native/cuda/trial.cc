#include "cuda/trial.h"

#include <limits>

#include "cuda/libraries.h"

namespace needletail::cuda {

namespace {

// Kept: a library may remember what it was used on.
cudaStream_t trialStream() {
  static OfDevices<cudaStream_t> made;
  return made.current([] {
    cudaStream_t own = nullptr;
    check(cudaStreamCreateWithFlags(&own, cudaStreamNonBlocking), "stream");
    return own;
  });
}

}  // namespace

std::string machine() {
  std::string text = "cuDNN " + libraryVersion(Library::cudnn) + " cuBLASLt " + libraryVersion(Library::cublasLt) +
                     " NVRTC " + libraryVersion(Library::nvrtc);
  if (described()) return text;
  cudaDeviceProp device;
  check(cudaGetDeviceProperties(&device, currentOrdinal()), "device");
  return text + " on " + device.name + " " + std::to_string(device.major) + "." + std::to_string(device.minor) +
         " with " + std::to_string(device.multiProcessorCount) + " multiprocessors";
}

Trial::Trial(const Call& call, size_t workspace) {
  for (const Spec& spec : call.in) add(spec.bytes());
  for (const Spec& spec : call.out) add(spec.bytes());
  add(workspace);
  check(cudaEventCreate(&begin_), "a clock");
  check(cudaEventCreate(&end_), "a clock");
  check(cudaDeviceSynchronize(), "the work");
}

Trial::~Trial() {
  for (auto [memory, bytes] : parts_) release(memory, bytes);
  cudaEventDestroy(begin_), cudaEventDestroy(end_);
}

float Trial::time(const Run& run) {
  constexpr int kWarming = 2, kRuns = 10;
  Stream stream{trialStream(), addresses_.back()};
  try {
    for (int i = 0; i < kWarming + kRuns; i++) {
      if (i == kWarming) check(cudaEventRecord(begin_, streamOf(stream)), "a clock");
      run(stream, addresses_.data());
    }
    check(cudaEventRecord(end_, streamOf(stream)), "a clock");
    check(cudaEventSynchronize(end_), "a plan under trial");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin_, end_), "a clock");
    return milliseconds / kRuns;
  } catch (const Error&) {  // what fails is nothing to take
    return std::numeric_limits<float>::infinity();
  }
}

void Trial::add(size_t bytes) {
  void* memory = bytes ? allocate(bytes) : nullptr;
  whole_ = whole_ && (memory || !bytes);
  if (memory) {
    parts_.emplace_back(memory, bytes);
    cudaMemsetAsync(memory, 0, bytes);
  }
  addresses_.push_back(memory);
}

}  // namespace needletail::cuda
