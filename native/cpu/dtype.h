// Rows of half-precision numbers to float32 and back, with this processor's best loop (convert.cc).
#pragma once
#include "types.h"

namespace needletail {

// bfloat16 or float16 to float32 and back.
void halfToFloat(DType dtype, const void* from, float* to, int64_t n);
void floatToHalf(DType dtype, const float* from, void* to, int64_t n);

}  // namespace needletail
