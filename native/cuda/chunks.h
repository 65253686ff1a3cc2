// Many tensors in one launch, which takes their addresses along. Each block has a chunk of one of them.
#pragma once
#include <cstdint>

#include "cuda/launch.h"

namespace needletail::cuda {

constexpr int kPerThread = 4;  // elements that a thread takes at a time
// Elements of a block: as few as its threads take at a time, where there are enough multiprocessors for all blocks at
// once; else more, so that what every block does anew counts less.
constexpr int64_t kLeast = kPerThread * kThreads, kChunk = 4 * kLeast, kFewElements = 128 * kChunk;
// Tensors of one launch. A launch takes 32,764 bytes along, since CUDA 12.1; few tensors don't fill that.
constexpr int kFewTensors = 48, kMostTensors = 448;

// T says where a tensor is.
template <class T, int Most>
struct Chunks {
  int count = 0;
  uint32_t total = 0;
  int64_t chunk;
  struct Tensor {
    T at;
    int64_t n;
    uint32_t first;  // the number of its first chunk
  } of[Most];

  explicit Chunks(int64_t elements) : chunk(elements <= kFewElements ? kLeast : kChunk) {}
  void add(const T& at, int64_t n) {
    of[count++] = {at, n, total};
    total += static_cast<uint32_t>((n + chunk - 1) / chunk);
  }

  // The block's part of its tensor.
  struct Part {
    const T& at;
    int64_t first, last;
  };
  NT_INLINE Part part(const Block& block) const {
    int low = 0, high = count;  // the last tensor that begins at this chunk or before it
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (block.index >= of[middle].first ? low : high) = middle;
    }
    const Tensor& own = of[low];
    const int64_t first = (block.index - own.first) * chunk, last = first + chunk < own.n ? first + chunk : own.n;
    return {own.at, first, last};
  }
  // update(at, i, size) for kPerThread elements from i on, and singly for those at the end.
  template <class F>
  NT_INLINE void each(const Block& block, F update) const {
    const Part own = part(block);
    block.each([&](int t) {
      for (int64_t i = own.first + t * kPerThread; i < own.last; i += kThreads * kPerThread) {
        if (i + kPerThread <= own.last) {
          update(own.at, i, Size<kPerThread>());
        } else {
          for (int64_t e = i; e < own.last; e++) update(own.at, e, Size<1>());
        }
      }
    });
  }
  template <int N>
  struct Size {
    static constexpr int value = N;
  };
};

// launch(chunks of few or of most tensors, first, count) until all `count` tensors, of so many elements together, had
// their turn.
template <class T, class F>
void inLaunches(int count, int64_t elements, F launch) {
  for (int first = 0; first < count; first += kMostTensors) {
    const int now = std::min(count - first, kMostTensors);
    if (now <= kFewTensors)
      launch(Chunks<T, kFewTensors>(elements), first, now);
    else
      launch(Chunks<T, kMostTensors>(elements), first, now);
  }
}

}  // namespace needletail::cuda
