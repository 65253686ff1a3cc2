// gather and scatterAdd. Each result is added up by one thread, in the order of the updates: the same bits every time.
// It finds them by their index, which they are sorted by; where each column has few, it looks at all.
#include "cuda/divide.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/report.h"
#include "cuda/sorting.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

// The index for update `i` of row o, column j.
NT_INLINE int64_t indexAt(const Indexing& on, const void* indices, int64_t o, int64_t i, int64_t j) {
  const int64_t k = on.along ? (o * on.m + i) * on.inner + j : i;
  return on.wide ? static_cast<const int64_t*>(indices)[k] : static_cast<const int32_t*>(indices)[k];
}

// Columns of the inner axes, places along the axis; what is left is the outer axes' place.
struct Place {
  int64_t o, i, j;
};
NT_INLINE Place placeOf(int64_t k, const Divider& size, const Divider& inner) {
  const int64_t j = inner.split(k), i = size.split(k);
  return {k, i, j};
}

template <class T>
struct GatherBody {
  Indexing on;
  Divider m, inner;
  const T* x;
  const void* indices;
  T* y;
  Report report;
  NT_INLINE void operator()(int64_t k) const {
    const Place at = placeOf(k, m, inner);
    const int64_t row = indexAt(on, indices, at.o, at.i, at.j);
    if (report.within(row, on.size)) y[k] = x[(at.o * on.size + row) * on.inner + at.j];
  }
};

struct GatherRun final : Prepared {
  Indexing on;
  DType dtype;
  void run(Stream& stream, void* const* buffers) override {
    dispatchSize(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      each(stream, on.outer * on.m * on.inner,
           GatherBody<T>{on, Divider(on.m), Divider(on.inner), static_cast<const T*>(buffers[0]), buffers[1],
                         static_cast<T*>(buffers[2]), Report(stream, Wrong::index)});
    });
  }
};

constexpr int64_t kFewUpdates = 16;  // of a column: not worth sorting

// Where an update goes, and which it is: a sorted list has each result's updates side by side, in their order. All
// columns share the indices, or (along) each has its own.
struct KeyBody {
  Indexing on;
  Divider m, inner;
  const void* indices;
  uint64_t* keys;
  Report report;
  NT_INLINE void operator()(int64_t k) const {
    const int64_t row = on.wide ? static_cast<const int64_t*>(indices)[k] : static_cast<const int32_t*>(indices)[k];
    uint64_t target = UINT32_MAX;  // of none
    if (report.within(row, on.size)) {
      const Place at = placeOf(k, m, inner);
      target = static_cast<uint64_t>(on.along ? (at.o * on.size + row) * on.inner + at.j : row);
    }
    if (keys) keys[k] = target << 32 | static_cast<uint64_t>(k);
  }
};

template <class T>
struct ScatterBody {
  Indexing on;
  Divider size, inner;
  DType dtype;
  const void* indices;
  const uint64_t* sorted;  // null: the indices are looked at
  const void* updates;
  void* y;

  // Integers wrap, which of signed ones is not defined.
  using Sum = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, Type<T>>::type;
  NT_INLINE void add(Sum& sum, int64_t update) const {
    sum = static_cast<Sum>(sum + static_cast<Sum>(load<T>(updates, dtype, update)));
  }
  NT_INLINE void operator()(int64_t k) const {
    const Place at = placeOf(k, size, inner);
    Sum sum = 0;
    if (sorted) {
      const uint64_t target = static_cast<uint64_t>(on.along ? k : at.i);
      int64_t low = 0, high = on.count;  // the first that is not below the target
      while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (sorted[middle] >> 32 < target)
          low = middle + 1;
        else
          high = middle;
      }
      for (; low < on.count && sorted[low] >> 32 == target; low++) {
        const int64_t i = static_cast<int64_t>(sorted[low] & UINT32_MAX);
        add(sum, on.along ? i : (at.o * on.m + i) * on.inner + at.j);
      }
    } else {
      for (int64_t i = 0; i < on.m; i++) {
        if (indexAt(on, indices, at.o, i, at.j) == at.i) add(sum, (at.o * on.m + i) * on.inner + at.j);
      }
    }
    store<T>(y, dtype, k, static_cast<T>(sum));
  }
};

struct ScatterRun final : Prepared {
  Indexing on;
  DType dtype;
  int64_t n;  // results
  bool sorts;

  ScatterRun(const Call& call)
      : on(call.out[0], call.in[0], read<Gather>(call.params)), dtype(call.out[0].dtype), n(call.out[0].elements()) {
    const int64_t targets = on.along ? n : on.size;
    sorts = on.m > kFewUpdates && targets < UINT32_MAX && on.count < UINT32_MAX;
    if (sorts) workspace = sortKeysBytes(on.count);
  }
  void run(Stream& stream, void* const* buffers) override {
    auto* keys = sorts ? static_cast<uint64_t*>(stream.workspace) : nullptr;
    const Divider inner(on.inner);
    each(stream, on.count, KeyBody{on, Divider(on.m), inner, buffers[0], keys, Report(stream, Wrong::index)});
    const uint64_t* sorted = sorts ? sortKeys(stream, keys, on.count) : nullptr;
    dispatchCompute(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      each(stream, n, ScatterBody<T>{on, Divider(on.size), inner, dtype, buffers[0], sorted, buffers[1], buffers[2]});
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

std::unique_ptr<Prepared> prepareScatterAdd(const Call& call) { return std::make_unique<ScatterRun>(call); }

}  // namespace needletail::cuda
