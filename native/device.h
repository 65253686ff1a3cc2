// A device of this process: its backend, memory, queue, and the calls it has prepared. Shared by all JavaScript
// threads.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "allocator.h"
#include "backend.h"
#include "latch.h"
#include "queue.h"

namespace needletail {

class Device {
 public:
  explicit Device(Backend& backend);
  Backend& backend;
  Allocator allocator;

 private:
  std::unique_ptr<Queue> ownQueue_;

 public:
  Queue& queue;

  // The prepared form of a call, from the cache or made now. `op` names the caller in errors.
  Prepared& prepare(const Call& call, const char* op);
  // The same; null where the device has no kernel for it.
  Prepared* find(const Call& call);
  void forgetPrepared();  // those that no program holds
  uint64_t preparedCount() const { return preparedCount_; }
  // Memory, where need be after freeing dead tensors, draining and trimming. Throws Error of Fault::memory.
  void* allocate(size_t bytes);
  // The same for what stays: where blocks wait to be used again that hold more than that, they go back first.
  void* allocateToStay(size_t bytes);

 private:
  Prepared* cached(const Call& call);
  void forget();
  std::mutex making_;  // held while a call is prepared
  Latch latch_;  // held while the cache is looked at or changed
  std::unordered_map<Call, std::unique_ptr<Prepared>, Call::Hash> cache_;
  uint64_t preparedCount_ = 0;
};

Device& cpuDevice();
// The device of that name: "cpu", or one whose backend's library lies beside the addon ("cuda:1", "emulated"), opened
// when it is first asked for. Throws where there is none.
Device& deviceNamed(const std::string& name);
// The devices that can be used here, the CPU first.
std::vector<std::string> deviceNames();
// What the CUDA backend's library has looked for and found, as JSON; an empty list where there is no such library.
std::string cudaReport();
// How its calls were computed where a library has a choice, as a JSON object from call to plan; and whether that choice
// is made by trying, for calls that are prepared from then on.
std::string cudaPlans();
void measureCudaPlans(bool on);
// Of all devices that have been opened.
size_t bytesInUse();
// Where this thread makes tensors that follow from no other; the CPU unless said otherwise.
Device& defaultDevice();
void setDefaultDevice(Device& device);

// What frees tensors that JavaScript has let go but not disposed of, for a thread that is short of memory (set by the
// addon).
extern thread_local void (*reclaim)();

}  // namespace needletail
