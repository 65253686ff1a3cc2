#include "cpu/isa/convert.h"

#include <limits>
#include <type_traits>

#include "cpu/dtype.h"

namespace needletail::NT_ISA {

namespace {

template <class T>
constexpr bool isHalf = std::is_class_v<T>;
template <class T>
constexpr bool isReal = std::is_class_v<T> || std::is_floating_point_v<T>;

// Towards zero; what is too large becomes the nearest that fits, NaN becomes 0.
template <class I>
inline I saturate(float f) {
  constexpr float low = static_cast<float>(std::numeric_limits<I>::min());
  constexpr float high = static_cast<float>(std::numeric_limits<I>::max());  // rounded up where it has no float
  f = f != f ? 0 : f;
  f = f < low ? low : f;
  return f >= high ? std::numeric_limits<I>::max() : static_cast<I>(f);
}

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
  const F* x = static_cast<const F*>(from);
  T* y = static_cast<T*>(to);
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
