// The in-order queue of a device. Where the backend computes synchronously (CPU), one thread works it off; a reader may run a
// small backlog itself. Where the backend is asynchronous (CUDA), pushing is enqueuing on its stream.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend.h"
#include "small_vector.h"

namespace needletail {

// A failure in the queue, kept with the memory it spoilt.
using Failure = std::shared_ptr<const Error>;

struct Command {
  enum Kind : uint8_t { kernel, task } kind = kernel;
  bool threadBound = false;
  uint8_t inputs = 0, outputs = 0, inPlace = 0;  // inPlace: bit i: output i is also read
  Prepared* prepared = nullptr;
  const char* op = "";
  static constexpr int kInline = 8;
  void* buffers[kInline];
  void** more = nullptr;  // owned, when there are more than kInline
  uint16_t count = 0;
  float cost = 0;
  std::function<void(Stream&)>* run = nullptr;  // a task, owned
};

class Queue {
 public:
  explicit Queue(Backend& backend);

  // inPlace: bit i set when output i is also an input (its old value survives a failure).
  void push(Prepared& prepared, const char* op, void* const* buffers, int inputs, int outputs, uint32_t inPlace);
  // Any work in order. `reads`: memory whose failure stops it.
  void push(std::function<void(Stream&)> task, double cost, bool threadBound);

  // Waits until all that was pushed before has run. A reader: runs a small backlog itself.
  void wait();
  // True when all has run; else runs a small backlog itself, and says whether that emptied the queue.
  bool tryFinish();
  void wake();

  // The failure that spoilt this memory (call when it has been waited for, or from a task).
  Failure failureOf(const void* memory);
  // The first failure that no reader has seen, and forgets it.
  Failure takeFailure();
  void fail(const Failure& failure, void* memory);
  // Memory was written anew.
  void heal(void* memory);

  size_t pending() const { return pushed_.load(std::memory_order_acquire) - done_.load(std::memory_order_acquire); }
  uint64_t executed() const { return done_.load(std::memory_order_acquire); }
  // A test-only gate: while held, nothing runs.
  void hold();
  void unhold();
  void stop();  // for the end of the process: lets the running command finish, starts no other
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint64_t kCapacity = 1 << 12;
  static constexpr double kInlineCost = 20000;  // ns: what a reader may run itself
  void reserveSlot(std::unique_lock<std::mutex>& lock);
  void publish(std::unique_lock<std::mutex>& lock, double cost);
  void execute(Command& command);
  void runKernel(Command& command);
  void work();
  bool drainInline();
  void startThread();

  Backend& backend_;
  Stream stream_;
  std::vector<Command> ring_;
  std::mutex push_;
  std::mutex running_;  // held by whoever executes
  std::atomic<uint64_t> pushed_{0}, done_{0};
  double pendingCost_ = 0;  // since the last wake-up, under push_
  uint64_t sinceWake_ = 0;
  std::atomic<bool> sleeping_{false}, started_{false}, held_{false}, stopping_{false};
  std::mutex sleep_;
  std::condition_variable wakeUp_, finished_;
  std::atomic<int> waiters_{0};
  size_t workspaceBytes_ = 0;
  std::mutex failures_;
  std::atomic<bool> anyFailure_{false};
  std::unordered_map<const void*, Failure> spoilt_;
  Failure unseen_;
};

}  // namespace needletail
