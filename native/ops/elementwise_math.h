// What the expressions of elementwise.def may use, over numbers: T is float, int32_t, int64_t or uint8_t.
// `Number` lets a literal such as 0.5 take the type of its partner. Compiled by the host's compiler and by nvcc.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "inline.h"
#if defined(NT_ISA)
#include "ops/elementwise_functions.h"
#endif

namespace needletail {
#if defined(NT_ISA)
namespace NT_ISA {
#endif

template <class T>
struct Number {
  T v;
  Number() = default;
  template <class U, class = std::enable_if_t<std::is_arithmetic_v<U>>>
  NT_INLINE Number(U u) : v(static_cast<T>(u)) {}

  NT_INLINE friend Number operator-(Number a) { return static_cast<T>(-a.v); }
  NT_INLINE friend Number operator+(Number a, Number b) { return static_cast<T>(a.v + b.v); }
  NT_INLINE friend Number operator-(Number a, Number b) { return static_cast<T>(a.v - b.v); }
  NT_INLINE friend Number operator*(Number a, Number b) { return static_cast<T>(a.v * b.v); }
  NT_INLINE friend Number operator/(Number a, Number b) { return static_cast<T>(a.v / b.v); }
  NT_INLINE friend bool operator<(Number a, Number b) { return a.v < b.v; }
  NT_INLINE friend bool operator<=(Number a, Number b) { return a.v <= b.v; }
  NT_INLINE friend bool operator>(Number a, Number b) { return a.v > b.v; }
  NT_INLINE friend bool operator>=(Number a, Number b) { return a.v >= b.v; }
  NT_INLINE friend bool operator==(Number a, Number b) { return a.v == b.v; }
  NT_INLINE friend bool operator!=(Number a, Number b) { return a.v != b.v; }
  NT_INLINE friend bool operator&&(Number a, Number b) { return (a.v != 0) & (b.v != 0); }
  NT_INLINE friend bool operator||(Number a, Number b) { return (a.v != 0) | (b.v != 0); }

  NT_INLINE friend Number select(bool c, Number a, Number b) { return c ? a.v : b.v; }
  // A NaN on either side comes through.
  NT_INLINE friend Number maximum(Number a, Number b) { return (a.v > b.v) | (a.v != a.v) ? a.v : b.v; }
  NT_INLINE friend Number minimum(Number a, Number b) { return (a.v < b.v) | (a.v != a.v) ? a.v : b.v; }
  NT_INLINE friend Number absolute(Number a) {
    if constexpr (std::is_floating_point_v<T>)
      return std::fabs(a.v);
    else if constexpr (std::is_unsigned_v<T>)
      return a.v;
    else
      return a.v < 0 ? static_cast<T>(-a.v) : a.v;
  }
  NT_INLINE friend Number sign(Number a) {
    return static_cast<T>((a.v > 0) - (a.v < 0));
  }  // 0 for a NaN, as in PyTorch
  NT_INLINE friend Number floorDivide(Number a, Number b) {
    if constexpr (std::is_floating_point_v<T>) {
      return std::floor(a.v / b.v);
    } else {
      if (b.v == 0) return 0;
      if constexpr (std::is_signed_v<T>) {
        if (b.v == -1) return static_cast<T>(-a.v);  // the smallest integer has no positive: it wraps
      }
      const T q = a.v / b.v;
      return static_cast<T>(q - ((a.v % b.v != 0) & ((a.v < 0) != (b.v < 0))));
    }
  }
  NT_INLINE friend Number remainderOf(Number a, Number b) {
    if constexpr (std::is_floating_point_v<T>) {
      const T r = std::fmod(a.v, b.v);
      return r != 0 && (r < 0) != (b.v < 0) ? r + b.v : r;
    } else {
      if (b.v == 0) return 0;
      return a - b * floorDivide(a, b);
    }
  }
#define NT_FUNCTION(name) \
  NT_INLINE friend Number name(Number a) { return std::name(a.v); }
#if defined(NT_ISA)
#define NT_VECTOR_FUNCTION(name, function)     \
  NT_INLINE friend Number name(Number a) {     \
    if constexpr (std::is_floating_point_v<T>) \
      return function<T>(a.v);                 \
    else                                       \
      return std::name(a.v);                   \
  }
#else
#define NT_VECTOR_FUNCTION(name, function) NT_FUNCTION(name)
#endif
  // clang-format off
  NT_VECTOR_FUNCTION(exp, exponential)
  NT_VECTOR_FUNCTION(log, logarithm)
  NT_VECTOR_FUNCTION(tanh, hyperbolicTangent)
  NT_VECTOR_FUNCTION(erf, errorFunction)
  NT_FUNCTION(sqrt)
  NT_FUNCTION(expm1)
  NT_FUNCTION(log1p)
  NT_FUNCTION(log2)
  NT_FUNCTION(sin)
  NT_FUNCTION(cos)
  NT_FUNCTION(tan)
  NT_FUNCTION(atan)
  NT_FUNCTION(floor)
  NT_FUNCTION(ceil)
  NT_FUNCTION(rint)
  // clang-format on
#undef NT_VECTOR_FUNCTION
#undef NT_FUNCTION
  NT_INLINE friend Number pow(Number a, Number b) { return std::pow(a.v, b.v); }
  NT_INLINE friend Number atan2(Number a, Number b) { return std::atan2(a.v, b.v); }
  // Rows that other rows' derivatives use.
  NT_INLINE friend Number sigmoid(Number a) { return 1 / (1 + exp(-a)); }
  NT_INLINE friend Number floorDiv(Number a, Number b) { return floorDivide(a, b); }
};

#if defined(NT_ISA)
}
#endif
}  // namespace needletail
