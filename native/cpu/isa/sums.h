// What becomes of the sums of a matrix product, compiled once for each instruction set.
#pragma once
#include "cpu/isa/gemm.h"
#include "params.h"

namespace needletail {

// + bias, + residual, activation, then to their place in the result, rounded if it is of bfloat16. Bias, residual and
// the values of a ReLU (null: none) are of the result's dtype.
struct SumsToResult {
  bool bfloat16, turned;  // turned: the sums are those of the transposed result
  Activation activation;
  const void *bias, *residual, *values;
  void* result;
  int64_t columns;  // of the result
  // Nothing is to be done to sums that stand where the result is wanted.
  bool idle() const { return !bfloat16 && !turned && !bias && !residual && activation == Activation::none; }
};
// to: SumsToResult. The sums may stand in the result.
NEEDLETAIL_ISA_FUNCTION(sumsToResult, const void* to, const Tile& tile)

}  // namespace needletail
