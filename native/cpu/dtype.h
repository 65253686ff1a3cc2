// C++ types for dtypes: the half types with their conversions, and the step from a DType to a type.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

#include "spec.h"

namespace needletail {

struct BFloat16 {
  uint16_t bits;
  BFloat16() = default;
  // Round to nearest even; a NaN stays one.
  explicit BFloat16(float f) {
    const uint32_t u = std::bit_cast<uint32_t>(f);
    const bool nan = (u & 0x7fffffff) > 0x7f800000;
    bits = static_cast<uint16_t>(nan ? (u >> 16) | 0x40 : (u + 0x7fff + ((u >> 16) & 1)) >> 16);
  }
  operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

struct Float16 {
  uint16_t bits;
  Float16() = default;
  explicit Float16(float f) {
    const uint32_t u = std::bit_cast<uint32_t>(f), sign = (u >> 16) & 0x8000;
    const uint32_t a = u & 0x7fffffff;
    uint32_t h;
    if (a > 0x7f800000)
      h = 0x7e00;  // NaN
    else if (a >= 0x477ff000)
      h = 0x7c00;  // rounds to infinity
    else if (a >= 0x38800000)
      h = (a - 0x38000000 + 0xfff + ((a >> 13) & 1)) >> 13;
    else
      h = std::bit_cast<uint32_t>(std::bit_cast<float>(a) + 0.5f) - 0x3f000000;  // subnormal: the addition rounds
    bits = static_cast<uint16_t>(h | sign);
  }
  operator float() const {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, a = bits & 0x7fff;
    float f;
    if (a >= 0x7c00)
      f = std::bit_cast<float>(0x7f800000 | (a & 0x3ff) << 13);
    else if (a >= 0x400)
      f = std::bit_cast<float>((a << 13) + 0x38000000);
    else
      f = static_cast<float>(a) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(f) | sign);
  }
};

template <class T>
struct Type {
  using type = T;
};

// Calls f with Type<T> for the dtype's C++ type (bool is a byte of 0 or 1).
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float32: return f(Type<float>());
    case DType::bfloat16: return f(Type<BFloat16>());
    case DType::float16: return f(Type<Float16>());
    case DType::int32: return f(Type<int32_t>());
    case DType::int64: return f(Type<int64_t>());
    default: return f(Type<uint8_t>());
  }
}

// Calls f with Type<T> for an unsigned type of the dtype's size: for kernels that only move values.
template <class F>
decltype(auto) dispatchSize(DType dtype, F&& f) {
  switch (size(dtype)) {
    case 1: return f(Type<uint8_t>());
    case 2: return f(Type<uint16_t>());
    case 4: return f(Type<uint32_t>());
    default: return f(Type<uint64_t>());
  }
}

// bfloat16 or float16 to float32 and back, with this processor's best loop (convert.cc).
void halfToFloat(DType dtype, const void* from, float* to, int64_t n);
void floatToHalf(DType dtype, const float* from, void* to, int64_t n);

}  // namespace needletail
