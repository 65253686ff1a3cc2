// The inner loops of the optimizers: one chunk of one parameter, in float32.
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

struct OptimizerStep {
  float factor;  // of the gradients
  float rate;  // SGD: the learning rate; Adam: divided by the first moment's bias correction
  float decay;  // SGD, Adam: added to the gradient; AdamW: what the parameter is multiplied by first
  float momentum;
  float beta2;
  float rest1, rest2;  // 1 - beta1, 1 - beta2: rounded once
  float correction;  // 1 / the root of the second moment's bias correction
  float epsilon;
};

enum class SgdKind { plain, momentum, nesterov };

NEEDLETAIL_ISA_FUNCTION(sgdChunk, const OptimizerStep& step, SgdKind kind, int64_t n, float* parameter,
                        const float* gradient, float* velocity)
NEEDLETAIL_ISA_FUNCTION(adamChunk, const OptimizerStep& step, bool decoupled, int64_t n, float* parameter,
                        const float* gradient, float* first, float* second)

}  // namespace needletail
