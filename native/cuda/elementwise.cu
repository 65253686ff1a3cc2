// The elementwise rows of elementwise.def, with broadcasting.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/strided.h"
#include "ops/elementwise_math.h"
#include "ops/elementwise_rows.h"

namespace needletail::cuda {

namespace {

// Which types a row's dtypes ask for.
struct floats {
  template <class T>
  static constexpr bool has = std::is_same_v<T, float>;
};
struct numbers {
  template <class T>
  static constexpr bool has = true;
};
using any = numbers;
struct bools {
  template <class T>
  static constexpr bool has = std::is_same_v<T, uint8_t>;
};

// Each row as a type: how many operands it takes, and its value. The types have names of their own, so that an
// expression that calls `exp` means the function.
namespace rows {
#define VALUE(expression) static_cast<R>(Number<T>(expression).v)
#define UNARY(name, dtypes, value, derivative, doc)                           \
  struct name##_value {                                                       \
    using Types = dtypes;                                                     \
    static constexpr int arity = 1;                                           \
    template <class R, class T>                                               \
    static NT_INLINE R apply(const Number<T>* in, Number<T> p, Number<T> q) { \
      const Number<T> x = in[0];                                              \
      return (void)p, (void)q, VALUE(value);                                  \
    }                                                                         \
  };                                                                          \
  struct name##_gradient {                                                    \
    using Types = floats;                                                     \
    static constexpr int arity = 3;                                           \
    template <class R, class T>                                               \
    static NT_INLINE R apply(const Number<T>* in, Number<T> p, Number<T> q) { \
      const Number<T> x = in[0], y = in[1], g = in[2];                        \
      return (void)x, (void)y, (void)g, (void)p, (void)q, VALUE(derivative);  \
    }                                                                         \
  };
#define DERIVATIVE(name, derivative)                                      \
  struct name {                                                           \
    using Types = floats;                                                 \
    static constexpr int arity = 4;                                       \
    template <class R, class T>                                           \
    static NT_INLINE R apply(const Number<T>* in, Number<T>, Number<T>) { \
      const Number<T> a = in[0], b = in[1], y = in[2], g = in[3];         \
      return (void)a, (void)b, (void)y, (void)g, VALUE(derivative);       \
    }                                                                     \
  };
#define BINARY(name, dtypes, value, derivativeA, derivativeB, doc) \
  COMPARE(name, dtypes, value, doc)                                \
  DERIVATIVE(name##_gradientA, derivativeA)                        \
  DERIVATIVE(name##_gradientB, derivativeB)
#define TEST(name, dtypes, value, doc)                                    \
  struct name##_value {                                                   \
    using Types = dtypes;                                                 \
    static constexpr int arity = 1;                                       \
    template <class R, class T>                                           \
    static NT_INLINE R apply(const Number<T>* in, Number<T>, Number<T>) { \
      const Number<T> x = in[0];                                          \
      return VALUE(value);                                                \
    }                                                                     \
  };
#define COMPARE(name, dtypes, value, doc)                                 \
  struct name##_value {                                                   \
    using Types = dtypes;                                                 \
    static constexpr int arity = 2;                                       \
    template <class R, class T>                                           \
    static NT_INLINE R apply(const Number<T>* in, Number<T>, Number<T>) { \
      const Number<T> a = in[0], b = in[1];                               \
      return VALUE(value);                                                \
    }                                                                     \
  };
#include "ops/elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
#undef DERIVATIVE
#undef VALUE

struct where {
  using Types = numbers;
  static constexpr int arity = 3;
};
}  // namespace rows

struct Operand {
  enum Kind : uint8_t { full, single, number, spread } kind = full;
  DType dtype = DType::float32;
  double value = 0;  // of a number
};

template <int N>
struct Operands {
  const void* data[N];
  Operand of[N];
  Walk<N> walk;
  bool spread;  // some operand is broadcast along part of the axes

  template <class T>
  NT_INLINE T get(int k, int64_t i, const int64_t* at) const {
    switch (of[k].kind) {
      case Operand::number: return static_cast<T>(of[k].value);
      case Operand::single: return load<T>(data[k], of[k].dtype, 0);
      case Operand::spread: return load<T>(data[k], of[k].dtype, at[k]);
      default: return load<T>(data[k], of[k].dtype, i);
    }
  }
};

template <class Row, class T, class R>
struct Body {
  static constexpr int N = Row::arity;
  Operands<N> in;
  void* out;
  DType outType;
  T p, q;

  NT_INLINE void operator()(int64_t i) const {
    int64_t at[N] = {};
    if (in.spread) in.walk.find(i, at);
    if constexpr (std::is_same_v<Row, rows::where>) {
      const bool yes = in.template get<uint8_t>(0, i, at);
      store<R>(out, outType, i, in.template get<T>(yes ? 1 : 2, i, at));
    } else {
      Number<T> x[N];
      for (int k = 0; k < N; k++) x[k] = in.template get<T>(k, i, at);
      store<R>(out, outType, i, Row::template apply<R>(x, Number<T>(p), Number<T>(q)));
    }
  }
};

template <class Row, class T, class R>
struct ElementwiseRun final : Prepared {
  Body<Row, T, R> body;
  int64_t n;
  void run(Stream& stream, void* const* buffers) override {
    Body<Row, T, R> with = body;
    int used = 0;
    for (int k = 0; k < Row::arity; k++) {
      with.in.data[k] = with.in.of[k].kind == Operand::number ? nullptr : buffers[used++];
    }
    with.out = buffers[used];
    each(stream, n, with);
  }
};

template <class Row, class T, class R>
std::unique_ptr<Prepared> prepareRow(const Call& call, const Elementwise& params) {
  constexpr int N = Row::arity;
  if constexpr (!Row::Types::template has<T>) {
    return nullptr;
  } else {
    auto run = std::make_unique<ElementwiseRun<Row, T, R>>();
    const Spec& out = call.out[0];
    run->n = out.elements();
    auto& body = run->body;
    body.outType = out.dtype;
    // A number that the type can't hold has no meaning in it; those of the row (a slope, a bound) are floats or fit.
    body.p = static_cast<T>(params.p);
    body.q = static_cast<T>(params.q);
    const Spec* specs[N] = {};
    int used = 0;
    for (int k = 0; k < N; k++) {
      Operand& operand = body.in.of[k];
      if (params.immediates >> k & 1) {
        operand = {Operand::number, out.dtype, params.values[k]};
        continue;
      }
      specs[k] = &call.in[used++];
      const int64_t elements = specs[k]->elements();
      operand.dtype = specs[k]->dtype;
      operand.kind = elements == run->n ? Operand::full : elements == 1 ? Operand::single : Operand::spread;
      body.in.spread = body.in.spread || operand.kind == Operand::spread;
    }
    for (int d = 0; d < out.shape.rank(); d++) {
      int64_t steps[N] = {};
      for (int k = 0; k < N; k++) {
        if (!specs[k] || body.in.of[k].kind != Operand::spread) continue;
        const Shape& shape = specs[k]->shape;
        const int axis = d - (out.shape.rank() - shape.rank());
        if (axis >= 0 && shape[axis] != 1) steps[k] = shape.product(axis + 1, shape.rank());
      }
      body.in.walk.axis(out.shape[d], steps);
    }
    return run;
  }
}

template <class T>
std::unique_ptr<Prepared> prepareAs(const Call& call, const Elementwise& params) {
  switch (static_cast<Row>(params.row)) {
#define UNARY(name, dtypes, value, derivative, doc)                          \
  case Row::name: return prepareRow<rows::name##_value, T, T>(call, params); \
  case Row::name##_gradient: return prepareRow<rows::name##_gradient, T, T>(call, params);
#define BINARY(name, dtypes, value, derivativeA, derivativeB, doc)                           \
  case Row::name: return prepareRow<rows::name##_value, T, T>(call, params);                 \
  case Row::name##_gradientA: return prepareRow<rows::name##_gradientA, T, T>(call, params); \
  case Row::name##_gradientB: return prepareRow<rows::name##_gradientB, T, T>(call, params);
#define TEST(name, dtypes, value, doc) \
  case Row::name: return prepareRow<rows::name##_value, T, uint8_t>(call, params);
#define COMPARE(name, dtypes, value, doc) \
  case Row::name: return prepareRow<rows::name##_value, T, uint8_t>(call, params);
#include "ops/elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
    case Row::where: return prepareRow<rows::where, T, T>(call, params);
    case Row::rows: break;
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<Prepared> prepareElementwise(const Call& call) {
  const auto params = read<Elementwise>(call.params);
  const bool where = params.row == static_cast<int>(Row::where);
  const DType type = where || call.in.empty() ? call.out[0].dtype : call.in[call.in.size() - 1].dtype;
  return dispatchCompute(type, [&](auto tag) { return prepareAs<typename decltype(tag)::type>(call, params); });
}

}  // namespace needletail::cuda
