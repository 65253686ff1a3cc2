// How long each call of a Program takes on its device.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "backend.h"

namespace needletail {

// Moments in the queue, on the clock of who computes: this machine's, or the device's own.
class Clock {
 public:
  explicit Clock(const Backend& backend) : backend_(backend) {}
  void tick(Stream& stream);
  // Milliseconds from the first tick to each; once the queue has worked them off.
  std::vector<double> ticks() const;

 private:
  const Backend& backend_;
  std::vector<std::chrono::steady_clock::time_point> times_;
  std::vector<std::unique_ptr<Mark>> marks_;  // in place of times, where run() only enqueues
};

// {"op": "relu", "kernel": "elementwise", "call": "elementwise(...)", "inputs": ["float32 [2, 3]"], "outputs": [...],
// "start": 0.1, "ms": 0.2, "bytes": 48, "operations": 0}: bytes of the operands and results; additions and
// multiplications of a matmul or convolution done directly, whatever the algorithm, and 0 of other kernels.
std::string timedCall(const char* op, const Call& call, double start, double end);

}  // namespace needletail
