#include "thread_queue.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
static inline void relax() { _mm_pause(); }
#else
static inline void relax() { std::this_thread::yield(); }
#endif

namespace needletail {

namespace {
constexpr int kSpins = 1500;  // some tens of microseconds: a short gap between commands costs no sleep
constexpr auto kRest = std::chrono::milliseconds(20);  // of sleep after which the queue's thread gives its team back
NEEDLETAIL_THREAD bool hasTeam = false;  // this thread, not the queue's, may have a team of its own
}  // namespace

ThreadQueue::ThreadQueue(Backend& backend) : backend_(backend), ring_(kCapacity) {}

// Waits for room where the ring is full, or where more work is pending than anybody should wait for.
ThreadQueue::Command& ThreadQueue::reserve(std::unique_lock<Latch>& lock) {
  for (;;) {
    const uint64_t n = pushed_.load(std::memory_order_relaxed), done = done_.load(std::memory_order_acquire);
    const double cost = pushedCost_ - doneCost_.load(std::memory_order_relaxed);
    uint64_t target = 0;
    if (n - done >= kCapacity) target = n - kCapacity / 2;
    if (cost > kCostBound && n - done > 1) target = std::max(target, done + 1);
    if (target == 0 || stopping_.load(std::memory_order_relaxed)) return ring_[n % kCapacity];
    lock.unlock();
    wake();
    waitFor(target);
    lock.lock();
  }
}

void ThreadQueue::publish(Command& command, double cost) {
  const bool threadBound = command.threadBound;
  command.cost = static_cast<float>(cost);
  pushedCost_ += command.cost;
  const uint64_t n = pushed_.load(std::memory_order_relaxed);
  if (n == done_.load(std::memory_order_acquire)) {
    backlogCost_ = 0;
    backlogBound_ = false;
  }
  backlogCost_.store(backlogCost_.load(std::memory_order_relaxed) + cost, std::memory_order_relaxed);
  if (threadBound) backlogBound_ = true;
  pushed_.store(n + 1, std::memory_order_release);
  if (threadBound || backlogCost_.load(std::memory_order_relaxed) > kInlineCost) {
    if (++unwaited_ > 1) habit_ = 0;
    if (habit_ < kHabit) handOn();
  } else if (n + 1 - done_.load(std::memory_order_relaxed) >= kBatch) {
    if (!drainInline(n + 1, false)) wake();
  }
}

// Leaves what is pending to the queue's thread.
void ThreadQueue::handOn() {
  if (std::exchange(hasTeam, false)) backend_.rest();
  wake();
}

void ThreadQueue::push(Prepared& prepared, const char* op, void* const* buffers, int inputs, int outputs,
                       uint32_t inPlace) {
  std::unique_lock lock(push_);
  const int count = inputs + outputs;
  Command& command = reserve(lock);
  command.kind = Command::kernel;
  command.prepared = &prepared;
  command.threadBound = prepared.threadBound;
  command.op = op;
  command.inputs = static_cast<uint16_t>(inputs);
  command.outputs = static_cast<uint16_t>(outputs);
  command.inPlace = inPlace;
  if (count > Command::kInline) {
    command.more = new void*[count];
    std::copy_n(buffers, count, command.more);
  } else {
    std::copy_n(buffers, count, command.buffers);
  }
  publish(command, prepared.cost);
}

void ThreadQueue::push(Task task, double cost, bool threadBound) {
  std::unique_lock lock(push_);
  Command& command = reserve(lock);
  command.kind = Command::task;
  command.threadBound = threadBound;
  command.run = new Task(std::move(task));
  publish(command, cost);
}

void ThreadQueue::write(void* to, const void* from, size_t bytes) {
  constexpr size_t kSmall = 64;
  if (bytes <= kSmall) {
    struct Small {
      char data[kSmall];
    } small;
    std::memcpy(small.data, from, bytes);
    push(
        [=, this](Stream& stream) {
          heal(to);
          backend_.copyIn(stream, to, small.data, bytes);
        },
        50, false);
    return;
  }
  // An empty queue can't be using the memory: no detour.
  if (tryFinish()) {
    Stream stream;
    heal(to);
    return backend_.copyIn(stream, to, from, bytes);
  }
  std::shared_ptr<char[]> staged(new (std::nothrow) char[bytes]);
  if (!staged) throw Error("expected memory for " + std::to_string(bytes) + " bytes, got none.", Fault::memory);
  std::memcpy(staged.get(), from, bytes);
  push(
      [=, this](Stream& stream) {
        heal(to);
        backend_.copyIn(stream, to, staged.get(), bytes);
      },
      static_cast<double>(bytes) * 0.1, false);
}

void ThreadQueue::read(const void* from, size_t bytes, Reader reader) {
  push([this, from, reader = std::move(reader)](Stream&) { reader(from, from ? failureOf(from) : takeFailure()); },
       100 + static_cast<double>(bytes) * 0.1, true);
  habit_ = 0;  // nobody waits here for it
  handOn();
}

void ThreadQueue::readSync(void* to, const void* from, size_t bytes) {
  wait();
  if (Failure failure = failureOf(from)) throw *failure;
  if (bytes) std::memcpy(to, from, bytes);
}

void ThreadQueue::runPrepared(Stream& stream, Prepared& prepared, void* const* buffers, Prepared::Part part) {
  if (prepared.workspace > workspaceBytes_) {
    if (stream_.workspace) backend_.release(stream_.workspace, workspaceBytes_);
    stream_.workspace = backend_.allocate(prepared.workspace);
    workspaceBytes_ = stream_.workspace ? prepared.workspace : 0;
    if (!stream_.workspace) {
      throw Error("expected " + std::to_string(prepared.workspace) + " bytes of scratch memory, got none",
                  Fault::memory);
    }
  }
  prepared.run(stream, buffers, part);
}

void ThreadQueue::execute(Command& command) {
  if (command.kind == Command::task) {
    std::unique_ptr<Task> run(std::exchange(command.run, nullptr));
    (*run)(stream_);
  } else {
    runKernel(stream_, *command.prepared, command.op, command.more ? command.more : command.buffers, command.inputs,
              command.outputs, command.inPlace);
    if (command.more) {
      delete[] command.more;
      command.more = nullptr;
    }
  }
  doneCost_.store(doneCost_.load(std::memory_order_relaxed) + command.cost, std::memory_order_relaxed);
}

void ThreadQueue::runNext(uint64_t n) {
  execute(ring_[n % kCapacity]);
  done_.store(n + 1);
  if (waiters_.load() == 0) return;
  std::lock_guard lock(sleep_);
  finished_.notify_all();
}

// Runs what is pending on the caller's thread: all of it, or up to the first command that needs the team of threads.
bool ThreadQueue::drainInline(uint64_t target, bool all) {
  if (held_.load() || stopping_.load()) return done_.load() >= target;
  std::unique_lock running(running_, std::try_to_lock);
  if (!running) return false;
  for (uint64_t n = done_.load(); n < target; n++) {
    if (ring_[n % kCapacity].threadBound) {
      if (!all) return false;
      hasTeam = true;
    }
    runNext(n);
  }
  return true;
}

void ThreadQueue::wake() {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // what was pushed before is seen, or the thread seen asleep
  if (started_ && !sleeping_.load()) return;
  std::lock_guard lock(sleep_);
  if (!started_) {
    started_ = true;
    std::thread([this] { work(); }).detach();  // never joined: process.exit() doesn't run clean-up in a fixed order
  }
  wakeRequested_ = true;
  wakeUp_.notify_one();
}

void ThreadQueue::work() {
  for (;;) {
    if (ready()) {
      std::lock_guard running(running_);
      uint64_t n = done_.load(std::memory_order_relaxed);
      while (n < pushed_.load(std::memory_order_acquire) && !held_.load(std::memory_order_relaxed) &&
             !stopping_.load(std::memory_order_relaxed)) {
        runNext(n++);
      }
    }
    for (int i = 0; i < kSpins && !ready(); i++) relax();
    if (ready()) continue;
    std::unique_lock lock(sleep_);
    sleeping_ = true;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    auto awake = [this] { return wakeRequested_; };
    if (!ready() && !wakeUp_.wait_for(lock, kRest, awake)) {
      backend_.rest();
      wakeUp_.wait(lock, awake);
    }
    wakeRequested_ = false;
    sleeping_ = false;
  }
}

void ThreadQueue::waitFor(uint64_t target) {
  auto finished = [&] { return done_.load() >= target || stopping_.load(); };
  for (int i = 0; i < kSpins; i++) {
    if (finished()) return;
    relax();
  }
  waiters_++;
  {
    std::unique_lock lock(sleep_);
    finished_.wait(lock, finished);
  }
  waiters_--;
}

bool ThreadQueue::tryFinish() {
  if (pending() == 0) return true;
  if (!isLarge() && drainInline(pushed_.load(), false)) return true;
  wake();
  return false;
}

void ThreadQueue::wait() {
  const uint64_t target = pushed_.load();
  if (unwaited_.load() > 0) habit_ = unwaited_.exchange(0) == 1 ? std::min(habit_ + 1, kHabit) : 0;
  if (pending() == 0 || drainInline(target, habit_ >= kHabit)) return;
  wake();
  waitFor(target);
}

void ThreadQueue::hold(bool on) {
  held_ = on;
  if (!on) wake();
}

void ThreadQueue::stop() {
  stopping_ = true;
  {
    std::lock_guard lock(sleep_);
    finished_.notify_all();
  }
  running_.lock();  // and never unlocked: the process ends
}

}  // namespace needletail
