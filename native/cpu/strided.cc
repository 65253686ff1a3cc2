#include "cpu/strided.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/cpu.h"
#include "cpu/dtype.h"

namespace needletail {

namespace {

template <class F>
void bySize(size_t size, F&& f) {
  switch (size) {
    case 1: return f(Type<uint8_t>());
    case 2: return f(Type<uint16_t>());
    case 4: return f(Type<uint32_t>());
    default: return f(Type<uint64_t>());
  }
}

// Transposes a square of as many elements a side as 16 bytes hold, in log2(side) rounds that interleave rows.
template <class T>
inline void transposeSquare(const T* from, int64_t fromStride, T* to, int64_t toStride) {
  constexpr int N = 16 / sizeof(T);
  typedef T V __attribute__((vector_size(16)));
  V low, high;  // masks of the two interleaves
  for (int i = 0; i < N; i++) {
    low[i] = static_cast<T>(i / 2 + (i % 2) * N);
    high[i] = static_cast<T>(N / 2 + i / 2 + (i % 2) * N);
  }
  V a[N], b[N];
#pragma GCC unroll 16
  for (int i = 0; i < N; i++) std::memcpy(&a[i], from + i * fromStride, 16);
#pragma GCC unroll 4
  for (int round = 1; round < N; round *= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < N / 2; i++) {
      b[2 * i] = __builtin_shuffle(a[i], a[i + N / 2], low);
      b[2 * i + 1] = __builtin_shuffle(a[i], a[i + N / 2], high);
    }
    std::copy_n(b, N, a);
  }
#pragma GCC unroll 16
  for (int i = 0; i < N; i++) std::memcpy(to + i * toStride, &a[i], 16);
}

// to[r * toStride + c] = from[r + c * fromStride], in blocks that the first-level cache holds.
template <class T>
void transpose(const T* from, int64_t fromStride, T* to, int64_t toStride, int64_t rows, int64_t columns) {
  constexpr int64_t N = 16 / sizeof(T), kRows = 64 / sizeof(T), kColumns = 128;
  for (int64_t c0 = 0; c0 < columns; c0 += kColumns) {
    const int64_t c1 = std::min(columns, c0 + kColumns);
    for (int64_t r0 = 0; r0 < rows; r0 += kRows) {
      const int64_t r1 = std::min(rows, r0 + kRows);
      const int64_t rFull = r0 + (r1 - r0) / N * N, cFull = c0 + (c1 - c0) / N * N;
      for (int64_t r = r0; r < rFull; r += N) {
        for (int64_t c = c0; c < cFull; c += N)
          transposeSquare(from + r + c * fromStride, fromStride, to + r * toStride + c, toStride);
      }
      for (int64_t r = r0; r < r1; r++) {
        const T* x = from + r;
        T* y = to + r * toStride;
        for (int64_t c = r < rFull ? cFull : c0; c < c1; c++) y[c] = x[c * fromStride];
      }
    }
  }
}

// Strides known to the compiler make a vector loop.
template <int stride, class T>
void copyStep(const T* from, T* to, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = from[i * stride];
}

template <class T>
void copyRow(const T* from, int64_t fromStride, T* to, int64_t toStride, int64_t n) {
  if (fromStride == 1 && toStride == 1) {
    if (n >= 16) {
      std::memcpy(to, from, n * sizeof(T));
    } else {
      for (int64_t i = 0; i < n; i++) to[i] = from[i];
    }
  } else if (fromStride == 0 && toStride == 1) {
    std::fill_n(to, n, *from);
  } else if (fromStride == -1 && toStride == 1) {
    copyStep<-1>(from, to, n);
  } else if (fromStride == 2 && toStride == 1) {
    copyStep<2>(from, to, n);
  } else {
    for (int64_t i = 0; i < n; i++) to[i * toStride] = from[i * fromStride];
  }
}

}  // namespace

void StridedCopy::axis(int64_t size, int64_t from, int64_t to) {
  if (size == 0) empty_ = true;
  if (size == 1) return;
  if (rank_ > 0) {
    Axis& last = axes_[rank_ - 1];
    if (last.from == from * size && last.to == to * size) {
      last = {last.size * size, from, to};
      return;
    }
  }
  axes_[rank_++] = {size, from, to};
}

void StridedCopy::plan(size_t elementSize) {
  elementSize_ = elementSize;
  if (rank_ == 0) axes_[rank_++] = {1, 1, 1};
  Axis& last = axes_[rank_ - 1];
  // A source that is contiguous along another axis is read in squares: that axis moves next to the last.
  if (last.to == 1 && last.from != 1 && last.from != 0) {
    for (int i = rank_ - 2; i >= 0; i--) {
      if (axes_[i].from != 1) continue;
      const Axis moved = axes_[i];
      std::copy(axes_ + i + 1, axes_ + rank_ - 1, axes_ + i);
      axes_[rank_ - 2] = moved;
      transposes_ = true;
      break;
    }
  }
  inner_ = std::min(rank_, 2);
  double elements = 1, rows = 1;
  for (int i = 0; i < rank_; i++) elements *= static_cast<double>(axes_[i].size);
  for (int i = 0; i < rank_ - 1; i++) rows *= static_cast<double>(axes_[i].size);
  const bool runs = last.to == 1 && (last.from == 1 || last.from == 0);
  cost_ = 40 + (runs ? elements * elementSize * 0.1 + rows * 2 : elements * (transposes_ ? 0.5 : 1.0));
  parallel_ = !empty_ && worthParallel(cost_);
}

// The last one or two axes.
template <class T>
void StridedCopy::inner(const T* from, T* to, const Axis* axes) const {
  const Axis& last = axes[rank_ - 1];
  if (inner_ == 1) return copyRow(from, last.from, to, last.to, last.size);
  const Axis& rows = axes[rank_ - 2];
  if (transposes_) return transpose(from, last.from, to, rows.to, rows.size, last.size);
  for (int64_t i = 0; i < rows.size; i++)
    copyRow(from + i * rows.from, last.from, to + i * rows.to, last.to, last.size);
}

template <class T>
void StridedCopy::copy(const T* from, T* to, const Axis* axes) const {
  const int outer = rank_ - inner_;
  int64_t index[kMaxRank] = {};
  while (true) {
    inner(from, to, axes);
    int d = outer - 1;
    for (; d >= 0; d--) {
      from += axes[d].from;
      to += axes[d].to;
      if (++index[d] < axes[d].size) break;
      from -= axes[d].from * axes[d].size;
      to -= axes[d].to * axes[d].size;
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

void StridedCopy::run(const void* source, void* target) const {
  if (empty_) return;
  bySize(elementSize_, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = static_cast<const T*>(source) + fromOffset;
    T* to = static_cast<T*>(target) + toOffset;
    if (!parallel_) return copy(from, to, axes_);
    // Each thread takes a part of the longest axis, in steps of a cache line.
    const int split = static_cast<int>(
        std::max_element(axes_, axes_ + rank_, [](const Axis& a, const Axis& b) { return a.size < b.size; }) - axes_);
    const int team = threads();
    const int64_t size = axes_[split].size, step = size >= 64 * team ? 64 : 1, steps = (size + step - 1) / step;
#pragma omp parallel for schedule(static) num_threads(team)
    for (int part = 0; part < team; part++) {
      const int64_t first = steps * part / team * step, last = std::min(size, steps * (part + 1) / team * step);
      if (first >= last) continue;
      Axis axes[kMaxRank + 1];
      std::copy_n(axes_, rank_, axes);
      axes[split].size = last - first;
      copy(from + first * axes[split].from, to + first * axes[split].to, axes);
    }
  });
}

void fillElements(size_t elementSize, uint64_t bits, void* to, int64_t n) {
  bySize(elementSize, [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::fill_n(static_cast<T*>(to), n, static_cast<T>(bits));
  });
}

}  // namespace needletail
