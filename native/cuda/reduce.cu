// Reductions. Each result is combined by the threads of one block, in an order that depends on the shapes alone; where
// there are few results of many elements, several blocks make parts that a second pass combines.
#include <limits>

#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/strided.h"
#include "ops/elementwise_math.h"

namespace needletail::cuda {

namespace {

constexpr int kColumns = 32;  // results side by side that one block makes: a warp reads neighbours
constexpr int kLanes = kThreads / kColumns;
constexpr int64_t kFewBlocks = 1024;  // below these a GPU is not full
constexpr int64_t kChunk = 4096;  // elements that are worth a block of their own

// What is combined: the type of the sums, the neutral element, the operation.
template <class A>
struct Sum {
  static NT_INLINE A identity() { return A(0); }
  NT_INLINE A operator()(A a, A b) const {
    // Integers wrap, which of signed ones is not defined.
    if constexpr (std::is_integral_v<A>)
      return static_cast<A>(static_cast<std::make_unsigned_t<A>>(a) + static_cast<std::make_unsigned_t<A>>(b));
    else
      return a + b;
  }
};
template <class A>
struct Product {
  static NT_INLINE A identity() { return A(1); }
  NT_INLINE A operator()(A a, A b) const {
    if constexpr (std::is_integral_v<A>)
      return static_cast<A>(static_cast<std::make_unsigned_t<A>>(a) * static_cast<std::make_unsigned_t<A>>(b));
    else
      return a * b;
  }
};
template <class A>
constexpr A lowest = std::is_floating_point_v<A> ? -std::numeric_limits<A>::infinity() : std::numeric_limits<A>::min();
template <class A>
constexpr A highest = std::is_floating_point_v<A> ? std::numeric_limits<A>::infinity() : std::numeric_limits<A>::max();
template <class A>
struct Maximum {
  static NT_INLINE A identity() { return lowest<A>; }
  NT_INLINE A operator()(A a, A b) const { return maximum(Number<A>(a), Number<A>(b)).v; }
};
template <class A>
struct Minimum {
  static NT_INLINE A identity() { return highest<A>; }
  NT_INLINE A operator()(A a, A b) const { return minimum(Number<A>(a), Number<A>(b)).v; }
};

// Of truths: 1 where all are.
struct AllOf {
  static NT_INLINE uint8_t identity() { return 1; }
  NT_INLINE uint8_t operator()(uint8_t a, uint8_t b) const { return a & b; }
};

// The elements of a result: `count` places from the result's own.
struct Layout {
  Walk<1> kept, reduced;
  int64_t results = 1, count = 1;
  int64_t chunks = 1;
  NT_INLINE int64_t first(int64_t result) const {
    int64_t at[1] = {0};
    kept.find(result, at);
    return at[0];
  }
  NT_INLINE int64_t place(int64_t i) const {
    int64_t at[1] = {0};
    reduced.find(i, at);
    return at[0];
  }
};

// T: what is loaded; A: what is combined. Truth: whether an element counts by being other than 0.
template <class T, class A, bool Truth>
NT_INLINE A element(const void* x, DType dtype, int64_t i) {
  const T value = load<T>(x, dtype, i);
  if constexpr (Truth)
    return static_cast<A>(value != T(0));
  else
    return static_cast<A>(value);
}

// A finished result into the tensor, or a part into scratch memory.
template <class A>
struct Sink {
  void* out;  // of `dtype`, or A where there are several chunks
  DType dtype;
  float scale;
  bool parts;
  NT_INLINE void put(int64_t i, A value) const {
    if (parts) return void(static_cast<A*>(out)[i] = value);
    if constexpr (std::is_same_v<A, float>)
      store<float>(out, dtype, i, value * scale);
    else
      static_cast<A*>(out)[i] = value;
  }
};

// One block: one chunk of one result.
template <class Op, class T, class A, bool Truth>
struct RowBody {
  Layout layout;
  const void* x;
  DType dtype;
  Sink<A> sink;
  NT_INLINE void operator()(const Block& block) const {
    const int64_t result = block.index / layout.chunks, chunk = block.index % layout.chunks;
    const int64_t begin = layout.count * chunk / layout.chunks, end = layout.count * (chunk + 1) / layout.chunks;
    const int64_t from = layout.first(result);
    Own<A> own;
    block.each([&](int t) {
      A sum = Op::identity();
      for (int64_t i = begin + t; i < end; i += kThreads) {
        sum = Op()(sum, element<T, A, Truth>(x, dtype, from + layout.place(i)));
      }
      own[t] = sum;
    });
    const A all = block.combine(own, Op::identity(), Op());
    block.each([&](int t) {
      if (t == 0) sink.put(block.index, all);
    });
  }
};

// One block: one chunk of kColumns results that lie side by side in the input.
template <class Op, class T, class A, bool Truth>
struct ColumnBody {
  Layout layout;
  const void* x;
  DType dtype;
  Sink<A> sink;
  int64_t width, bands;  // results side by side, and blocks that they take
  NT_INLINE void operator()(const Block& block) const {
    NT_SHARED(A, parts, kThreads);
    const int64_t chunk = block.index % layout.chunks, job = block.index / layout.chunks;
    const int64_t band = job % bands * kColumns, group = job / bands;
    const int64_t begin = layout.count * chunk / layout.chunks, end = layout.count * (chunk + 1) / layout.chunks;
    const int64_t from = layout.first(group * width + band);
    block.each([&](int t) {
      const int column = t % kColumns, lane = t / kColumns;
      A sum = Op::identity();
      if (band + column < width) {
        for (int64_t i = begin + lane; i < end; i += kLanes) {
          sum = Op()(sum, element<T, A, Truth>(x, dtype, from + layout.place(i) + column));
        }
      }
      parts[t] = sum;
    });
    block.each([&](int t) {
      if (t >= kColumns || band + t >= width) return;
      A sum = parts[t];
      for (int lane = 1; lane < kLanes; lane++) sum = Op()(sum, parts[lane * kColumns + t]);
      sink.put((group * width + band + t) * layout.chunks + chunk, sum);
    });
  }
};

// The parts of each result.
template <class Op, class A>
struct PartsBody {
  const A* parts;
  int64_t chunks;
  Sink<A> sink;
  NT_INLINE void operator()(int64_t result) const {
    A sum = parts[result * chunks];
    for (int64_t i = 1; i < chunks; i++) sum = Op()(sum, parts[result * chunks + i]);
    sink.put(result, sum);
  }
};

// Few elements each: a thread a result.
template <class Op, class T, class A, bool Truth>
struct SmallBody {
  Layout layout;
  const void* x;
  DType dtype;
  Sink<A> sink;
  NT_INLINE void operator()(int64_t result) const {
    const int64_t from = layout.first(result);
    A sum = Op::identity();
    for (int64_t i = 0; i < layout.count; i++) {
      sum = Op()(sum, element<T, A, Truth>(x, dtype, from + layout.place(i)));
    }
    sink.put(result, sum);
  }
};

template <class Op, class T, class A, bool Truth>
struct ReduceRun final : Prepared {
  Layout layout;
  DType in, out;
  float scale;
  int64_t width = 1;  // results side by side; 1: the innermost axis is reduced

  void plan() {
    const bool columns = byColumns();
    const int64_t jobs = columns ? layout.results / width * bands() : layout.results;
    const int64_t work = layout.count * (columns ? kColumns : 1);
    if (jobs < kFewBlocks) {
      layout.chunks =
          std::clamp<int64_t>(work / kChunk, 1, std::max<int64_t>(1, std::min(layout.count, kFewBlocks / jobs + 1)));
    }
    if (layout.chunks > 1) workspace = static_cast<size_t>(layout.results * layout.chunks) * sizeof(A);
  }
  bool isSmall() const { return layout.count < 32 && layout.chunks == 1; }
  bool byColumns() const { return width >= kColumns / 2; }
  int64_t bands() const { return (width + kColumns - 1) / kColumns; }

  void run(Stream& stream, void* const* buffers) override {
    const Sink<A> results{buffers[1], out, scale, false};
    const bool parts = layout.chunks > 1;
    const Sink<A> sink = parts ? Sink<A>{stream.workspace, out, 1, true} : results;
    const void* x = buffers[0];
    if (isSmall()) {
      each(stream, layout.results, SmallBody<Op, T, A, Truth>{layout, x, in, sink});
    } else if (byColumns()) {
      blocks(stream, layout.results / width * bands() * layout.chunks,
             ColumnBody<Op, T, A, Truth>{layout, x, in, sink, width, bands()});
    } else {
      blocks(stream, layout.results * layout.chunks, RowBody<Op, T, A, Truth>{layout, x, in, sink});
    }
    if (parts) {
      each(stream, layout.results, PartsBody<Op, A>{static_cast<const A*>(stream.workspace), layout.chunks, results});
    }
  }
};

template <class Op, class T, class A, bool Truth = false>
std::unique_ptr<Prepared> make(const Call& call, const Reduce& params) {
  const Spec &in = call.in[0], &out = call.out[0];
  auto run = std::make_unique<ReduceRun<Op, T, A, Truth>>();
  run->in = in.dtype;
  run->out = out.dtype;
  run->scale = static_cast<float>(params.scale);
  for (int d = 0; d < in.shape.rank(); d++) {
    const int64_t n = in.shape[d], stride = in.shape.product(d + 1, in.shape.rank());
    const bool reduced = params.axes >> d & 1;
    (reduced ? run->layout.reduced : run->layout.kept).axis(n, {stride});
    (reduced ? run->layout.count : run->layout.results) *= n;
    if (n > 1) run->width = reduced ? 1 : run->width * n;
  }
  if (run->layout.results > 0) run->plan();
  return run;
}

template <template <class> class Op>
std::unique_ptr<Prepared> makeFor(const Call& call, const Reduce& params, bool widens) {
  return dispatchCompute(call.in[0].dtype, [&](auto tag) -> std::unique_ptr<Prepared> {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, uint8_t>) {
      if (widens) return make<Op<int32_t>, T, int32_t>(call, params);
    }
    return make<Op<T>, T, T>(call, params);
  });
}

// The first largest (smallest) of a line; a NaN wins.
template <class T>
struct ArgLine {
  int64_t n, inner;
  const void* x;
  DType dtype;
  bool smallest;
  int32_t* out;
  NT_INLINE bool beats(T a, T b) const {
    if (a != a) return b == b;
    return smallest ? a < b : a > b;
  }
  NT_INLINE void operator()(int64_t k) const {
    const int64_t from = k / inner * n * inner + k % inner;
    T best = load<T>(x, dtype, from);
    int32_t at = 0;
    for (int64_t i = 1; i < n; i++) {
      const T value = load<T>(x, dtype, from + i * inner);
      if (!beats(value, best)) continue;
      best = value;
      at = static_cast<int32_t>(i);
    }
    out[k] = at;
  }
};

template <class T>
struct ArgRun final : Prepared {
  int64_t n, inner, lines;
  DType dtype;
  bool smallest;
  void run(Stream& stream, void* const* buffers) override {
    each(stream, lines, ArgLine<T>{n, inner, buffers[0], dtype, smallest, static_cast<int32_t*>(buffers[1])});
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareReduce(const Call& call) {
  const auto params = read<Reduce>(call.params);
  switch (params.kind) {
    case Reduction::sum: return makeFor<Sum>(call, params, true);
    case Reduction::product: return makeFor<Product>(call, params, true);
    case Reduction::maximum: return makeFor<Maximum>(call, params, false);
    case Reduction::minimum: return makeFor<Minimum>(call, params, false);
    case Reduction::any:
    case Reduction::all: break;
  }
  return dispatchCompute(call.in[0].dtype, [&](auto tag) -> std::unique_ptr<Prepared> {
    using T = typename decltype(tag)::type;
    // Of truths, 0 and 1, any is the maximum and all the minimum; of none: false and true.
    if (params.kind == Reduction::any) return make<Maximum<uint8_t>, T, uint8_t, true>(call, params);
    return make<AllOf, T, uint8_t, true>(call, params);
  });
}

std::unique_ptr<Prepared> prepareArgReduce(const Call& call) {
  const auto params = read<ArgReduce>(call.params);
  const Spec& in = call.in[0];
  return dispatchCompute(in.dtype, [&](auto tag) -> std::unique_ptr<Prepared> {
    auto run = std::make_unique<ArgRun<typename decltype(tag)::type>>();
    run->n = in.shape[params.axis];
    run->inner = in.shape.product(params.axis + 1, in.shape.rank());
    run->lines = call.out[0].elements();
    run->dtype = in.dtype;
    run->smallest = params.minimum;
    return run;
  });
}

}  // namespace needletail::cuda
