// A matrix product of operands that lie where they are, for tiles that fit the cache (matmul: gemm.h).
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

// c[i][j] (+)= sum over l of a[i * aRow + l * aInner] * b[l * bInner + j], for i < m, j < n, l < k. One thread; the
// order of the additions depends on k alone.
NEEDLETAIL_ISA_FUNCTION(product, int64_t m, int64_t n, int64_t k, const float* a, int64_t aRow, int64_t aInner,
                        const float* b, int64_t bInner, float* c, int64_t cRow, bool accumulate)

}  // namespace needletail
