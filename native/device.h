// A device of this process: its backend, memory, queue, and the calls it has prepared. Shared by all JavaScript threads.
#pragma once
#include <string>
#include <unordered_map>

#include "allocator.h"
#include "backend.h"
#include "queue.h"

namespace needletail {

class Device {
 public:
  explicit Device(Backend& backend) : backend(backend), allocator(backend), queue(backend) {}
  Backend& backend;
  Allocator allocator;
  Queue queue;
  // The prepared form of a call, from the cache or made now. `op` names the caller in errors.
  Prepared& prepare(const Call& call, const char* op);
  // Memory, after draining and trimming if need be. Throws Error(Fault::memory).
  void* allocate(size_t bytes);
  uint64_t prepared() const { return preparedCount_; }
  // Called on the thread that pushes, before a call is enqueued: lets a long loop free dead tensors (set by the addon).

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::unique_ptr<Prepared>> cache_;
  uint64_t preparedCount_ = 0;
};

Device& cpuDevice();

}  // namespace needletail
