// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015):
// a 3x3 convolution of stride 1 as 36 matrix products ("frequencies") over tiles of 6x6 inputs and 4x4 outputs.
// Compiled once for each instruction set. Tensors are float32 or bfloat16; transforms and sums are float32.
#pragma once
#include <cstdint>

#include "cpu/isa/gemm.h"

namespace needletail {

constexpr int kFrequencies = 36;

// The geometry of one convolution x [n, h, w, c] -> y [n, oh, ow, o].
struct WinogradShape {
  int64_t n, h, w, c, oh, ow, o;
  int64_t low[2];  // padding before the first row and column
  bool half;  // tensors are bfloat16
  int64_t pooledH = 0, pooledW = 0;  // what y is pooled to, the maxima of 2x2 windows; 0: it is not
  int64_t chunk = 0;  // tiles that one thread works on at a time; even
  bool pooled() const { return pooledH > 0; }
  int64_t tilesH() const { return (oh + 3) / 4; }
  int64_t tilesW() const { return (ow + 3) / 4; }
  int64_t tiles() const { return strips() * tilesW(); }
  int64_t strips() const { return n * tilesH(); }  // rows of tiles
};

// Rounded up to whole vectors and cache lines.
inline int64_t winogradChannels(int64_t c) { return (c + 15) / 16 * 16; }

// The matrices of all frequencies, in units (gemm.h): where their first row begins, from a row to the next, from a
// matrix to the next.
struct WinogradMatrices {
  int64_t at, row, step;
};
// What lies one after the other in a piece of memory.
struct WinogradMemory {
  int64_t units = 0;
  int64_t take(int64_t count) {
    const int64_t at = units;
    units += winogradChannels(count);
    return at;
  }
  // Rows of more than 8 cache lines take an odd number of them, and matrices a line more than they need: where
  // addresses lie a power of two apart they share few sets of the cache.
  WinogradMatrices matrices(int64_t rows, int64_t columns) {
    const int64_t lines = (columns + 15) / 16, row = (lines > 8 ? lines | 1 : lines) * 16;
    const int64_t step = rows * row + 16;
    return {take(kFrequencies * step), row, step};
  }
};

// Weights [o, 3, 3, c], transformed: 36 matrices in panels of at most 64 columns. A convolution's are c x o; those of
// its input's gradient are `transposed`, o x c.
constexpr int64_t kWinogradPanel = 64;
struct WinogradWeights {
  int64_t o, c;
  bool half, transposed;
  int64_t rows() const { return transposed ? o : c; }
  int64_t columns() const { return transposed ? c : o; }
  int64_t depth() const { return gemmUnits(half, rows()); }  // of the products
  int64_t step() const { return depth() * winogradChannels(columns()) + 16; }
  int64_t units() const { return kFrequencies * step(); }
  static constexpr int64_t kBlock = 16;  // work is divided by blocks of so many rows
  int64_t blocks() const { return (rows() + kBlock - 1) / kBlock; }
};
NEEDLETAIL_ISA_FUNCTION(winogradWeights, const WinogradWeights& layout, const void* w, int64_t firstBlock,
                        int64_t lastBlock, float* to)

// y = convolution of x for tiles [first, last), + bias, + residual, ReLU, pooled.
struct WinogradForward {
  WinogradShape shape;
  const void* x;
  const float* weights;  // transformed
  const void *bias, *residual;  // or null
  bool relu;
  void* y;  // or what is pooled from it, and
  int32_t* positions;  // or null; of the winners: row * ow + column
  float* scratch;  // of this thread
};
struct WinogradForwardScratch : WinogradMemory {
  int64_t zeros;
  WinogradMatrices input, product;
  explicit WinogradForwardScratch(const WinogradShape& s)
      : zeros(take(6 * winogradChannels(s.c))),
        input(matrices(s.chunk, gemmUnits(s.half, s.c))),
        product(matrices(s.chunk, s.o)) {}
};
NEEDLETAIL_ISA_FUNCTION(winogradForward, const WinogradForward& job, int64_t first, int64_t last)

// The gradients, for strips [first, last): of the input, and sums for that of the weights. The input's gradients of
// neighbouring tiles overlap by two rows and columns: what a thread's last strip has for the next one stays in its
// scratch memory, from where winogradJoin adds it.
struct WinogradBackward {
  WinogradShape shape;
  const void* gradient;  // of y, or of what was pooled from it, and then
  const int32_t* positions;
  const void* pooled;  // or null: where these values are not positive, the gradient is 0
  const void* x;  // null: no gradient of the weights
  const float* weights;  // transposed and transformed; null: no gradient of the input
  const void* values;  // or null: where these values, of dx' shape, are not positive, dx is 0
  void* dx;
  float* scratch;  // of this thread
};
struct WinogradBackwardScratch : WinogradMemory {
  int64_t zeros, beside, belowRow, below, bias;
  WinogradMatrices sums;  // o x c
  WinogradMatrices gradient, gradientPairs;  // by channels; by pairs of tiles
  WinogradMatrices input, inputPairs;  // gradients of the input; the input by pairs of tiles, in the same place
  explicit WinogradBackwardScratch(const WinogradShape& s)
      : zeros(take(6 * (s.c > s.o ? winogradChannels(s.c) : winogradChannels(s.o)))),
        beside(take(12 * winogradChannels(s.c))),
        belowRow((4 * s.tilesW() + 2) * winogradChannels(s.c)),
        below(take(2 * belowRow)),
        bias(take(s.o)),
        sums(matrices(s.o, s.c)),
        gradient(matrices(s.chunk, gemmUnits(s.half, s.o))),
        gradientPairs(s.half ? matrices(s.chunk / 2, s.o) : gradient),
        input(matrices(s.chunk, s.c)),
        inputPairs(input) {}
};
NEEDLETAIL_ISA_FUNCTION(winogradBackward, const WinogradBackward& job, int64_t first, int64_t last)
// Adds what the strips before `strip` left for it, in another thread's scratch memory.
NEEDLETAIL_ISA_FUNCTION(winogradJoin, const WinogradBackward& job, int64_t strip, const float* scratch)
// The gradient of weights [o, 3, 3, c] for outputs [first, last), from the scratch memory of all threads, `step` units
// apart.
NEEDLETAIL_ISA_FUNCTION(winogradWeightGradient, const WinogradShape& shape, const float* scratch, int64_t step,
                        int threads, int64_t first, int64_t last, void* dw)

}  // namespace needletail
