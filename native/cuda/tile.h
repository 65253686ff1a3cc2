// Tiles of matrix products through shared memory: a block makes kTile x kTile sums, a thread kEach x kEach of them.
// Where the elements of the two matrices come from, a functor says: one product serves matmul and the three
// convolutions.
#pragma once
#include "cuda/launch.h"

namespace needletail::cuda {

constexpr int kTile = 64;
constexpr int kDepth = 16;  // of the part of both matrices that is in shared memory at a time
constexpr int kEach = 4;
constexpr int kPitch = kTile / kEach + 1;  // one more than needed: rows begin in different banks

struct alignas(16) Four {
  float of[kEach];
};
static_assert(kTile / kEach * (kTile / kEach) == kThreads && kTile * kDepth == kThreads * kEach);

// Brings rows [first, first + kTile) at depths [k, k + kDepth) of a matrix into shared memory; what is outside is 0.
// A Matrix has
//   rows                     how many there are
//   kAlongDepth              whether neighbours in memory are neighbours in depth: then a thread takes four of those
//   row(i), depth(k)         what an element's place is made of
//   float at(row, depth)
template <class Matrix>
NT_INLINE void bring(const Matrix& matrix, int64_t first, int64_t k, int64_t end, int t, Four* shared) {
  const int i = Matrix::kAlongDepth ? t / (kDepth / kEach) : t % (kTile / kEach) * kEach;
  const int d = Matrix::kAlongDepth ? t % (kDepth / kEach) * kEach : t / (kTile / kEach);
  NT_UNROLL
  for (int e = 0; e < kEach; e++) {
    const int row = Matrix::kAlongDepth ? i : i + e, depth = Matrix::kAlongDepth ? d + e : d;
    const bool inside = first + row < matrix.rows && k + depth < end;
    shared[depth * kPitch + row / kEach].of[row % kEach] =
        inside ? matrix.at(matrix.row(first + row), matrix.depth(k + depth)) : 0.0f;
  }
}

// put(i, j, sum) for each sum over depths [begin, end) of left(i, k) * right(j, k) in the tile at (top, side).
template <class Left, class Right, class Put>
NT_INLINE void multiplyTile(const Block& block, const Left& left, const Right& right, int64_t top, int64_t side,
                            int64_t begin, int64_t end, const Put& put) {
  NT_SHARED(Four, a, kDepth * kPitch);
  NT_SHARED(Four, b, kDepth * kPitch);
  struct Sums {
    float of[kEach][kEach];
  };
  Own<Sums> own;
  for (int64_t k = begin; k < end; k += kDepth) {
    block.each([&](int t) {
      bring(left, top, k, end, t, a);
      bring(right, side, k, end, t, b);
    });
    block.each([&](int t) {
      Sums& sums = own[t];
      for (int d = 0; d < kDepth; d++) {
        const Four x = a[d * kPitch + t / (kTile / kEach)], y = b[d * kPitch + t % (kTile / kEach)];
        NT_UNROLL
        for (int i = 0; i < kEach; i++) {
          NT_UNROLL
          for (int j = 0; j < kEach; j++) sums.of[i][j] += x.of[i] * y.of[j];
        }
      }
    });
  }
  block.each([&](int t) {
    NT_UNROLL
    for (int i = 0; i < kEach; i++) {
      NT_UNROLL
      for (int j = 0; j < kEach; j++) {
        const int64_t row = top + t / (kTile / kEach) * kEach + i, column = side + t % (kTile / kEach) * kEach + j;
        if (row < left.rows && column < right.rows) put(row, column, own[t].of[i][j]);
      }
    }
  });
}

inline int64_t tiles(int64_t n) { return (n + kTile - 1) / kTile; }

}  // namespace needletail::cuda
