// Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015):
// a 3x3 convolution of stride 1 as 36 matrix products over tiles of 6x6 inputs and 4x4 outputs. Compiled once for each
// instruction set.
#pragma once
#include <cstdint>

#include "cpu/isa/gemm.h"

namespace needletail {

// The geometry of one convolution x [n, h, w, c] -> y [n, oh, ow, o]; channels are rounded up to whole vectors inside.
struct WinogradShape {
  int64_t n, h, w, c, oh, ow, o;
  int64_t low[2];  // padding before the first row and column
  int64_t tilesH, tilesW;
  int64_t chunk;  // tiles that one thread works on at a time
  int64_t tiles() const { return n * tilesH * tilesW; }
};

constexpr int kFrequencies = 36;
constexpr int64_t kWinogradChannels = 16;  // channels are rounded up to a multiple of this
inline int64_t winogradChannels(int64_t c) {
  return (c + kWinogradChannels - 1) / kWinogradChannels * kWinogradChannels;
}
// Floats between the matrices of two frequencies: not a power of two, whose addresses would share few sets of the
// cache.
inline int64_t winogradStride(int64_t floats) { return floats + 16; }

// Weights [o, 3, 3, c] to 36 matrices of packed panels, (c x o), for outputs [first, last) (multiples of 32, or the
// end).
NEEDLETAIL_ISA_FUNCTION(winogradWeights, const float* w, int64_t o, int64_t c, int64_t first, int64_t last, float* to)
// The same for the gradient of the input: weights turned round, (o x c), for rows [first, last) of o.
NEEDLETAIL_ISA_FUNCTION(winogradWeightsTurned, const float* w, int64_t o, int64_t c, int64_t first, int64_t last,
                        float* to)

// y = convolution of x for tiles [first, last), + bias, + residual, ReLU. scratch: winogradForwardScratch floats for
// each thread.
struct WinogradForward {
  WinogradShape shape;
  const float *x, *weights;  // transformed weights
  const float *bias, *residual;  // or null
  bool relu;
  float *y, *scratch;
};
inline int64_t winogradForwardScratch(const WinogradShape& s) {
  return kFrequencies *
         (winogradStride(s.chunk * winogradChannels(s.c)) + winogradStride(s.chunk * gemmPanels(s.o) * kGemmWidth));
}
NEEDLETAIL_ISA_FUNCTION(winogradForward, const WinogradForward& job, int64_t first, int64_t last)

// Adds tiles [first, last) of the gradient of the weights, as 36 matrices (o x c, rows of whole vectors), to `sums`,
// and that of the bias to what follows them.
struct WinogradGradient {
  WinogradShape shape;
  const float *x, *gradient;
  float *sums, *scratch;
};
inline int64_t winogradBiasAt(const WinogradShape& s) {
  return kFrequencies * winogradStride(s.o * gemmPanels(s.c) * kGemmWidth);
}
inline int64_t winogradSums(const WinogradShape& s) { return winogradBiasAt(s) + winogradChannels(s.o); }
inline int64_t winogradGradientScratch(const WinogradShape& s) {
  return kFrequencies *
         (winogradStride(s.chunk * gemmPanels(s.c) * kGemmWidth) + winogradStride(s.chunk * winogradChannels(s.o)));
}
NEEDLETAIL_ISA_FUNCTION(winogradGradient, const WinogradGradient& job, int64_t first, int64_t last)
// The gradient of weights [o, 3, 3, c] for outputs [first, last), from the sums of all threads (`step` floats apart).
NEEDLETAIL_ISA_FUNCTION(winogradGradientFinish, const WinogradShape& shape, const float* sums, int64_t step,
                        int threads, int64_t first, int64_t last, float* dw)

}  // namespace needletail
