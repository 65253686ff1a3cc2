// Trying the ways in which a library computes a call, on the device, to take the fastest.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "backend.h"
#include "cuda/runtime.h"

namespace needletail::cuda {

// The current device and the versions of NVIDIA's libraries: with a call, all that its fastest way depends on.
std::string machine();

// Memory like the call's, and a clock. Waits for what the device does: it would be measured too.
class Trial {
 public:
  Trial(const Call& call, size_t workspace);
  ~Trial();
  Trial(const Trial&) = delete;
  bool hasMemory() const { return whole_; }  // else nothing can be tried

  // What is tried: the stream it is to run on, and the call's buffers; stream.workspace is its scratch memory.
  using Run = std::function<void(Stream& stream, void* const* buffers)>;
  // Milliseconds that one run takes; infinity where it fails.
  float time(const Run& run);

 private:
  void add(size_t bytes);
  std::vector<std::pair<void*, size_t>> parts_;
  std::vector<void*> addresses_;  // of the call's buffers, and the scratch memory
  bool whole_ = true;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

}  // namespace needletail::cuda
