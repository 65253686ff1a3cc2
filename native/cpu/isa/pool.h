// The inner loops of pooling and resizing: one place of the result, all its channels.
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

// y[c] = the largest of x[k][c], positions[c] = index[k] of the winner (the first of equals; a NaN wins). positions may
// be null.
NEEDLETAIL_ISA_FUNCTION(poolMaximum, int64_t channels, int count, const float* const* x, const int32_t* index, float* y,
                        int32_t* positions)
// y[c] = the sum of x[k][c], times scale.
NEEDLETAIL_ISA_FUNCTION(poolAverage, int64_t channels, int count, const float* const* x, float scale, float* y)
// dx[k][c] = g[c] where positions[c] is index[k], else 0.
NEEDLETAIL_ISA_FUNCTION(poolPlace, int64_t channels, int count, float* const* dx, const int32_t* index, const float* g,
                        const int32_t* positions)
// y[c] += x[c] * scale.
NEEDLETAIL_ISA_FUNCTION(addScaled, int64_t channels, const float* x, float scale, float* y)
// y[c] = a[c] * (1 - part) + b[c] * part.
NEEDLETAIL_ISA_FUNCTION(blend, int64_t channels, const float* a, const float* b, float part, float* y)

}  // namespace needletail
