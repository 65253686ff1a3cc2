// The inner loops of batch and layer normalisation. h is (x - mean) * inverse.
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

// Batch normalisation: rows of `channels` values, each channel by itself. Images lie as float32, or, `half`, as
// bfloat16.
struct ChannelRows {
  int64_t rows, channels;
  bool half;
};
// total[c] += sum over the rows of x - shift[c], squares[c] of its square.
NEEDLETAIL_ISA_FUNCTION(channelMoments, const ChannelRows& size, const void* x, const float* shift, double* total,
                        double* squares)
// y = (x - mean) * factor + offset, then, rounded, + residual (may be null), then the ReLU.
NEEDLETAIL_ISA_FUNCTION(channelNormalise, const ChannelRows& size, const void* x, const float* mean,
                        const float* factor, const float* offset, const void* residual, bool relu, void* y)
// The gradient that comes through a ReLU of values y (null: there is none) is g where y > 0, else 0: it is written to
// `through`, unless that is null. total[c] += its sum, products[c] += its sum times x - mean.
NEEDLETAIL_ISA_FUNCTION(channelProducts, const ChannelRows& size, const void* g, const void* y, const void* x,
                        const float* mean, void* through, double* total, double* products)
// dx = g * factor + (x - mean) * slope + offset, with the g that comes through the ReLU.
NEEDLETAIL_ISA_FUNCTION(channelGradient, const ChannelRows& size, const void* g, const void* y, const void* x,
                        const float* mean, const float* factor, const float* slope, const float* offset, void* dx)

// Layer normalisation: a row is normalised by itself; scale and offset may be null.
NEEDLETAIL_ISA_FUNCTION(rowMoments, int64_t n, const float* x, double* mean, double* variance)
NEEDLETAIL_ISA_FUNCTION(rowNormalise, int64_t n, const float* x, float mean, float inverse, const float* scale,
                        const float* offset, float* y)
// s = g * scale: dx = inverse * (s - mean(s) - h * mean(s * h))
NEEDLETAIL_ISA_FUNCTION(rowGradient, int64_t n, const float* g, const float* x, float mean, float inverse,
                        const float* scale, float* dx)
// dscale += g * h, doffset += g
NEEDLETAIL_ISA_FUNCTION(rowScaleGradient, int64_t n, const float* g, const float* x, float mean, float inverse,
                        double* dscale, double* doffset)

}  // namespace needletail
