// Sums of which every block has made a part: the parts are added up in an order that is always the same.
#pragma once
#include "cuda/divide.h"
#include "cuda/launch.h"

namespace needletail::cuda {

// A block has kAcross sums and, of each, a thread every kThreads / kAcross-th part.
template <class Put>
struct AddParts {
  static constexpr int kAcross = 8;  // neighbours in 32 bytes, what the memory gives at once
  const float* from;  // [parts, pitch]
  int parts, pitch, n;
  Put put;  // put(i, sum) for each i in [0, n)
  NT_INLINE void operator()(const Block& block) const {
    NT_SHARED(float, shared, kThreads);
    const int first = static_cast<int>(block.index) * kAcross;
    block.each([&](int t) {
      const int i = first + t % kAcross;
      float sum = 0;
      if (i < n) {
        for (int part = t / kAcross; part < parts; part += kThreads / kAcross) {
          sum += from[static_cast<int64_t>(part) * pitch + i];
        }
      }
      shared[t] = sum;
    });
    block.each([&](int t) {
      if (t >= kAcross || first + t >= n) return;
      float sum = 0;
      NT_UNROLL
      for (int k = 0; k < kThreads / kAcross; k++) sum += shared[k * kAcross + t];
      put(first + t, sum);
    });
  }
};

template <class Put>
void addParts(Stream& stream, const float* from, int64_t parts, int64_t pitch, int64_t n, const Put& put) {
  constexpr int kAcross = AddParts<Put>::kAcross;
  const auto narrow = [](int64_t size) { return static_cast<int>(size); };
  blocks(stream, divideUp(n, kAcross), AddParts<Put>{from, narrow(parts), narrow(pitch), narrow(n), put});
}

}  // namespace needletail::cuda
