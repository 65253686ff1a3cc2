// The elementwise rows of elementwise.def, with broadcasting. A thread takes as many neighbours as fill 16 bytes.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/strided.h"
#include "geometry.h"
#include "ops/elementwise_math.h"
#include "ops/elementwise_rows.h"

namespace needletail::cuda {

namespace {

// --- the rows

// Which types a row's dtypes ask for.
struct floats {
  template <class T>
  static constexpr bool has() {
    return std::is_same_v<T, float>;
  }
};
struct numbers {
  template <class T>
  static constexpr bool has() {
    return true;
  }
};
using any = numbers;
struct bools {
  template <class T>
  static constexpr bool has() {
    return std::is_same_v<T, uint8_t>;
  }
};

// y = the row's value of n operands each; one kernel has all rows of as many operands and the same types, as a kernel
// for each row would be ten times the code. The row is the same for all threads, and is asked for once in n elements.
template <int N, class T, class R, int V>
NT_INLINE void compute(Row row, const T (&in)[N][V], R (&out)[V], T p_, T q_) {
  using Value = Number<T>;
  [[maybe_unused]] const Value p(p_), q(q_);
  constexpr bool isFloat = std::is_same_v<T, float>, isSame = std::is_same_v<R, T>, isBool = std::is_same_v<R, uint8_t>;
#define NT_ROW(label, when, operands, expression)     \
  case Row::label:                                    \
    if constexpr (when) {                             \
      NT_UNROLL                                       \
      for (int e = 0; e < V; e++) {                   \
        operands;                                     \
        out[e] = static_cast<R>(Value(expression).v); \
      }                                               \
    }                                                 \
    break;
#define NT_X [[maybe_unused]] const Value x(in[0][e])
#define NT_AB [[maybe_unused]] const Value a(in[0][e]), b(in[1][e])
#define NT_YG(k) [[maybe_unused]] const Value y(in[k][e]), g(in[k + 1][e])
#define UNARY(name, dtypes, value, derivative, doc)               \
  NT_ROW(name, N == 1 && isSame && dtypes::has<T>(), NT_X, value) \
  NT_ROW(name##_gradient, N == 3 && isSame && isFloat, NT_X; NT_YG(1), derivative)
#define BINARY(name, dtypes, value, derivativeA, derivativeB, doc)                    \
  NT_ROW(name, N == 2 && isSame && dtypes::has<T>(), NT_AB, value)                    \
  NT_ROW(name##_gradientA, N == 4 && isSame && isFloat, NT_AB; NT_YG(2), derivativeA) \
  NT_ROW(name##_gradientB, N == 4 && isSame && isFloat, NT_AB; NT_YG(2), derivativeB)
#define TEST(name, dtypes, value, doc) NT_ROW(name, N == 1 && isBool && dtypes::has<T>(), NT_X, value)
#define COMPARE(name, dtypes, value, doc) NT_ROW(name, N == 2 && isBool && dtypes::has<T>(), NT_AB, value)
  switch (row) {
#include "ops/elementwise.def"
    default: break;
  }
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
#undef NT_YG
#undef NT_AB
#undef NT_X
#undef NT_ROW
}

// How many operands a row takes; 0: it has no value of type T.
template <class T>
int arityOf(Row row) {
  switch (row) {
#define UNARY(name, dtypes, value, derivative, doc) \
  case Row::name: return dtypes::has<T>() ? 1 : 0;  \
  case Row::name##_gradient: return floats::has<T>() ? 3 : 0;
#define BINARY(name, dtypes, value, derivativeA, derivativeB, doc) \
  case Row::name: return dtypes::has<T>() ? 2 : 0;                 \
  case Row::name##_gradientA:                                      \
  case Row::name##_gradientB: return floats::has<T>() ? 4 : 0;
#define TEST(name, dtypes, value, doc) \
  case Row::name: return dtypes::has<T>() ? 1 : 0;
#define COMPARE(name, dtypes, value, doc) \
  case Row::name: return dtypes::has<T>() ? 2 : 0;
#include "ops/elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
    default: return 0;
  }
}

// --- the operands

struct Operand {
  enum Kind : uint8_t { full, single, number, spread } kind = full;
  double value = 0;  // of a number
};

template <int N>
struct Layout {
  int64_t n;
  Operand of[N];
  Walk<N> walk;
  bool spread = false;  // some operand is broadcast along part of the axes
  bool inRows = false;  // ... and neighbours that a thread takes always lie in one row of the walk

  Layout(const Call& call, const Elementwise& params, int vector) : n(call.out[0].elements()) {
    const Shape& out = call.out[0].shape;
    const Spec* specs[N] = {};
    int used = 0;
    for (int k = 0; k < N; k++) {
      if (params.immediates >> k & 1) {
        of[k] = {Operand::number, params.values[k]};
        continue;
      }
      specs[k] = &call.in[used++];
      const int64_t elements = specs[k]->elements();
      of[k].kind = elements == n ? Operand::full : elements == 1 ? Operand::single : Operand::spread;
      spread = spread || of[k].kind == Operand::spread;
    }
    for (int d = 0; d < out.rank(); d++) {
      int64_t steps[N] = {};
      for (int k = 0; k < N; k++) {
        if (!specs[k] || of[k].kind != Operand::spread) continue;
        const Shape& shape = specs[k]->shape;
        const int axis = d - (out.rank() - shape.rank());
        if (axis >= 0 && shape[axis] != 1) steps[k] = shape.product(axis + 1, shape.rank());
      }
      walk.axis(out[d], steps);
    }
    inRows = walk.rank > 0 && walk.size[walk.rank - 1] % vector == 0;
  }

  // Whether each thread's neighbours lie side by side, or repeat, in every operand.
  NT_INLINE bool together() const { return !spread || inRows; }

  // Elements i to i + V of operand k; at: where the walk is at i.
  template <class T, class S, int V>
  NT_INLINE void load(T (&to)[V], int k, const void* from, int64_t i, const int64_t (&at)[N]) const {
    const S* data = static_cast<const S*>(from);
    const Operand::Kind kind = of[k].kind;
    const int64_t step = kind == Operand::spread && V > 1 ? walk.stride[k][walk.rank - 1] : 1;
    const int64_t first = kind == Operand::spread ? at[k] : i;
    if (kind == Operand::number || kind == Operand::single) {
      const T value = kind == Operand::number ? static_cast<T>(of[k].value) : static_cast<T>(data[0]);
      NT_UNROLL
      for (int e = 0; e < V; e++) to[e] = value;
    } else if (step == 1) {
      const Pack<S, V> pack = loadPack<V>(data + first);
      NT_UNROLL
      for (int e = 0; e < V; e++) to[e] = static_cast<T>(pack.of[e]);
    } else {
      NT_UNROLL
      for (int e = 0; e < V; e++) to[e] = static_cast<T>(data[first + e * step]);
    }
  }
};

template <class S, int V, class R>
NT_INLINE void put(void* to, const R (&from)[V], int64_t i) {
  Pack<S, V> pack;
  NT_UNROLL
  for (int e = 0; e < V; e++) pack.of[e] = static_cast<S>(from[e]);
  storePack(static_cast<S*>(to) + i, pack);
}

// --- the kernels

// S: as numbers are stored; T: as they are computed with; Q, R: the same of the result.
template <int N, class S, class T, class Q, class R>
struct RowBody {
  static constexpr int V = kVector<S>;
  Layout<N> layout;
  Row row;
  T p, q;
  const void* in[N];
  void* out;
  template <int V>
  NT_INLINE void some(int64_t i) const {
    int64_t at[N] = {};
    if (layout.spread) layout.walk.find(i, at);
    T x[N][V];
    NT_UNROLL
    for (int k = 0; k < N; k++) layout.template load<T, S>(x[k], k, in[k], i, at);
    R y[V] = {};
    compute(row, x, y, p, q);
    put<Q>(out, y, i);
  }
};

template <class S>
struct WhereBody {
  static constexpr int V = kVector<S>;
  Layout<3> layout;
  const void* in[3];
  void* out;
  template <int V>
  NT_INLINE void some(int64_t i) const {
    int64_t at[3] = {};
    if (layout.spread) layout.walk.find(i, at);
    uint8_t yes[V];
    S a[V], b[V];
    layout.template load<uint8_t, uint8_t>(yes, 0, in[0], i, at);
    layout.template load<S, S>(a, 1, in[1], i, at);
    layout.template load<S, S>(b, 2, in[2], i, at);
    NT_UNROLL
    for (int e = 0; e < V; e++) a[e] = yes[e] ? a[e] : b[e];
    put<S>(out, a, i);
  }
};

// A thread's elements: at once where they lie together, else (and at the end) one by one.
template <class Body>
struct Groups {
  Body body;
  NT_INLINE void operator()(int64_t group) const {
    constexpr int V = Body::V;
    const int64_t i = group * V, n = body.layout.n;
    if (i + V <= n && body.layout.together()) return body.template some<V>(i);
    for (int64_t e = i; e < i + V && e < n; e++) body.template some<1>(e);
  }
};

template <int N, class Body>
struct ElementwiseRun final : Prepared {
  Body body;
  explicit ElementwiseRun(const Body& made) : body(made) {}
  void run(Stream& stream, void* const* buffers) override {
    Groups<Body> groups{body};
    int used = 0;
    for (int k = 0; k < N; k++) {
      groups.body.in[k] = body.layout.of[k].kind == Operand::number ? nullptr : buffers[used++];
    }
    groups.body.out = buffers[used];
    each(stream, (body.layout.n + Body::V - 1) / Body::V, groups);
  }
};

// --- several rows of floats over whole tensors, of which one reads what another makes

constexpr int kTogether = 4;  // neighbours that a thread takes
// A row is chosen, and its operands fetched, one after the other: on an H100 that takes longer than launches of their
// own but where there is next to nothing to do, as in a metric or a learning rate.
constexpr int64_t kMostElements = 1024;

struct RunOperand {
  enum Kind : uint8_t { full, single, number, result } kind;
  DType dtype;
  int16_t from;  // which buffer, or which part's result
  float value;  // of a number
};
struct RunPart {
  Row row;
  int operands;
  RunOperand of[kMaxOperands];
  float p, q;
  DType dtype;  // of its result, which is rounded to it for whoever reads it, as it would be in memory
  int output;  // the buffer that it goes to; -1: none
};

struct RunBody {
  static constexpr int kMost = ElementwiseParts::kMost, kBuffers = kMost * (kMaxOperands + 1);
  int64_t n;
  int count;
  RunPart parts[kMost];
  void* buffers[kBuffers];

  NT_INLINE void operator()(int64_t group) const {
    const int64_t i = group * kTogether;
    float results[kMost][kTogether];
    for (int k = 0; k < count; k++) {
      const RunPart& part = parts[k];
      switch (part.operands) {
        case 1: make<1>(part, i, results, results[k]); break;
        case 2: make<2>(part, i, results, results[k]); break;
        case 3: make<3>(part, i, results, results[k]); break;
        case 4: make<4>(part, i, results, results[k]); break;
      }
    }
  }
  template <int N>
  NT_INLINE void make(const RunPart& part, int64_t i, const float (&results)[kMost][kTogether],
                      float (&made)[kTogether]) const {
    float x[N][kTogether], y[kTogether] = {};
    NT_UNROLL
    for (int k = 0; k < N; k++) take(part.of[k], i, results, x[k]);
    compute(part.row, x, y, part.p, part.q);
    NT_UNROLL
    for (int e = 0; e < kTogether; e++) made[e] = rounded(part.dtype, y[e]);
    if (part.output < 0) return;
    void* out = buffers[part.output];
    if (i + kTogether <= n) return storeFloats(out, part.dtype, i, made);
    for (int e = 0; i + e < n; e++) store<float>(out, part.dtype, i + e, made[e]);
  }
  NT_INLINE void take(const RunOperand& operand, int64_t i, const float (&results)[kMost][kTogether],
                      float (&to)[kTogether]) const {
    const bool isWhole = operand.kind == RunOperand::full;
    const void* from = isWhole || operand.kind == RunOperand::single ? buffers[operand.from] : nullptr;
    if (isWhole && i + kTogether <= n) return loadFloats(from, operand.dtype, i, to);
    NT_UNROLL
    for (int e = 0; e < kTogether; e++) {
      if (operand.kind == RunOperand::result)
        to[e] = results[operand.from][e];
      else if (operand.kind == RunOperand::number)
        to[e] = operand.value;
      else
        to[e] = load<float>(from, operand.dtype, !isWhole ? 0 : i + e < n ? i + e : n - 1);
    }
  }
};

struct RunRun final : Prepared {
  RunBody body{};
  int used = 0;  // of the buffers
  void run(Stream& stream, void* const* buffers) override {
    RunBody own = body;
    std::copy_n(buffers, used, own.buffers);
    each(stream, (body.n + kTogether - 1) / kTogether, own);
  }
};

template <int N, class S, class T, class Q, class R>
std::unique_ptr<Prepared> make(const Call& call, const Elementwise& params) {
  using Body = RowBody<N, S, T, Q, R>;
  // A number that the type can't hold has no meaning in it; those of the row (a slope, a bound) are floats or fit.
  return std::make_unique<ElementwiseRun<N, Body>>(Body{Layout<N>(call, params, Body::V),
                                                        static_cast<Row>(params.row),
                                                        static_cast<T>(params.p),
                                                        static_cast<T>(params.q),
                                                        {},
                                                        {}});
}

template <class S>
std::unique_ptr<Prepared> prepareAs(const Call& call, const Elementwise& params) {
  using T = std::conditional_t<std::is_class_v<S>, float, S>;
  constexpr bool isFloat = std::is_same_v<T, float>;
  const bool truths = !std::is_same_v<S, uint8_t> && call.out[0].dtype == DType::boolean;
  switch (arityOf<T>(static_cast<Row>(params.row))) {
    case 1:
      if constexpr (isFloat) {
        if (truths) return make<1, S, T, uint8_t, uint8_t>(call, params);
      }
      return make<1, S, T, S, T>(call, params);
    case 2: return truths ? make<2, S, T, uint8_t, uint8_t>(call, params) : make<2, S, T, S, T>(call, params);
    case 3:
      if constexpr (isFloat) return make<3, S, T, S, T>(call, params);
      break;
    case 4:
      if constexpr (isFloat) return make<4, S, T, S, T>(call, params);
      break;
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<Prepared> prepareElementwise(const Call& call) {
  const auto params = read<Elementwise>(call.params);
  if (static_cast<Row>(params.row) == Row::where) {
    return dispatch(call.out[0].dtype, [&](auto tag) -> std::unique_ptr<Prepared> {
      using S = typename decltype(tag)::type;
      using Body = WhereBody<S>;
      return std::make_unique<ElementwiseRun<3, Body>>(Body{Layout<3>(call, params, Body::V), {}, {}});
    });
  }
  const DType type = call.in.empty() ? call.out[0].dtype : call.in[call.in.size() - 1].dtype;
  return dispatch(type, [&](auto tag) { return prepareAs<typename decltype(tag)::type>(call, params); });
}
std::unique_ptr<Prepared> prepareElementwiseRun(const Call& call) {
  const ElementwiseParts run = partsOf(call);
  auto made = std::make_unique<RunRun>();
  RunBody& body = made->body;
  body.n = call.out[0].elements();
  if (body.n > kMostElements) return nullptr;
  body.count = run.count;
  int output = static_cast<int>(call.in.size());
  for (int k = 0; k < run.count; k++) {
    const ElementwiseParts::Part& from = run.parts[k];
    const auto dtype = static_cast<DType>(from.dtype);
    if (!isFloat(dtype) || arityOf<float>(static_cast<Row>(from.row)) != from.operands) return nullptr;
    RunPart& part = body.parts[k];
    part = {
        static_cast<Row>(from.row), from.operands, {}, static_cast<float>(from.p), static_cast<float>(from.q), dtype,
        from.kept ? output++ : -1};
    for (int i = 0; i < from.operands; i++) {
      const int source = from.from[i];
      if (from.immediates >> i & 1) {
        part.of[i] = {RunOperand::number, DType::float32, 0, static_cast<float>(from.values[i])};
      } else if (source < 0) {
        part.of[i] = {RunOperand::result, DType::float32, static_cast<int16_t>(-1 - source), 0};
      } else {
        const Spec& spec = call.in[source];
        const bool isWhole = spec.elements() == body.n;
        if (!isFloat(spec.dtype) || (!isWhole && spec.elements() != 1)) return nullptr;  // broadcast: each by itself
        part.of[i] = {isWhole ? RunOperand::full : RunOperand::single, spec.dtype, static_cast<int16_t>(source), 0};
      }
    }
  }
  made->used = output;
  return output <= RunBody::kBuffers ? std::move(made) : nullptr;
}

}  // namespace needletail::cuda
