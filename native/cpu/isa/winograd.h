// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015):
// a 3x3 convolution of stride 1 as 36 matrix products ("frequencies") over tiles of 6x6 inputs and 4x4 outputs.
// Compiled once for each instruction set.
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

constexpr int kFrequencies = 36;

// The geometry of one convolution x [n, h, w, c] -> y [n, oh, ow, o].
struct WinogradShape {
  int64_t n, h, w, c, oh, ow, o;
  int64_t low[2];  // padding before the first row and column
  int64_t pooledH = 0, pooledW = 0;  // what y is pooled to, the maxima of 2x2 windows; 0: it is not
  int64_t chunk = 0;  // tiles that one thread works on at a time
  bool pooled() const { return pooledH > 0; }
  int64_t tilesH() const { return (oh + 3) / 4; }
  int64_t tilesW() const { return (ow + 3) / 4; }
  int64_t tiles() const { return strips() * tilesW(); }
  int64_t strips() const { return n * tilesH(); }  // rows of tiles
};

// Floats, rounded up to whole vectors and cache lines.
inline int64_t winogradChannels(int64_t c) { return (c + 15) / 16 * 16; }
// Floats from a tile's channels to the next tile's. Long rows take an odd number of cache lines: with a power of two,
// rows would share few sets of the cache.
inline int64_t winogradRow(int64_t c) {
  const int64_t lines = (c + 15) / 16;
  return (lines > 8 ? lines | 1 : lines) * 16;
}
// Floats from one frequency's matrix to the next one's; padded for the same reason.
inline int64_t winogradMatrix(int64_t floats) { return floats + 16; }

// Weights [o, 3, 3, c], transformed: 36 matrices in panels of at most 64 columns. A convolution's are c x o;
// `transposed`, those of its input's gradient, o x c.
constexpr int64_t kWinogradPanel = 64;
inline int64_t winogradWeightMatrix(int64_t rows, int64_t columns) {
  return winogradMatrix(rows * winogradChannels(columns));
}
struct WinogradWeights {
  int64_t o, c;
  bool transposed;
  int64_t rows() const { return transposed ? o : c; }
  int64_t columns() const { return transposed ? c : o; }
  int64_t floats() const { return kFrequencies * winogradWeightMatrix(rows(), columns()); }
  static constexpr int64_t kBlock = 16;  // work is divided by blocks of so many rows
  int64_t blocks() const { return (rows() + kBlock - 1) / kBlock; }
};
NEEDLETAIL_ISA_FUNCTION(winogradWeights, const WinogradWeights& layout, const float* w, int64_t firstBlock,
                        int64_t lastBlock, float* to)

// y = convolution of x for tiles [first, last), + bias, + residual, ReLU, pooled.
struct WinogradForward {
  WinogradShape shape;
  const float *x, *weights;  // the weights are transformed
  const float *bias, *residual;  // or null
  bool relu;
  float* y;  // or what is pooled from it, and
  int32_t* positions;  // or null; of the winners: row * ow + column
  float* scratch;  // of this thread
};
inline int64_t winogradForwardScratch(const WinogradShape& s) {
  return kFrequencies * (winogradMatrix(s.chunk * winogradRow(s.c)) + winogradMatrix(s.chunk * winogradRow(s.o))) +
         6 * winogradChannels(s.c);
}
NEEDLETAIL_ISA_FUNCTION(winogradForward, const WinogradForward& job, int64_t first, int64_t last)

// The gradients, for strips [first, last): of the input, and sums for that of the weights. The input's gradients of
// neighbouring tiles overlap by two rows and columns: what a thread's last strip has for the next one stays in `below`.
struct WinogradBackward {
  WinogradShape shape;
  const float* gradient;  // of y, or of what was pooled from it, and then
  const int32_t* positions;
  const float* pooled;  // or null: where these values are not positive, the gradient is 0
  const float* x;  // null: no gradient of the weights
  const float* weights;  // transposed and transformed; null: no gradient of the input
  const float* values;  // or null: where these values, of dx' shape, are not positive, dx is 0
  float* dx;
  float* sums;  // of this thread: 36 matrices o x c, and the bias' gradient
  float* below;  // of this thread
  float* scratch;
};
inline int64_t winogradSumMatrix(const WinogradShape& s) { return winogradMatrix(s.o * winogradChannels(s.c)); }
inline int64_t winogradBiasAt(const WinogradShape& s) { return kFrequencies * winogradSumMatrix(s); }
inline int64_t winogradSums(const WinogradShape& s) { return winogradBiasAt(s) + winogradChannels(s.o); }
inline int64_t winogradBelow(const WinogradShape& s) { return 2 * (4 * s.tilesW() + 2) * winogradChannels(s.c); }
inline int64_t winogradBackwardScratch(const WinogradShape& s) {
  return kFrequencies * (winogradMatrix(s.chunk * winogradRow(s.c)) + winogradMatrix(s.chunk * winogradRow(s.o))) +
         6 * winogradChannels(s.c) + winogradChannels(s.o) * 6 + 12 * winogradChannels(s.c);
}
NEEDLETAIL_ISA_FUNCTION(winogradBackward, const WinogradBackward& job, int64_t first, int64_t last)
// Adds what the strips before `strip` left for it.
NEEDLETAIL_ISA_FUNCTION(winogradJoin, const WinogradBackward& job, int64_t strip, const float* below)
// The gradient of weights [o, 3, 3, c] for outputs [first, last), from the sums of all threads (`step` floats apart).
NEEDLETAIL_ISA_FUNCTION(winogradWeightGradient, const WinogradShape& shape, const float* sums, int64_t step,
                        int threads, int64_t first, int64_t last, float* dw)

}  // namespace needletail
