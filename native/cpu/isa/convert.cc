#include "cpu/isa/convert.h"

#include <limits>
#include <type_traits>

#include "cpu/dtype.h"

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace needletail::NT_ISA {

namespace {

template <class T>
constexpr bool isHalf = std::is_class_v<T>;
template <class T>
constexpr bool isReal = std::is_class_v<T> || std::is_floating_point_v<T>;

template <class F, class T>
inline T convert(F x) {
  if constexpr (isReal<F>) {
    const float f = static_cast<float>(x);
    if constexpr (isReal<T>)
      return T(f);
    else
      return saturate<T>(f);
  } else if constexpr (isHalf<T>) {
    return T(static_cast<float>(x));
  } else {
    return static_cast<T>(x);  // integers wrap
  }
}

template <class F, class T>
void loop(const void* from, void* to, int64_t n) {
  const F* __restrict x = static_cast<const F*>(from);
  T* __restrict y = static_cast<T*>(to);
#if defined(__F16C__)
  if constexpr (std::is_same_v<F, Float16> && std::is_same_v<T, float>) {
    for (; n >= 8; n -= 8, x += 8, y += 8) {
      _mm256_storeu_ps(y, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x))));
    }
  } else if constexpr (std::is_same_v<F, float> && std::is_same_v<T, Float16>) {
    for (; n >= 8; n -= 8, x += 8, y += 8) {
      const __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(x), _MM_FROUND_TO_NEAREST_INT);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(y), half);
    }
  }
#endif
#if defined(__AVX512BF16__)
  if constexpr (std::is_same_v<F, float> && std::is_same_v<T, BFloat16>) {
    constexpr int kDenormal = 0x20;  // which the instruction takes for 0
    for (; n >= 16; n -= 16, x += 16, y += 16) {
      const __m512 v = _mm512_loadu_ps(x);
      if (_mm512_fpclass_ps_mask(v, kDenormal)) {
        for (int i = 0; i < 16; i++) y[i] = BFloat16(x[i]);
      } else {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
      }
    }
  }
#endif
  for (int64_t i = 0; i < n; i++) y[i] = convert<F, T>(x[i]);
}

template <class F>
void toBool(const void* from, void* to, int64_t n) {
  const F* x = static_cast<const F*>(from);
  uint8_t* y = static_cast<uint8_t*>(to);
  for (int64_t i = 0; i < n; i++) {
    if constexpr (isHalf<F>)
      y[i] = (x[i].bits & 0x7fff) != 0;
    else
      y[i] = x[i] != 0;
  }
}

}  // namespace

CastLoop castLoop(DType from, DType to) {
  return dispatch(from, [&](auto f) -> CastLoop {
    using F = typename decltype(f)::type;
    if (to == DType::boolean) return toBool<F>;
    return dispatch(to, [&](auto t) -> CastLoop { return loop<F, typename decltype(t)::type>; });
  });
}

}  // namespace needletail::NT_ISA
