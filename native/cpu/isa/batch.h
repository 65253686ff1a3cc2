// The inner loops of the batch op's augmentation, a row at a time.
#pragma once
#include <cstdint>

#include "augmentation.h"
#include "cpu/isa/pick.h"

namespace needletail {

// A normalised picture with a border: one pixel at the top and left, two at the bottom and right, which hold what comes
// in from outside (for BatchFill::edge and reflect they only have to be finite); kBatchSlack more floats can be read.
constexpr int64_t kBatchSlack = 4;
struct BatchSource {
  const float* pixels;
  int64_t height, width, channels;  // without the border
  BatchFill fill;
};

// Row y of the mapped picture. places: scratch, 2 * width; parts: scratch, 2 * width. kBatchSlack more floats of `out`
// are written to.
NEEDLETAIL_ISA_FUNCTION(batchMapRow, const BatchSource& source, const augmentation::Changes& map, int64_t y,
                        int32_t* places, float* parts, float* out)
// out[i] = weights[0] * taps[radius][i] + sum over k of weights[k] * (taps[radius - k][i] + taps[radius + k][i])
NEEDLETAIL_ISA_FUNCTION(batchBlurRow, int64_t n, int64_t radius, const float* weights, const float* const* taps,
                        float* out)
// out[i] += normal number i * deviations[i % channels]
NEEDLETAIL_ISA_FUNCTION(batchNoise, const Batch& params, int32_t index, int64_t n, int64_t channels,
                        const float* deviations, float* out)

}  // namespace needletail
