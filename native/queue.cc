#include "queue.h"

#include <algorithm>
#include <string>

namespace needletail {

void Queue::runKernel(Stream& stream, Prepared& prepared, const char* op, void* const* buffers, int inputs, int outputs,
                      uint32_t inPlace) {
  void* const* results = buffers + inputs;
  if (anyFailure_.load(std::memory_order_relaxed)) {
    for (int i = 0; i < inputs; i++) {
      Failure failure;
      {
        std::lock_guard lock(failureMutex_);
        auto found = spoilt_.find(buffers[i]);
        if (found != spoilt_.end()) failure = found->second;
      }
      if (failure) return fail(failure, results, outputs, inPlace);
    }
    for (int i = 0; i < outputs; i++) heal(results[i]);
  }
  stream.op = op;
  try {
    runPrepared(stream, prepared, buffers);
  } catch (const std::exception& error) {
    const auto* known = dynamic_cast<const Error*>(&error);
    fail(std::make_shared<const Error>(std::string(op) + ": " + error.what(), known ? known->fault : Fault::device),
         results, outputs, inPlace);
  }
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

}  // namespace needletail
