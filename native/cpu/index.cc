// gather and scatterAdd. Each result is added up by one thread, in the order of the updates.
#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/kernels.h"
#include "geometry.h"

namespace needletail {

namespace {

struct CheckedIndexing : Indexing {
  bool parallel = false;
  using Indexing::Indexing;

  template <class F>
  void visit(const void* indices, F&& f) const {
    wide ? f(static_cast<const int64_t*>(indices)) : f(static_cast<const int32_t*>(indices));
  }

  void check(const void* indices) const {
    visit(indices, [&](auto* index) {
      using I = std::remove_cvref_t<decltype(*index)>;
      bool good = true;
      const I limit = static_cast<I>(std::min<int64_t>(size, std::numeric_limits<I>::max()));
      for (int64_t i = 0; i < count; i++) good &= (index[i] >= 0) & (index[i] < limit);
      if (good) return;
      const I* bad = std::find_if(index, index + count, [&](I v) { return v < 0 || v >= limit; });
      throw Error("expected indices in [0, " + std::to_string(size) + "), got " + std::to_string(*bad) + ".",
                  Fault::device);
    });
  }
};

struct GatherRun final : Prepared {
  CheckedIndexing at;
  DType dtype;

  void run(Stream&, void* const* buffers) override {
    at.check(buffers[1]);
    at.visit(buffers[1], [&](auto* index) {
      dispatchSize(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* x = static_cast<const T*>(buffers[0]);
        T* y = static_cast<T*>(buffers[2]);
        at.along ? along(x, index, y) : rows(x, index, y);
      });
    });
  }

  template <class T, class I>
  void rows(const T* x, const I* index, T* y) const {
    const int64_t inner = at.inner;
#pragma omp parallel for schedule(static) num_threads(threads()) if (at.parallel)
    for (int64_t r = 0; r < at.outer * at.m; r++) {
      const T* from = x + (r / at.m * at.size + index[r % at.m]) * inner;
      if (inner == 1)
        y[r] = *from;
      else
        std::memcpy(y + r * inner, from, inner * sizeof(T));
    }
  }

  template <class T, class I>
  void along(const T* x, const I* index, T* y) const {
    const int64_t inner = at.inner;
#pragma omp parallel for schedule(static) num_threads(threads()) if (at.parallel)
    for (int64_t r = 0; r < at.outer * at.m; r++) {
      const T* from = x + r / at.m * at.size * inner;
      const I* row = index + r * inner;
      for (int64_t j = 0; j < inner; j++) y[r * inner + j] = from[row[j] * inner + j];
    }
  }
};

struct ScatterRun final : Prepared {
  CheckedIndexing at;
  DType dtype;
  int64_t n;  // results

  void run(Stream& stream, void* const* buffers) override {
    at.check(buffers[0]);
    at.visit(buffers[0], [&](auto* index) {
      dispatch(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* updates = static_cast<const T*>(buffers[1]);
        if constexpr (std::is_class_v<T>) {
          // Half-precision sums are kept in float32 until all is added.
          float* sums = static_cast<float*>(stream.workspace);
          add(updates, index, sums);
          floatToHalf(dtype, sums, buffers[2], n);
        } else if constexpr (std::is_same_v<T, float>) {
          add(updates, index, static_cast<float*>(buffers[2]));
        } else {
          using U = std::make_unsigned_t<T>;  // integers wrap
          add(reinterpret_cast<const U*>(updates), index, static_cast<U*>(buffers[2]));
        }
      });
    });
  }

  template <class T, class I, class R>
  void add(const T* updates, const I* index, R* y) const {
    std::fill_n(y, n, R(0));
    at.along ? along(updates, index, y) : rows(updates, index, y);
  }

  template <class T>
  static auto value(T v) {
    if constexpr (std::is_class_v<T>)
      return static_cast<float>(v);
    else
      return v;
  }

  // Each thread has a range of the results' rows and passes over all indices.
  template <class T, class I, class R>
  void rows(const T* updates, const I* index, R* y) const {
    const int team = at.parallel ? threads() : 1;
    const int64_t inner = at.inner;
#pragma omp parallel for schedule(static) num_threads(team) if (at.parallel)
    for (int part = 0; part < team; part++) {
      const int64_t first = at.size * part / team, last = at.size * (part + 1) / team;
      for (int64_t o = 0; o < at.outer; o++) {
        for (int64_t i = 0; i < at.m; i++) {
          const int64_t row = index[i];
          if (row < first || row >= last) continue;
          R* to = y + (o * at.size + row) * inner;
          const T* from = updates + (o * at.m + i) * inner;
          for (int64_t j = 0; j < inner; j++) to[j] = static_cast<R>(to[j] + value(from[j]));
        }
      }
    }
  }

  template <class T, class I, class R>
  void along(const T* updates, const I* index, R* y) const {
    const int64_t inner = at.inner;
#pragma omp parallel for schedule(static) num_threads(threads()) if (at.parallel)
    for (int64_t o = 0; o < at.outer; o++) {
      R* to = y + o * at.size * inner;
      for (int64_t i = 0; i < at.m; i++) {
        const int64_t from = (o * at.m + i) * inner;
        for (int64_t j = 0; j < inner; j++) {
          R& sum = to[index[from + j] * inner + j];
          sum = static_cast<R>(sum + value(updates[from + j]));
        }
      }
    }
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareGather(const Call& call) {
  const auto params = read<Gather>(call.params);
  auto run = std::make_unique<GatherRun>();
  run->at = CheckedIndexing(call.in[0], call.in[1], params);
  run->dtype = call.in[0].dtype;
  run->cost =
      50 + static_cast<double>(run->at.count) * 0.5 +
      (params.along ? static_cast<double>(run->at.count) * 1.5
                    : static_cast<double>(run->at.outer * run->at.m) * (3 + run->at.inner * size(run->dtype) * 0.1));
  run->at.parallel = run->threadBound = worthParallel(run->cost);
  return run;
}

std::unique_ptr<Prepared> prepareScatterAdd(const Call& call) {
  const auto params = read<Gather>(call.params);
  auto run = std::make_unique<ScatterRun>();
  run->at = CheckedIndexing(call.out[0], call.in[0], params);
  run->dtype = call.out[0].dtype;
  run->n = call.out[0].elements();
  if (isFloat(run->dtype) && size(run->dtype) == 2) run->workspace = run->n * sizeof(float);
  run->cost = 50 + static_cast<double>(call.out[0].bytes()) * 0.1 +
              static_cast<double>(call.in[1].elements()) * (params.along ? 2 : 0.5) +
              static_cast<double>(run->at.count) * 2;
  run->at.parallel = run->threadBound = worthParallel(run->cost) && (!params.along || run->at.outer > 1);
  return run;
}

}  // namespace needletail
