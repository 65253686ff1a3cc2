// The queue of a device that computes where it is called (CPU): one thread works it off. A small backlog may be run by
// whoever pushes or reads; any backlog by who waits for it, which spares handing it on to the thread and back.
#pragma once
#include <condition_variable>
#include <vector>

#include "latch.h"
#include "queue.h"

namespace needletail {

class ThreadQueue final : public Queue {
 public:
  explicit ThreadQueue(Backend& backend);

  void push(Prepared& prepared, const char* op, void* const* buffers, int inputs, int outputs,
            uint32_t inPlace) override;
  void push(Task task, double cost, bool threadBound) override;
  void write(void* to, const void* from, size_t bytes) override;
  void read(const void* from, size_t bytes, Reader reader) override;
  void readSync(void* to, const void* from, size_t bytes) override;
  void runPrepared(Stream& stream, Prepared& prepared, void* const* buffers, Prepared::Part part) override;
  void wait() override;
  // False: the queue's thread is at work.
  bool tryFinish() override;

  uint64_t pending() const override {
    return pushed_.load(std::memory_order_acquire) - done_.load(std::memory_order_acquire);
  }
  uint64_t executed() const override { return done_.load(std::memory_order_acquire); }
  void hold(bool on) override;
  void stop() override;
  bool stopping() const override { return stopping_.load(std::memory_order_relaxed); }

 private:
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
    Task* run = nullptr;  // a task, owned
  };

  static constexpr uint64_t kCapacity = 1 << 12;
  static constexpr uint64_t kBatch = 64;  // small commands that pile up before anyone runs them
  static constexpr double kCostBound = 1e9;  // estimated nanoseconds of pending work past which a call waits
  static constexpr double kInlineCost = 20000;  // nanoseconds of work that a caller may run itself
  Command& reserve(std::unique_lock<Latch>& lock);
  void publish(Command& command, double cost);
  void handOn();
  bool isLarge() const { return backlogBound_.load() || backlogCost_.load() > kInlineCost; }
  bool drainInline(uint64_t target, bool all);
  void runNext(uint64_t n);
  void execute(Command& command);
  void work();
  void wake();
  void waitFor(uint64_t target);
  bool ready() const { return pending() > 0 && !held_.load() && !stopping_.load(); }

  Backend& backend_;
  Stream stream_;
  size_t workspaceBytes_ = 0;
  std::vector<Command> ring_;
  Latch push_;  // one pusher at a time
  std::mutex running_;  // held by whoever executes
  std::atomic<uint64_t> pushed_{0}, done_{0};
  double pushedCost_ = 0;  // under push_
  std::atomic<double> doneCost_{0};  // written by whoever executes
  std::atomic<double> backlogCost_{0};  // of what was pushed since the queue was last seen empty
  std::atomic<bool> backlogBound_{false};  // some of it is thread-bound
  // Pushes that made the backlog large since somebody last waited, and how many such pushes in a row were waited for at
  // once: from kHabit on the next is expected to be, and the thread is left asleep.
  static constexpr int kHabit = 2;
  std::atomic<int> unwaited_{0}, habit_{0};
  std::atomic<bool> sleeping_{false}, held_{false}, stopping_{false};
  std::atomic<int> waiters_{0};
  std::atomic<bool> started_{false};
  bool wakeRequested_ = false;
  std::mutex sleep_;
  std::condition_variable wakeUp_, finished_;
};

}  // namespace needletail
