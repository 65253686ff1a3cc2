#include "queue.h"

#include <algorithm>
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
}

Queue::Queue(Backend& backend) : backend_(backend), ring_(backend.asynchronous ? 1 : kCapacity) {}

// Waits for room where the ring is full, or where more work is pending than anybody should wait for.
Command& Queue::reserve(std::unique_lock<std::mutex>&) {
  const uint64_t n = pushed_.load(std::memory_order_relaxed);
  while (pushedCost_ - doneCost_.load(std::memory_order_relaxed) > kCostBound && pending() > 1 && !stopping_.load()) {
    wake();
    waitFor(done_.load() + 1);
  }
  if (n - done_.load(std::memory_order_acquire) >= kCapacity) {
    wake();
    waitFor(n - kCapacity / 2);
  }
  return ring_[n % kCapacity];
}

void Queue::publish(Command& command, double cost) {
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
  pushed_.store(n + 1);
  if (threadBound || backlogCost_.load(std::memory_order_relaxed) > kInlineCost) {
    wake();
  } else if (n + 1 - done_.load(std::memory_order_relaxed) >= kBatch) {
    if (!drainInline()) wake();
  }
}

void Queue::push(Prepared& prepared, const char* op, void* const* buffers, int inputs, int outputs, uint32_t inPlace) {
  std::unique_lock lock(push_);
  const int count = inputs + outputs;
  if (backend_.asynchronous) {
    Command command;
    command.prepared = &prepared, command.op = op, command.inputs = inputs, command.outputs = outputs;
    command.inPlace = inPlace;
    if (count > Command::kInline) {
      command.more = new void*[count];
      std::copy_n(buffers, count, command.more);
    } else {
      std::copy_n(buffers, count, command.buffers);
    }
    std::lock_guard running(running_);
    execute(command);
    return;
  }
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

void Queue::push(std::function<void(Stream&)> task, double cost, bool threadBound) {
  std::unique_lock lock(push_);
  if (backend_.asynchronous) {
    std::lock_guard running(running_);
    task(stream_);
    return;
  }
  Command& command = reserve(lock);
  command.kind = Command::task;
  command.threadBound = threadBound;
  command.run = new std::function<void(Stream&)>(std::move(task));
  publish(command, cost);
}

void Queue::runPrepared(Stream& stream, Prepared& prepared, void* const* buffers) {
  if (prepared.workspace > workspaceBytes_) {
    if (stream_.workspace) {
      backend_.wait(stream_);
      backend_.release(stream_.workspace, workspaceBytes_);
    }
    stream_.workspace = backend_.allocate(prepared.workspace);
    workspaceBytes_ = stream_.workspace ? prepared.workspace : 0;
    if (!stream_.workspace) {
      throw Error("expected " + std::to_string(prepared.workspace) + " bytes of scratch memory, got none",
                  Fault::memory);
    }
  }
  prepared.run(stream, buffers);
}

void Queue::runKernel(Command& command) {
  void* const* buffers = command.more ? command.more : command.buffers;
  void* const* outputs = buffers + command.inputs;
  if (anyFailure_.load(std::memory_order_relaxed)) {
    for (int i = 0; i < command.inputs; i++) {
      Failure failure;
      {
        std::lock_guard lock(failureMutex_);
        auto found = spoilt_.find(buffers[i]);
        if (found != spoilt_.end()) failure = found->second;
      }
      if (failure) return fail(failure, outputs, command.outputs, command.inPlace);
    }
    for (int i = 0; i < command.outputs; i++) heal(outputs[i]);
  }
  stream_.op = command.op;
  try {
    runPrepared(stream_, *command.prepared, buffers);
  } catch (const std::exception& error) {
    const auto* known = dynamic_cast<const Error*>(&error);
    fail(std::make_shared<const Error>(std::string(command.op) + ": " + error.what(),
                                       known ? known->fault : Fault::device),
         outputs, command.outputs, command.inPlace);
  }
}

void Queue::execute(Command& command) {
  if (command.kind == Command::task) {
    std::unique_ptr<std::function<void(Stream&)>> run(std::exchange(command.run, nullptr));
    (*run)(stream_);
  } else {
    runKernel(command);
    if (command.more) {
      delete[] command.more;
      command.more = nullptr;
    }
  }
  doneCost_.store(doneCost_.load(std::memory_order_relaxed) + command.cost, std::memory_order_relaxed);
}

// Runs what is pending on the caller's thread, up to the first command that only the queue's thread may run.
bool Queue::drainInline() {
  if (held_.load() || stopping_.load()) return pending() == 0;
  std::unique_lock running(running_, std::try_to_lock);
  if (!running) return false;
  uint64_t n = done_.load(std::memory_order_relaxed);
  while (n < pushed_.load(std::memory_order_acquire)) {
    Command& command = ring_[n % kCapacity];
    if (command.threadBound) return false;
    execute(command);
    done_.store(++n, std::memory_order_release);
  }
  return true;
}

void Queue::wake() {
  if (started_ && !sleeping_.load()) return;
  std::lock_guard lock(sleep_);
  if (!started_) {
    started_ = true;
    std::thread([this] { work(); }).detach();  // never joined: process.exit() doesn't run clean-up in a fixed order
  }
  wakeRequested_ = true;
  wakeUp_.notify_one();
}

void Queue::work() {
  for (;;) {
    if (ready()) {
      std::lock_guard running(running_);
      uint64_t n = done_.load(std::memory_order_relaxed);
      while (n < pushed_.load(std::memory_order_acquire) && !held_.load(std::memory_order_relaxed) &&
             !stopping_.load(std::memory_order_relaxed)) {
        execute(ring_[n % kCapacity]);
        done_.store(++n);
        if (waiters_.load()) {
          std::lock_guard lock(sleep_);
          finished_.notify_all();
        }
      }
    }
    for (int i = 0; i < kSpins && !ready(); i++) relax();
    if (ready()) continue;
    std::unique_lock lock(sleep_);
    sleeping_ = true;
    if (!ready()) wakeUp_.wait(lock, [this] { return wakeRequested_; });
    wakeRequested_ = false;
    sleeping_ = false;
  }
}

void Queue::waitFor(uint64_t target) {
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

bool Queue::tryFinish() {
  if (backend_.asynchronous) return false;
  if (pending() == 0) return true;
  if (!backlogBound_.load() && backlogCost_.load() <= kInlineCost && drainInline()) return true;
  wake();
  return false;
}

void Queue::wait() {
  if (backend_.asynchronous) {
    std::lock_guard running(running_);
    backend_.wait(stream_);
    return;
  }
  const uint64_t target = pushed_.load();
  if (!tryFinish()) waitFor(target);
}

void Queue::fail(Failure failure, void* const* outputs, int count, uint32_t inPlace) {
  std::lock_guard lock(failureMutex_);
  for (int i = 0; i < count; i++) {
    if (!(inPlace >> std::min(i, 31) & 1)) spoilt_[outputs[i]] = failure;
  }
  if (!unseen_) unseen_ = failure;
  anyFailure_ = !spoilt_.empty();
}

void Queue::heal(const void* memory) {
  if (!anyFailure_.load(std::memory_order_relaxed)) return;
  std::lock_guard lock(failureMutex_);
  spoilt_.erase(memory);
  anyFailure_ = !spoilt_.empty();
}

Failure Queue::failureOf(const void* memory) {
  if (!anyFailure_.load(std::memory_order_relaxed)) return nullptr;
  std::lock_guard lock(failureMutex_);
  auto found = spoilt_.find(memory);
  if (found == spoilt_.end()) return nullptr;
  if (found->second == unseen_) unseen_ = nullptr;
  return found->second;
}

Failure Queue::takeFailure() {
  std::lock_guard lock(failureMutex_);
  return std::exchange(unseen_, nullptr);
}

void Queue::hold(bool on) {
  held_ = on;
  if (!on) wake();
}

void Queue::stop() {
  stopping_ = true;
  {
    std::lock_guard lock(sleep_);
    finished_.notify_all();
  }
  running_.lock();  // and never unlocked: the process ends
}

}  // namespace needletail
