// The in-order queue of a device. Where the backend computes synchronously (CPU), one thread works it off; a reader may
// run a small backlog itself. Where the backend is asynchronous (CUDA), pushing is enqueuing on its stream.
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
  float cost = 0;  // estimated nanoseconds
  uint16_t inputs = 0, outputs = 0;
  uint32_t inPlace = 0;  // bit i: output i is also read, so its old value survives a failure
  Prepared* prepared = nullptr;
  const char* op = "";
  static constexpr int kInline = 8;
  void* buffers[kInline];
  void** more = nullptr;  // owned, when there are more than kInline
  std::function<void(Stream&)>* run = nullptr;  // a task, owned
};

class Queue {
 public:
  explicit Queue(Backend& backend);

  // A kernel call: the buffers are the inputs, then the outputs. inPlace: bit i: output i is also an input.
  void push(Prepared& prepared, const char* op, void* const* buffers, int inputs, int outputs, uint32_t inPlace);
  // Any work in order. threadBound: only the queue's own thread may run it.
  void push(std::function<void(Stream&)> task, double cost, bool threadBound);

  // Waits until all that was pushed before has run; runs a small backlog itself.
  void wait();
  // Runs a small backlog itself; true when all has run, else the queue's thread is at work.
  bool tryFinish();

  // The failure that spoilt this memory, if any (after waiting, or from a task). Seen failures are not reported by
  // takeFailure.
  Failure failureOf(const void* memory);
  // The first failure that nobody has seen; forgets it.
  Failure takeFailure();
  void fail(Failure failure, void* const* outputs, int count, uint32_t inPlace);
  void heal(const void* memory);  // the memory was written anew

  uint64_t pending() const { return pushed_.load(std::memory_order_acquire) - done_.load(std::memory_order_acquire); }
  uint64_t executed() const { return done_.load(std::memory_order_acquire); }
  // A test-only gate: while held, nothing runs.
  void hold(bool on);
  // For the end of the process: the running command ends, none begins after it.
  void stop();
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }
  // Scratch memory for a prepared call, for tasks that run several.
  void runPrepared(Stream& stream, Prepared& prepared, void* const* buffers);

 private:
  static constexpr uint64_t kCapacity = 1 << 12;
  static constexpr uint64_t kBatch = 64;  // small commands that pile up before anyone runs them
  static constexpr double kCostBound = 1e9;  // estimated nanoseconds of pending work past which a call waits
  static constexpr double kInlineCost = 20000;  // nanoseconds of work that a caller may run itself
  Command& reserve(std::unique_lock<std::mutex>& lock);
  void publish(Command& command, double cost);
  bool drainInline();
  void execute(Command& command);
  void runKernel(Command& command);
  void work();
  void wake();
  void waitFor(uint64_t target);
  bool ready() const { return pending() > 0 && !held_.load() && !stopping_.load(); }

  Backend& backend_;
  Stream stream_;
  size_t workspaceBytes_ = 0;
  std::vector<Command> ring_;
  std::mutex push_;  // one pusher at a time
  std::mutex running_;  // held by whoever executes
  std::atomic<uint64_t> pushed_{0}, done_{0};
  double pushedCost_ = 0;  // under push_
  std::atomic<double> doneCost_{0};  // written by whoever executes
  std::atomic<double> backlogCost_{0};  // of what was pushed since the queue was last seen empty
  std::atomic<bool> backlogBound_{false};  // some of it is thread-bound
  std::atomic<bool> sleeping_{false}, held_{false}, stopping_{false};
  std::atomic<int> waiters_{0};
  std::atomic<bool> started_{false};
  bool wakeRequested_ = false;
  std::mutex sleep_;
  std::condition_variable wakeUp_, finished_;

  std::mutex failureMutex_;
  std::atomic<bool> anyFailure_{false};
  std::unordered_map<const void*, Failure> spoilt_;
  Failure unseen_;
};

}  // namespace needletail
