// Division of places by sizes that are known before the launch: a multiplication in place of some forty instructions.
#pragma once
#include <cstdint>

#include "inline.h"

namespace needletail::cuda {

// Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (1994): exact for n < 2^31, which
// almost every place is; the others are divided.
class Divider {
 public:
  Divider() = default;
  explicit Divider(int64_t divisor) : divisor_(divisor) {
    magic_ = 0;
    if (divisor <= 0 || divisor > INT32_MAX) return;
    while (int64_t{1} << shift_ < divisor) shift_++;
    magic_ = static_cast<uint32_t>((uint64_t{1} << 32) * ((uint64_t{1} << shift_) - divisor) / divisor + 1);
  }
  NT_INLINE int64_t operator()(int64_t n) const {
    if (n > INT32_MAX || magic_ == 0) return n / divisor_;
    const uint32_t small = static_cast<uint32_t>(n);
#if defined(__CUDA_ARCH__)
    return (__umulhi(small, magic_) + small) >> shift_;
#else
    return (static_cast<uint32_t>(uint64_t{small} * magic_ >> 32) + small) >> shift_;
#endif
  }
  // n becomes the quotient; gives the rest.
  NT_INLINE int64_t split(int64_t& n) const {
    const int64_t quotient = (*this)(n), rest = n - quotient * divisor_;
    n = quotient;
    return rest;
  }

 private:
  int64_t divisor_ = 1;
  uint32_t magic_ = 1;  // 0: too large
  int shift_ = 0;
};

// How many of `each` there are in n, the last perhaps in part.
constexpr int64_t divideUp(int64_t n, int64_t each) { return (n + each - 1) / each; }

// Whether a place lies in [0, count).
NT_INLINE bool isBelow(int i, int count) { return static_cast<unsigned>(i) < static_cast<unsigned>(count); }

// Images [height, width, channels]: from the number of a thread to image, row, column and the first of its V channels.
template <int V>
class Places {
 public:
  Places(int64_t height, int64_t width, int64_t channels) : height_(height), width_(width), channels_(channels / V) {}
  struct Place {
    int64_t image, y, x, c;
  };
  NT_INLINE Place at(int64_t i) const {
    const int64_t c = channels_.split(i) * V, x = width_.split(i), y = height_.split(i);
    return {i, y, x, c};
  }

 private:
  Divider height_, width_, channels_;
};

}  // namespace needletail::cuda
