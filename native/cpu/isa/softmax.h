// The inner loops of softmax and cross-entropy, in float32.
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

constexpr int64_t kSoftmaxLanes = 16;

// A row of n numbers; y may be x.
NEEDLETAIL_ISA_FUNCTION(softmaxRow, bool log, int64_t n, const float* x, float* y)
// dx from the gradient of y and y itself; dx may be either.
NEEDLETAIL_ISA_FUNCTION(softmaxGradientRow, bool log, int64_t n, const float* gradient, const float* y, float* dx)
// `width` columns (a multiple of kSoftmaxLanes) of n numbers each, in place.
NEEDLETAIL_ISA_FUNCTION(softmaxColumns, bool log, int64_t n, int64_t width, float* x)
// In place of the gradient.
NEEDLETAIL_ISA_FUNCTION(softmaxGradientColumns, bool log, int64_t n, int64_t width, float* gradient, const float* y)

struct CrossEntropyRow {
  int64_t classes, label;
  const float* weights;  // or null: all 1
  float smoothing;
  float weightSum;  // of all classes
};
NEEDLETAIL_ISA_FUNCTION(crossEntropyRow, const CrossEntropyRow& row, const float* logits, float* loss)
// loss: null, if only the gradient is wanted.
NEEDLETAIL_ISA_FUNCTION(crossEntropyGradientRow, const CrossEntropyRow& row, float gradient, const float* logits,
                        float* out, float* loss)

}  // namespace needletail
