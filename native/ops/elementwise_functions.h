// Functions without a branch or a call, which the compiler can compute in vectors, for code that is compiled for one
// instruction set. V is float, or a vector of floats of any width. Every step rounds by itself, so that all instruction
// sets give the same bits; errors are up to 1.3 units in the last place.
#pragma once
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "inline.h"

namespace needletail::NT_ISA {

template <class V>
using BitsOf = std::conditional_t<std::is_same_v<V, float>, int32_t, decltype(V{} < V{})>;

// The polynomial is that of Cephes' expf (S. Moshier).
template <class V>
NT_INLINE V exponential(V x) {
  constexpr float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, which stands in the low bits
  x = x > 89.0f ? V{} + 89.0f : x;
  x = x < -104.0f ? V{} - 104.0f : x;
  const V t = x * 1.44269504088896341f + magic, n = t - magic;
  const V r = x - n * 0.693359375f - n * -2.12194440e-4f;
  V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const V e = p * (r * r) + r + 1.0f;
  // 2^n in two factors, each of which is a normal number.
  const BitsOf<V> power = std::bit_cast<BitsOf<V>>(t) - std::bit_cast<int32_t>(magic), half = power >> 1;
  const auto factor = [](BitsOf<V> k) { return std::bit_cast<V>((k + 127) << 23); };
  return e * factor(half) * factor(power - half);
}

// With the sign of another.
template <class V>
NT_INLINE V withSign(V magnitude, V sign) {
  constexpr int32_t kSign = std::numeric_limits<int32_t>::min();
  return std::bit_cast<V>((std::bit_cast<BitsOf<V>>(magnitude) & ~kSign) | (std::bit_cast<BitsOf<V>>(sign) & kSign));
}
template <class V>
NT_INLINE V magnitudeOf(V x) {
  return withSign(x, V{});
}

// The polynomial is that of Cephes' tanhf.
template <class V>
NT_INLINE V hyperbolicTangent(V x) {
  const V a = magnitudeOf(x), s = x * x;
  V p = s * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * s - 5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s - 3.33332819422e-1f;
  const V near = p * s * x + x, far = 1.0f - 2.0f / (exponential(a + a) + 1.0f);
  return withSign(a > 0.625f ? far : near, x);
}

// The polynomials are N. Juffa's.
template <class V>
NT_INLINE V errorFunction(V x) {
  const V a = magnitudeOf(x), s = x * x;
  V r = (a * -1.72853470e-5f + 3.83197126e-4f) * s + (a * -3.88396438e-3f + 2.42546219e-2f);
  r = r * a - 1.06777877e-1f;
  r = r * a - 6.34846687e-1f;
  r = r * a - 1.28717512e-1f;
  r = r * a - a;
  V p = s * -5.96761703e-4f + 4.99119423e-3f;
  p = p * s - 2.67681349e-2f;
  p = p * s + 1.12819925e-1f;
  p = p * s - 3.76125336e-1f;
  p = p * s + 1.28379166e-1f;
  return a > 0.927734375f ? withSign(1.0f - exponential(r), x) : p * x + x;
}

// The natural logarithm; the polynomial is that of Cephes' logf.
template <class V>
NT_INLINE V logarithm(V x) {
  // A number below the normal ones is made one.
  const auto small = x < std::numeric_limits<float>::min();
  const V scaled = small ? x * 8388608.0f : x;
  const BitsOf<V> bits = std::bit_cast<BitsOf<V>>(magnitudeOf(scaled));  // of a negative number nothing is used
  // x = m * 2^e with m in [sqrt(1/2), sqrt(2)).
  const BitsOf<V> above = (bits - 0x3f3504f3) >> 23;
  const V m = std::bit_cast<V>(bits - (above << 23)) - 1.0f;
  V e{};
  if constexpr (std::is_same_v<V, float>)
    e = static_cast<float>(above);
  else
    e = __builtin_convertvector(above, V);
  e = small ? e - 23.0f : e;
  V p = m * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  const V s = m * m;
  V y = p * m * s + e * -2.12194440e-4f - s * 0.5f;
  y = m + y + e * 0.693359375f;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  y = x < kInfinity ? y : x;  // infinity, and a NaN
  y = x == 0.0f ? V{} - kInfinity : y;
  return x < 0.0f ? V{} + std::numeric_limits<float>::quiet_NaN() : y;
}

}  // namespace needletail::NT_ISA
