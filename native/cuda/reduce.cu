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
  // Whether four elements of a result, or four results, lie side by side at a multiple of four. Of floats: they are
  // loaded at once.
  bool wide = false;
  NT_INLINE int64_t first(int64_t result) const {
    int64_t at[1] = {0};
    kept.find(result, at);
    return at[0];
  }
  // Whether a result's elements lie one behind the other, and results so too.
  bool isRow() const {
    return reduced.rank == 1 && reduced.stride[0][0] == 1 &&
           (kept.rank == 0 || (kept.rank == 1 && kept.stride[0][0] == count));
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

// The elements' numbers that a chunk has: whole groups of V.
template <int V>
NT_INLINE int64_t beginOf(const Layout& layout, int64_t chunk) {
  return layout.count / V * chunk / layout.chunks * V;
}

// V neighbours, combined each with its own.
template <class Op, class T, class A, bool Truth, int V>
NT_INLINE void combineInto(A (&sums)[V], const void* x, DType dtype, int64_t at) {
  if constexpr (V == 1) {
    sums[0] = Op()(sums[0], element<T, A, Truth>(x, dtype, at));
  } else {
    float v[V];
    loadFloats(x, dtype, at, v);
    NT_UNROLL
    for (int e = 0; e < V; e++) sums[e] = Op()(sums[e], v[e]);
  }
}

// One block: one chunk of one result.
template <class Op, class T, class A, bool Truth, int V>
struct RowBody {
  Layout layout;
  const void* x;
  DType dtype;
  Sink<A> sink;
  NT_INLINE void operator()(const Block& block) const {
    const int64_t result = block.index / layout.chunks, chunk = block.index % layout.chunks;
    const int64_t begin = beginOf<V>(layout, chunk), end = beginOf<V>(layout, chunk + 1);
    const int64_t from = layout.first(result);
    Own<A> own;
    block.each([&](int t) {
      A sums[V];
      NT_UNROLL
      for (int e = 0; e < V; e++) sums[e] = Op::identity();
      for (int64_t i = begin + t * V; i < end; i += kThreads * V) {
        combineInto<Op, T, A, Truth>(sums, x, dtype, from + (V > 1 ? i : layout.place(i)));
      }
      NT_UNROLL
      for (int e = 1; e < V; e++) sums[0] = Op()(sums[0], sums[e]);
      own[t] = sums[0];
    });
    const A all = block.combine(own, Op::identity(), Op());
    block.each([&](int t) {
      if (t == 0) sink.put(block.index, all);
    });
  }
};

// One block: one chunk of kColumns results that lie side by side in the input, V of them a thread.
template <class Op, class T, class A, bool Truth, int V>
struct ColumnBody {
  Layout layout;
  const void* x;
  DType dtype;
  Sink<A> sink;
  int64_t width, bands;  // results side by side, and blocks that they take
  NT_INLINE void operator()(const Block& block) const {
    constexpr int kAcross = kColumns / V, kLanes = kThreads / kAcross;
    NT_SHARED(A, parts, kLanes * kColumns);
    const int64_t chunk = block.index % layout.chunks, job = block.index / layout.chunks;
    const int64_t band = job % bands * kColumns, group = job / bands;
    const int64_t begin = beginOf<1>(layout, chunk), end = beginOf<1>(layout, chunk + 1);
    const int64_t from = layout.first(group * width + band);
    block.each([&](int t) {
      const int column = t % kAcross * V, lane = t / kAcross;
      A sums[V];
      NT_UNROLL
      for (int e = 0; e < V; e++) sums[e] = Op::identity();
      if (band + column < width) {
        for (int64_t i = begin + lane; i < end; i += kLanes) {
          combineInto<Op, T, A, Truth>(sums, x, dtype, from + layout.place(i) + column);
        }
      }
      NT_UNROLL
      for (int e = 0; e < V; e++) parts[lane * kColumns + column + e] = sums[e];
    });
    block.each([&](int t) {
      if (t >= kColumns || band + t >= width) return;
      A sum = parts[t];
      for (int lane = 1; lane < kLanes; lane++) sum = Op()(sum, parts[lane * kColumns + t]);
      sink.put((group * width + band + t) * layout.chunks + chunk, sum);
    });
  }
};

// One block: the parts of one result.
template <class Op, class A>
struct PartsBody {
  const A* parts;
  int64_t chunks;
  Sink<A> sink;
  NT_INLINE void operator()(const Block& block) const {
    Own<A> own;
    block.each([&](int t) {
      A sum = Op::identity();
      for (int64_t i = t; i < chunks; i += kThreads) sum = Op()(sum, parts[block.index * chunks + i]);
      own[t] = sum;
    });
    const A all = block.combine(own, Op::identity(), Op());
    block.each([&](int t) {
      if (t == 0) sink.put(block.index, all);
    });
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
    layout.wide = columns ? width % 4 == 0 : layout.isRow() && layout.count % 4 == 0;
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
    constexpr bool floats = std::is_same_v<T, float> && std::is_same_v<A, float>;
    if (isSmall())
      each(stream, layout.results, SmallBody<Op, T, A, Truth>{layout, buffers[0], in, sink});
    else if (floats && layout.wide)
      launch<floats ? 4 : 1>(stream, buffers[0], sink);
    else
      launch<1>(stream, buffers[0], sink);
    if (parts) {
      blocks(stream, layout.results, PartsBody<Op, A>{static_cast<const A*>(stream.workspace), layout.chunks, results});
    }
  }
  template <int V>
  void launch(Stream& stream, const void* x, const Sink<A>& sink) const {
    if (byColumns()) {
      blocks(stream, layout.results / width * bands() * layout.chunks,
             ColumnBody<Op, T, A, Truth, V>{layout, x, in, sink, width, bands()});
    } else {
      blocks(stream, layout.results * layout.chunks, RowBody<Op, T, A, Truth, V>{layout, x, in, sink});
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

// The same by a block, for a line whose elements are neighbours.
template <class T>
struct ArgBlock {
  ArgLine<T> line;
  struct Best {
    T value;
    int32_t at;  // -1: none yet
  };
  NT_INLINE void operator()(const Block& block) const {
    const int64_t from = block.index * line.n;
    Own<Best> own;
    block.each([&](int t) {
      Best best{T(0), -1};
      for (int64_t i = t; i < line.n; i += kThreads) {
        const T value = load<T>(line.x, line.dtype, from + i);
        if (best.at < 0 || line.beats(value, best.value)) best = {value, static_cast<int32_t>(i)};
      }
      own[t] = best;
    });
    const Best best = block.combine(own, Best{T(0), -1}, [&](const Best& a, const Best& b) {
      if (a.at < 0 || b.at < 0) return a.at < 0 ? b : a;
      if (line.beats(b.value, a.value)) return b;
      return line.beats(a.value, b.value) || a.at < b.at ? a : b;
    });
    block.each([&](int t) {
      if (t == 0) line.out[block.index] = best.at;
    });
  }
};

template <class T>
struct ArgRun final : Prepared {
  int64_t n, inner, lines;
  DType dtype;
  bool smallest;
  void run(Stream& stream, void* const* buffers) override {
    const ArgLine<T> line{n, inner, buffers[0], dtype, smallest, static_cast<int32_t*>(buffers[1])};
    if (inner == 1 && n > 64)
      blocks(stream, lines, ArgBlock<T>{line});
    else
      each(stream, lines, line);
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
