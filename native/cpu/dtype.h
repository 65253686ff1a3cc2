// Rows of half-precision numbers to float32 and back, with this processor's best loop (convert.cc).
#pragma once
#include "types.h"

namespace needletail {

// bfloat16 or float16 to float32 and back.
void halfToFloat(DType dtype, const void* from, float* to, int64_t n);
void floatToHalf(DType dtype, const float* from, void* to, int64_t n);

// Elements [first, first + n) as floats: where they lie, or converted into scratch memory.
inline const float* floats(DType dtype, const void* data, int64_t first, int64_t n, float* scratch) {
  if (dtype == DType::float32) return static_cast<const float*>(data) + first;
  halfToFloat(dtype, static_cast<const uint16_t*>(data) + first, scratch, n);
  return scratch;
}
// Where to write them, and what brings them to their place.
inline float* target(DType dtype, void* data, int64_t first, float* scratch) {
  return dtype == DType::float32 ? static_cast<float*>(data) + first : scratch;
}
inline void finish(DType dtype, void* data, int64_t first, int64_t n, const float* scratch) {
  if (dtype != DType::float32) floatToHalf(dtype, scratch, static_cast<uint16_t*>(data) + first, n);
}

}  // namespace needletail
