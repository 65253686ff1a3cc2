// C++ types for dtypes: the half types with their conversions, and the step from a DType to a type. Compiled by the
// host's compiler and by nvcc.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "inline.h"
#include "spec.h"

namespace needletail {

struct BFloat16 {
  uint16_t bits;
  BFloat16() = default;
  // Round to nearest even; a NaN stays one.
  NT_INLINE explicit BFloat16(float f) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(f));
#else
    const uint32_t u = std::bit_cast<uint32_t>(f);
    const bool nan = (u & 0x7fffffff) > 0x7f800000;
    bits = static_cast<uint16_t>(nan ? (u >> 16) | 0x40 : (u + 0x7fff + ((u >> 16) & 1)) >> 16);
#endif
  }
  NT_INLINE operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

struct Float16 {
  uint16_t bits;
  Float16() = default;
  NT_INLINE explicit Float16(float f) {
#if defined(__CUDA_ARCH__)
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(f));
#else
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
#endif
  }
  NT_INLINE operator float() const {
#if defined(__CUDA_ARCH__)
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(bits));
    return f;
#else
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, a = bits & 0x7fff;
    float f;
    if (a >= 0x7c00)
      f = std::bit_cast<float>(0x7f800000 | (a & 0x3ff) << 13);
    else if (a >= 0x400)
      f = std::bit_cast<float>((a << 13) + 0x38000000);
    else
      f = static_cast<float>(a) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(f) | sign);
#endif
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

// The bits of a number stored as `dtype`. One that an integer can't hold: the nearest that it can.
inline uint64_t bitsOf(DType dtype, double value) {
  if (!isFloat(dtype)) value = std::isnan(value) ? 0 : std::clamp(value, -9.2e18, 9.2e18);
  if (dtype == DType::boolean) value = value != 0;
  uint64_t bits = 0;
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T v;
    if constexpr (std::is_class_v<T>)
      v = T(static_cast<float>(value));
    else if constexpr (std::is_integral_v<T>)
      v = static_cast<T>(static_cast<int64_t>(value));
    else
      v = static_cast<T>(value);
    std::memcpy(&bits, &v, sizeof v);
  });
  return bits;
}

// A float as an integer: towards zero; what is too large becomes the nearest that fits, NaN becomes 0.
template <class I>
NT_INLINE I saturate(float f) {
  constexpr float low = static_cast<float>(std::numeric_limits<I>::min());
  constexpr float high = static_cast<float>(std::numeric_limits<I>::max());  // rounded up where it has no float
  f = f != f ? 0 : f;
  f = f < low ? low : f;
  return f >= high ? std::numeric_limits<I>::max() : static_cast<I>(f);
}

// The largest number of a floating dtype below `bound`.
inline float lastBelow(DType dtype, float bound) {
  if (dtype == DType::float32) return std::nextafter(bound, -INFINITY);
  // The neighbours of a half type's number differ by one in their bits.
  auto step = [&](auto half) {
    using T = decltype(half);
    T value(bound);
    while (static_cast<float>(value) >= bound) {
      if ((value.bits & 0x7fff) == 0)
        value.bits = 0x8001;
      else
        value.bits = static_cast<uint16_t>(value.bits & 0x8000 ? value.bits + 1 : value.bits - 1);
    }
    return static_cast<float>(value);
  };
  return dtype == DType::bfloat16 ? step(BFloat16()) : step(Float16());
}

}  // namespace needletail
