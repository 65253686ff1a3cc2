#include "stream_queue.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <thread>

#include "device.h"

namespace needletail {

namespace {
constexpr size_t kLeastBlock = size_t{64} << 10, kMostBlock = size_t{64} << 20;
constexpr size_t kChunk = size_t{16} << 20;  // of a large write: one is filled while another is on its way
constexpr size_t kMostPinned = size_t{256} << 20;  // past which a write waits for the blocks that are on their way
// How far the host may be ahead of the device: in calls, counted in steps of kPace.
constexpr uint64_t kPace = 64;
constexpr size_t kPaces = 16;
}  // namespace

StreamQueue::StreamQueue(Device& device) : device_(device), calls_(*device.backend.stream) {
  device_.backend.enter();
  calls_.open(stream_);
}

void StreamQueue::push(Prepared& prepared, const char* op, void* const* buffers, int inputs, int outputs,
                       uint32_t inPlace) {
  std::lock_guard lock(order_);
  device_.backend.enter();
  runKernel(stream_, prepared, op, buffers, inputs, outputs, inPlace);
  pace();
}

void StreamQueue::push(Task task, double, bool) {
  std::lock_guard lock(order_);
  device_.backend.enter();
  task(stream_);
  pace();
}

void StreamQueue::pace() {
  if (pushed_.fetch_add(1, std::memory_order_relaxed) % kPace != 0) return;
  try {
    pace_.push_back(mark());
    if (pace_.size() <= kPaces) return;
    pace_.front()->wait();
    pace_.pop_front();
  } catch (const Error&) {
    pace_.clear();  // the device is lost: whoever reads is told
  }
}

void StreamQueue::runPrepared(Stream& stream, Prepared& prepared, void* const* buffers, Prepared::Part part) {
  if (prepared.workspace > workspaceBytes_) {
    void* grown = device_.allocate(prepared.workspace);
    // The pool hands memory on in the stream's order: what still runs with the old one is done before.
    if (stream_.workspace) device_.allocator.release(stream_.workspace, workspaceBytes_);
    stream_.workspace = grown;
    workspaceBytes_ = prepared.workspace;
  }
  prepared.run(stream, buffers, part);
}

namespace {
// What has become of the device is found out later than by the op that did it.
template <class F>
auto noticedAt(const char* op, F f) {
  try {
    return f();
  } catch (const Error& error) {
    throw Error(
        std::string(op) + ", or an op before it: " + error.what() + " Run with CUDA_LAUNCH_BLOCKING=1 to learn which.",
        error.fault);
  }
}
}  // namespace

std::unique_ptr<Mark> StreamQueue::mark() {
  return noticedAt(stream_.op, [&] { return calls_.mark(stream_, false); });
}

Failure StreamQueue::takeComplaint() {
  std::lock_guard lock(complaintMutex_);
  if (!complaint_) {
    const std::string text = calls_.complaint(stream_);
    if (text.empty()) return nullptr;
    complaint_ = std::make_shared<const Error>(text, Fault::device);
  }
  return std::exchange(complaint_, nullptr);
}

StreamQueue::Blocks::iterator StreamQueue::takeBlock(size_t bytes) {
  const size_t size = bytes > kMostBlock ? bytes : std::max(kLeastBlock, std::bit_ceil(bytes));
  std::unique_lock lock(blocksMutex_);
  auto free = [&](const Block& block) {
    return block.bytes == size && !block.taken && (!block.used || block.used->passed());
  };
  auto found = std::find_if(blocks_.begin(), blocks_.end(), free);
  if (found == blocks_.end() && blockBytes_ + size > kMostPinned) {
    found = std::find_if(blocks_.begin(), blocks_.end(),
                         [&](const Block& block) { return block.bytes == size && !block.taken; });
    if (found != blocks_.end()) found->used->wait();
  }
  if (found == blocks_.end()) {
    std::shared_ptr<void> memory = noticedAt(stream_.op, [&] { return calls_.hostMemory(size); });
    if (!memory) {
      throw Error("expected " + std::to_string(size) + " bytes of host memory for copies, got none.", Fault::memory);
    }
    found = blocks_.insert(blocks_.end(), Block{std::move(memory), size, nullptr, false});
    blockBytes_ += size;
  }
  found->taken = true;
  return found;
}

void StreamQueue::giveBack(Blocks::iterator block) {
  std::lock_guard lock(blocksMutex_);
  block->taken = false;
  if (block->bytes <= kMostBlock) {
    blocks_.splice(blocks_.end(), blocks_, block);  // the longest unused first
  } else {
    blockBytes_ -= block->bytes;
    blocks_.erase(block);
  }
}

void StreamQueue::write(void* to, const void* from, size_t bytes) {
  std::lock_guard lock(order_);
  device_.backend.enter();
  heal(to);
  for (size_t at = 0; at < bytes; at += kChunk) {
    const size_t size = std::min(kChunk, bytes - at);
    auto block = takeBlock(size);
    try {
      std::memcpy(block->memory.get(), static_cast<const char*>(from) + at, size);
      device_.backend.copyIn(stream_, static_cast<char*>(to) + at, block->memory.get(), size);
      block->used = mark();
    } catch (...) {
      giveBack(block);
      throw;
    }
    giveBack(block);
  }
}

void StreamQueue::read(const void* from, size_t bytes, Reader reader) {
  std::lock_guard lock(order_);
  device_.backend.enter();
  Failure failure = from ? failureOf(from) : takeFailure();
  if (failure || bytes == 0) {
    return later(
        few_, [from, failure, reader = std::move(reader)](Failure later) { reader(from, failure ? failure : later); });
  }
  auto block = takeBlock(bytes);
  try {
    noticedAt(stream_.op, [&] { device_.backend.copyOut(stream_, block->memory.get(), from, bytes); });
  } catch (...) {
    giveBack(block);
    throw;
  }
  later(bytes > kLeastBlock ? many_ : few_, [this, block, reader = std::move(reader)](Failure failure) {
    reader(block->memory.get(), failure);
    giveBack(block);
  });
}

void StreamQueue::readSync(void* to, const void* from, size_t bytes) {
  std::unique_ptr<Mark> here;
  const char* op;
  {
    std::lock_guard lock(order_);
    device_.backend.enter();
    if (Failure failure = failureOf(from)) throw *failure;
    if (bytes) noticedAt(stream_.op, [&] { device_.backend.copyOut(stream_, to, from, bytes); });
    here = mark();
    op = stream_.op;
  }
  noticedAt(op, [&] { here->wait(); });
  if (Failure failure = takeComplaint()) throw *failure;
}

void StreamQueue::wait() {
  std::unique_ptr<Mark> here;
  const char* op;
  {
    std::lock_guard lock(order_);
    device_.backend.enter();
    here = mark();
    op = stream_.op;
  }
  noticedAt(op, [&] { here->wait(); });
}

Failure StreamQueue::takeFailure() {
  Failure failure = Queue::takeFailure();
  return failure ? failure : takeComplaint();
}

void StreamQueue::later(Line& line, std::function<void(Failure)> then) {
  std::unique_ptr<Mark> here = mark();
  std::lock_guard lock(line.mutex);
  line.waiting.push_back({std::move(here), stream_.op, std::move(then)});
  pendingReads_++;
  if (!std::exchange(line.isServed, true)) {
    std::thread([this, &line] { serve(line); }).detach();  // never joined, as ThreadQueue's
  }
  line.wakeUp.notify_one();
}

void StreamQueue::serve(Line& line) {
  for (;;) {
    Waiting next;
    {
      std::unique_lock lock(line.mutex);
      line.wakeUp.wait(lock, [&] { return !line.waiting.empty(); });
      next = std::move(line.waiting.front());
      line.waiting.pop_front();
    }
    Failure failure;
    try {
      noticedAt(next.op, [&] {
        device_.backend.enter();
        next.mark->wait();
      });
      failure = takeComplaint();
    } catch (const Error& error) {
      failure = std::make_shared<const Error>(error);
    }
    std::shared_lock running(running_);
    if (!stopping_.load()) next.then(failure);
    pendingReads_--;
  }
}

void StreamQueue::stop() {
  stopping_ = true;
  running_.lock();  // and never unlocked: the process ends
}

}  // namespace needletail
