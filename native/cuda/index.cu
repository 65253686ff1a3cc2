// gather and scatterAdd. Each result is added up by one thread, in the order of the updates: the same bits every time.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/report.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

// The index for update `i` of row o, column j.
NT_INLINE int64_t indexAt(const Indexing& on, const void* indices, int64_t o, int64_t i, int64_t j) {
  const int64_t k = on.along ? (o * on.m + i) * on.inner + j : i;
  return on.wide ? static_cast<const int64_t*>(indices)[k] : static_cast<const int32_t*>(indices)[k];
}

template <class T>
struct GatherBody {
  Indexing on;
  const T* x;
  const void* indices;
  T* y;
  Report report;
  NT_INLINE void operator()(int64_t k) const {
    const int64_t j = k % on.inner, i = k / on.inner % on.m, o = k / on.inner / on.m;
    const int64_t row = indexAt(on, indices, o, i, j);
    if (report.within(row, on.size)) y[k] = x[(o * on.size + row) * on.inner + j];
  }
};

struct GatherRun final : Prepared {
  Indexing on;
  DType dtype;
  void run(Stream& stream, void* const* buffers) override {
    dispatchSize(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      each(stream, on.outer * on.m * on.inner,
           GatherBody<T>{on, static_cast<const T*>(buffers[0]), buffers[1], static_cast<T*>(buffers[2]),
                         Report(stream, Wrong::index)});
    });
  }
};

// One result: the updates of its row (and column) among all, in their order.
template <class T>
struct ScatterBody {
  Indexing on;
  DType dtype;
  const void* indices;
  const void* updates;
  void* y;
  NT_INLINE void operator()(int64_t k) const {
    const int64_t j = k % on.inner, row = k / on.inner % on.size, o = k / on.inner / on.size;
    // Integers wrap, which of signed ones is not defined.
    using Sum = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, Type<T>>::type;
    Sum sum = 0;
    for (int64_t i = 0; i < on.m; i++) {
      if (indexAt(on, indices, o, i, j) != row) continue;
      sum = static_cast<Sum>(sum + static_cast<Sum>(load<T>(updates, dtype, (o * on.m + i) * on.inner + j)));
    }
    store<T>(y, dtype, k, static_cast<T>(sum));
  }
};

struct CheckBody {
  Indexing on;
  const void* indices;
  Report report;
  NT_INLINE void operator()(int64_t k) const {
    const int64_t row = on.wide ? static_cast<const int64_t*>(indices)[k] : static_cast<const int32_t*>(indices)[k];
    report.within(row, on.size);
  }
};

struct ScatterRun final : Prepared {
  Indexing on;
  DType dtype;
  int64_t n;  // results
  void run(Stream& stream, void* const* buffers) override {
    each(stream, on.count, CheckBody{on, buffers[0], Report(stream, Wrong::index)});
    dispatchCompute(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      each(stream, n, ScatterBody<T>{on, dtype, buffers[0], buffers[1], buffers[2]});
    });
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareGather(const Call& call) {
  auto run = std::make_unique<GatherRun>();
  run->on = Indexing(call.in[0], call.in[1], read<Gather>(call.params));
  run->dtype = call.in[0].dtype;
  return run;
}

std::unique_ptr<Prepared> prepareScatterAdd(const Call& call) {
  auto run = std::make_unique<ScatterRun>();
  run->on = Indexing(call.out[0], call.in[0], read<Gather>(call.params));
  run->dtype = call.out[0].dtype;
  run->n = call.out[0].elements();
  return run;
}

}  // namespace needletail::cuda
