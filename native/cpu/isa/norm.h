// The inner loops of batch and layer normalisation. h is (x - mean) * inverse.
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

// Batch normalisation: rows of `channels` floats, each channel by itself.
// total[c] += sum over the rows of (x - mean[c]), squares[c] of its square. mean may be null (0), squares too.
NEEDLETAIL_ISA_FUNCTION(channelMoments, int64_t rows, int64_t channels, const float* x, const float* mean,
                        double* total, double* squares)
// total[c] += sum of g, products[c] += sum of g * h.
NEEDLETAIL_ISA_FUNCTION(channelProducts, int64_t rows, int64_t channels, const float* g, const float* x,
                        const float* mean, const float* inverse, double* total, double* products)
// y = (x - mean) * factor + offset
NEEDLETAIL_ISA_FUNCTION(channelNormalise, int64_t rows, int64_t channels, const float* x, const float* mean,
                        const float* factor, const float* offset, float* y)
// dx = factor * (g - meanG - h * meanGH)
NEEDLETAIL_ISA_FUNCTION(channelGradient, int64_t rows, int64_t channels, const float* g, const float* x,
                        const float* mean, const float* inverse, const float* factor, const float* meanG,
                        const float* meanGH, float* dx)

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
