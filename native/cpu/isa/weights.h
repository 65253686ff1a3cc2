// The gradient of a convolution's weights as a matrix product over the places of the result: gradient^T * patches,
// compiled once for each instruction set.
#pragma once
#include "cpu/isa/gemm.h"

namespace needletail {

constexpr int64_t kWeightsDepth = 128;  // units that are worked off at a time
constexpr int64_t kWeightsTile = 256;  // rows and columns of sums that stay in the second cache, with their panels

// Panels of `columns` values (a multiple of kGemmWidth) of each place: rows[m] is where those of place m begin.
NEEDLETAIL_ISA_FUNCTION(weightsPack, bool bfloat16, const void* const* rows, int64_t places, int64_t columns, void* to)

// sums[i * kWeightsTile + j] (+)= the sum over the units of left[i] * right[j], both packed.
struct WeightsProduct {
  bool bfloat16, accumulate;
  const void *left, *right;
  int64_t units, rows, columns;
  float* sums;
};
NEEDLETAIL_ISA_FUNCTION(weightsMultiply, const WeightsProduct& product)

}  // namespace needletail
