// The queue of a device with streams of its own (CUDA): pushing is enqueuing, on the caller's thread. Threads wait for
// what is read, so that nobody else has to.
#pragma once
#include <condition_variable>
#include <deque>
#include <list>
#include <shared_mutex>
#include <string>

#include "queue.h"

namespace needletail {

class Device;

class StreamQueue final : public Queue {
 public:
  explicit StreamQueue(Device& device);

  void push(Prepared& prepared, const char* op, void* const* buffers, int inputs, int outputs,
            uint32_t inPlace) override;
  void push(Task task, double cost, bool threadBound) override;
  void write(void* to, const void* from, size_t bytes) override;
  void read(const void* from, size_t bytes, Reader reader) override;
  void readSync(void* to, const void* from, size_t bytes) override;
  void runPrepared(Stream& stream, Prepared& prepared, void* const* buffers, Prepared::Part part) override;
  void wait() override;
  Failure takeFailure() override;
  bool tryFinish() override { return false; }

  uint64_t pending() const override { return pendingReads_.load(); }
  uint64_t executed() const override { return pushed_.load(); }
  void hold(bool) override {}  // what has been enqueued can't be held
  void stop() override;
  bool stopping() const override { return stopping_.load(std::memory_order_relaxed); }

 private:
  // Host memory on its way from or to the device.
  struct Block {
    std::shared_ptr<void> memory;
    size_t bytes = 0;
    std::unique_ptr<Mark> used;  // once passed, it is free
    bool taken = false;
  };
  using Blocks = std::list<Block>;
  struct Waiting {
    std::unique_ptr<Mark> mark;
    const char* op;
    std::function<void(Failure)> then;
  };
  // Who waits, in order, for one thread to call.
  struct Line {
    std::mutex mutex;
    std::condition_variable wakeUp;
    std::deque<Waiting> waiting;
    bool isServed = false;
  };

  std::unique_ptr<Mark> mark();
  // What is wrong with values, found by kernels that have run; null: nothing.
  Failure takeComplaint();
  Blocks::iterator takeBlock(size_t bytes);
  void giveBack(Blocks::iterator block);
  void later(Line& line, std::function<void(Failure)> then);
  void serve(Line& line);
  void pace();

  Device& device_;
  const StreamCalls& calls_;
  // Held while something is enqueued. Recursive: growing the scratch memory may wait.
  std::recursive_mutex order_;
  Stream stream_;
  size_t workspaceBytes_ = 0;
  std::atomic<uint64_t> pushed_{0};
  std::deque<std::unique_ptr<Mark>> pace_;

  std::mutex blocksMutex_;
  Blocks blocks_;
  size_t blockBytes_ = 0;

  std::mutex complaintMutex_;
  Failure complaint_;

  std::shared_mutex running_;  // shared by readers while they run
  Line few_, many_;  // by how many bytes are read: copying many holds nobody up who waits for what came after them
  std::atomic<uint64_t> pendingReads_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace needletail
