#include "cpu/isa/elementwise.h"

#include "ops/elementwise_math.h"
#include "ops/elementwise_rows.h"

namespace needletail::NT_ISA {

namespace {

// Loads and stores go through plain arrays so that the loops vectorise; a result may overwrite an operand in place.
template <class T, class R, class F>
void loop1(int64_t n, const void* const* in, void* out, double p, double q, F f) {
  const T* x = static_cast<const T*>(in[0]);
  R* y = static_cast<R*>(out);
  const Number<T> P(p), Q(q);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) y[i] = static_cast<R>(Number<T>(f(Number<T>(x[i]), P, Q)).v);
}
template <class T, class R, class F>
void loop2(int64_t n, const void* const* in, void* out, F f) {
  const T* a = static_cast<const T*>(in[0]);
  const T* b = static_cast<const T*>(in[1]);
  R* y = static_cast<R*>(out);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) y[i] = static_cast<R>(Number<T>(f(Number<T>(a[i]), Number<T>(b[i]))).v);
}
template <class F>
void loopUnaryGradient(int64_t n, const void* const* in, void* out, double p, double q, F f) {
  const float* x = static_cast<const float*>(in[0]);
  const float* y = static_cast<const float*>(in[1]);
  const float* g = static_cast<const float*>(in[2]);
  float* d = static_cast<float*>(out);
  using N = Number<float>;
  const N P(p), Q(q);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) d[i] = N(f(N(x[i]), N(y[i]), N(g[i]), P, Q)).v;
}
template <class F>
void loopBinaryGradient(int64_t n, const void* const* in, void* out, F f) {
  const float* a = static_cast<const float*>(in[0]);
  const float* b = static_cast<const float*>(in[1]);
  const float* y = static_cast<const float*>(in[2]);
  const float* g = static_cast<const float*>(in[3]);
  float* d = static_cast<float*>(out);
  using N = Number<float>;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) d[i] = N(f(N(a[i]), N(b[i]), N(y[i]), N(g[i]))).v;
}
template <class T>
void loopWhere(int64_t n, const void* const* in, void* out, double, double) {
  const uint8_t* c = static_cast<const uint8_t*>(in[0]);
  const T* a = static_cast<const T*>(in[1]);
  const T* b = static_cast<const T*>(in[2]);
  T* y = static_cast<T*>(out);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) y[i] = c[i] ? a[i] : b[i];
}

// Which types a row's dtypes ask for.
struct floats {
  template <class T>
  static constexpr bool has = std::is_same_v<T, float>;
};
struct numbers {
  template <class T>
  static constexpr bool has = true;
};
struct any {
  template <class T>
  static constexpr bool has = true;
};
struct bools {
  template <class T>
  static constexpr bool has = std::is_same_v<T, uint8_t>;
};

template <class T>
RowFunction rowOf(int row) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
  switch (static_cast<Row>(row)) {
#define UNARY(name, dtypes, value, derivative, doc)                                                             \
  case Row::name:                                                                                               \
    if constexpr (dtypes::has<T>) {                                                                             \
      return [](int64_t n, const void* const* in, void* out, double P, double Q) {                              \
        loop1<T, T>(n, in, out, P, Q, [](auto x, auto p, auto q) { return value; });                            \
      };                                                                                                        \
    }                                                                                                           \
    return nullptr;                                                                                             \
  case Row::name##_gradient:                                                                                    \
    if constexpr (std::is_same_v<T, float>) {                                                                   \
      return [](int64_t n, const void* const* in, void* out, double P, double Q) {                              \
        loopUnaryGradient(n, in, out, P, Q, [](auto x, auto y, auto g, auto p, auto q) { return derivative; }); \
      };                                                                                                        \
    }                                                                                                           \
    return nullptr;
#define BINARY(name, dtypes, value, derivativeA, derivativeB, doc)                                  \
  case Row::name:                                                                                   \
    if constexpr (dtypes::has<T>) {                                                                 \
      return [](int64_t n, const void* const* in, void* out, double, double) {                      \
        loop2<T, T>(n, in, out, [](auto a, auto b) { return value; });                              \
      };                                                                                            \
    }                                                                                               \
    return nullptr;                                                                                 \
  case Row::name##_gradientA:                                                                       \
    if constexpr (std::is_same_v<T, float>) {                                                       \
      return [](int64_t n, const void* const* in, void* out, double, double) {                      \
        loopBinaryGradient(n, in, out, [](auto a, auto b, auto y, auto g) { return derivativeA; }); \
      };                                                                                            \
    }                                                                                               \
    return nullptr;                                                                                 \
  case Row::name##_gradientB:                                                                       \
    if constexpr (std::is_same_v<T, float>) {                                                       \
      return [](int64_t n, const void* const* in, void* out, double, double) {                      \
        loopBinaryGradient(n, in, out, [](auto a, auto b, auto y, auto g) { return derivativeB; }); \
      };                                                                                            \
    }                                                                                               \
    return nullptr;
#define TEST(name, dtypes, value, doc)                                                 \
  case Row::name:                                                                      \
    if constexpr (dtypes::has<T>) {                                                    \
      return [](int64_t n, const void* const* in, void* out, double, double) {         \
        loop1<T, uint8_t>(n, in, out, 0, 0, [](auto x, auto, auto) { return value; }); \
      };                                                                               \
    }                                                                                  \
    return nullptr;
#define COMPARE(name, dtypes, value, doc)                                      \
  case Row::name:                                                              \
    if constexpr (dtypes::has<T>) {                                            \
      return [](int64_t n, const void* const* in, void* out, double, double) { \
        loop2<T, uint8_t>(n, in, out, [](auto a, auto b) { return value; });   \
      };                                                                       \
    }                                                                          \
    return nullptr;
#include "ops/elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
    case Row::where: return loopWhere<T>;
    case Row::rows: break;
  }
#pragma GCC diagnostic pop
  return nullptr;
}

}  // namespace

RowFunction elementwiseRow(int row, Column column) {
  switch (column) {
    case kFloat: return rowOf<float>(row);
    case kInt32: return rowOf<int32_t>(row);
    case kInt64: return rowOf<int64_t>(row);
    case kUint8: return rowOf<uint8_t>(row);
    default: return nullptr;
  }
}

}  // namespace needletail::NT_ISA
