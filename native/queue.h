// The in-order queue of a device: what is pushed runs after all that was pushed before, and a failure is kept with the
// memory it spoilt. ThreadQueue works it off where the backend computes (CPU), StreamQueue hands it on where the
// backend enqueues (CUDA).
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "backend.h"

namespace needletail {

// A failure in the queue, kept with the memory it spoilt.
using Failure = std::shared_ptr<const Error>;

class Queue {
 public:
  using Task = std::function<void(Stream&)>;
  // Gets the bytes, in host memory while it runs, or what spoilt them; on a thread of the queue's.
  using Reader = std::function<void(const void* bytes, Failure failure)>;

  virtual ~Queue() = default;

  // A kernel call: the buffers are the inputs, then the outputs. inPlace: bit i: output i is also an input.
  virtual void push(Prepared& prepared, const char* op, void* const* buffers, int inputs, int outputs,
                    uint32_t inPlace) = 0;
  // Any work in order. threadBound: only the queue's own thread, or one that waits for it, may run it.
  virtual void push(Task task, double cost, bool threadBound) = 0;
  // New values from host memory, which may change as soon as this returns.
  virtual void write(void* to, const void* from, size_t bytes) = 0;
  // The values in order; without memory (null), the first failure that nobody has seen.
  virtual void read(const void* from, size_t bytes, Reader reader) = 0;
  // The values, after waiting; throws what spoilt them.
  virtual void readSync(void* to, const void* from, size_t bytes) = 0;
  // Scratch memory of a prepared call, for tasks that run several.
  virtual void runPrepared(Stream& stream, Prepared& prepared, void* const* buffers,
                           Prepared::Part part = Prepared::Part::whole) = 0;

  // Waits until all that was pushed before has run.
  virtual void wait() = 0;
  // True when all has run and reading costs no waiting.
  virtual bool tryFinish() = 0;

  // The failure that spoilt this memory, if any (after waiting, or from a task). Seen failures are not reported by
  // takeFailure.
  Failure failureOf(const void* memory);
  // The first failure that nobody has seen; forgets it.
  virtual Failure takeFailure();
  void fail(Failure failure, void* const* outputs, int count, uint32_t inPlace);
  void heal(const void* memory);  // the memory was written anew

  virtual uint64_t pending() const = 0;
  virtual uint64_t executed() const = 0;
  // A test-only gate: while held, nothing runs.
  virtual void hold(bool on) = 0;
  // For the end of the process: the running command ends, none begins after it.
  virtual void stop() = 0;
  virtual bool stopping() const = 0;

 protected:
  // Runs a kernel call, or keeps its outputs from being taken for sound: an input is spoilt, or it throws.
  void runKernel(Stream& stream, Prepared& prepared, const char* op, void* const* buffers, int inputs, int outputs,
                 uint32_t inPlace);

 private:
  std::mutex failureMutex_;
  std::atomic<bool> anyFailure_{false};
  std::unordered_map<const void*, Failure> spoilt_;
  Failure unseen_;
};

}  // namespace needletail
