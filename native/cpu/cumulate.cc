// Running sums, products and linear recurrences along an axis, accumulated in float64 for floats.
#include <algorithm>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/kernels.h"

namespace needletail {

namespace {

constexpr int64_t kColumns = 128;

enum class Step { sum, product, scan };

// What values are accumulated in; integers wrap.
template <class T>
using Accumulator = std::conditional_t<std::is_class_v<T> || std::is_same_v<T, float>, double,
                                       std::conditional_t<std::is_same_v<T, int64_t>, uint64_t, uint32_t>>;

template <class T>
Accumulator<T> widened(T x) {
  if constexpr (std::is_class_v<T>)
    return static_cast<float>(x);
  else
    return static_cast<Accumulator<T>>(x);
}
template <class T, class A>
T narrowed(A a) {
  if constexpr (std::is_class_v<T>)
    return T(static_cast<float>(a));
  else
    return static_cast<T>(a);
}

struct CumulateRun final : Prepared {
  Cumulate params;
  DType inType;
  bool scan;
  int64_t outer, n, inner, bands;
  bool parallel;

  // `columns` neighbours at once, from the first element along the axis to the last (from the last where reversed).
  template <Step step, class T, class R>
  void lines(const T* x, const T* factors, R* y, int64_t columns) const {
    using A = Accumulator<R>;
    A acc[kColumns];
    std::fill_n(acc, columns, step == Step::product ? A(1) : A(0));
    const int64_t stride = params.reverse ? -inner : inner;
    int64_t at = params.reverse ? (n - 1) * inner : 0;
    for (int64_t i = 0; i < n; i++, at += stride) {
      for (int64_t j = 0; j < columns; j++) {
        const A v = static_cast<A>(widened(x[at + j])), before = acc[j];
        if constexpr (step == Step::scan)
          acc[j] = i == 0 ? v : v + before * static_cast<A>(widened(factors[at + j]));
        else
          acc[j] = step == Step::product ? before * v : before + v;
        y[at + j] = narrowed<R>(params.exclusive ? before : acc[j]);
      }
    }
  }
  // A line of neighbours along the axis itself.
  template <Step step, class T, class R>
  void line(const T* x, const T* factors, R* y) const {
    using A = Accumulator<R>;
    A acc = step == Step::product ? A(1) : A(0);
    const int64_t stride = params.reverse ? -1 : 1;
    int64_t at = params.reverse ? n - 1 : 0;
    for (int64_t i = 0; i < n; i++, at += stride) {
      const A v = static_cast<A>(widened(x[at])), before = acc;
      if constexpr (step == Step::scan)
        acc = i == 0 ? v : v + before * static_cast<A>(widened(factors[at]));
      else
        acc = step == Step::product ? before * v : before + v;
      y[at] = narrowed<R>(params.exclusive ? before : acc);
    }
  }

  template <Step step, class T, class R>
  void all(void* const* buffers) const {
    const T* x = static_cast<const T*>(buffers[0]);
    const T* factors = static_cast<const T*>(buffers[1]);  // used by a scan alone
    R* y = static_cast<R*>(buffers[step == Step::scan ? 2 : 1]);
#pragma omp parallel for schedule(static) num_threads(threads()) if (parallel)
    for (int64_t job = 0; job < outer * bands; job++) {
      const int64_t band = job % bands * kColumns, at = job / bands * n * inner + band;
      if (inner == 1)
        line<step>(x + at, factors + at, y + at);
      else
        lines<step>(x + at, factors + at, y + at, std::min(kColumns, inner - band));
    }
  }

  void run(Stream&, void* const* buffers) override {
    dispatch(inType, [&](auto tag) {
      using T = typename decltype(tag)::type;
      using R = std::conditional_t<std::is_same_v<T, uint8_t>, int32_t, T>;
      if (scan)
        all<Step::scan, T, R>(buffers);
      else
        params.product ? all<Step::product, T, R>(buffers) : all<Step::sum, T, R>(buffers);
    });
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareCumulate(const Call& call) {
  auto run = std::make_unique<CumulateRun>();
  const Shape& shape = call.in[0].shape;
  run->params = read<Cumulate>(call.params);
  run->inType = call.in[0].dtype;
  run->scan = call.in.size() == 2;
  run->outer = shape.product(0, run->params.axis);
  run->n = shape[run->params.axis];
  run->inner = shape.product(run->params.axis + 1, shape.rank());
  run->bands = (run->inner + kColumns - 1) / kColumns;
  run->cost = 50 + static_cast<double>(shape.elements()) * 2;
  run->parallel = worthParallel(run->cost) && run->outer * run->bands > 1;
  run->threadBound = run->parallel;
  return run;
}

}  // namespace needletail
