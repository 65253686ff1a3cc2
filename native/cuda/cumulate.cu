// Running sums, products and linear recurrences along an axis, accumulated in float64 for floats. A thread a line.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"

namespace needletail::cuda {

namespace {

// What values are accumulated in; integers wrap.
template <class T>
using Accumulator = std::conditional_t<std::is_same_v<T, float>, double,
                                       std::conditional_t<std::is_same_v<T, int64_t>, uint64_t, uint32_t>>;

template <class T>
struct CumulateBody {
  using R = std::conditional_t<std::is_same_v<T, uint8_t>, int32_t, T>;
  Cumulate params;
  DType in, out;
  bool scan;
  int64_t n, inner;
  const void *x, *factors;
  void* y;

  NT_INLINE void operator()(int64_t line) const {
    using A = Accumulator<T>;
    const int64_t first = line / inner * n * inner + line % inner;
    A all = params.product ? A(1) : A(0);
    for (int64_t i = 0; i < n; i++) {
      const int64_t at = first + (params.reverse ? n - 1 - i : i) * inner;
      const A value = static_cast<A>(load<T>(x, in, at)), before = all;
      if (scan)
        all = i == 0 ? value : value + before * static_cast<A>(load<T>(factors, in, at));
      else
        all = params.product ? before * value : before + value;
      store<R>(y, out, at, static_cast<R>(params.exclusive ? before : all));
    }
  }
};

template <class T>
struct CumulateRun final : Prepared {
  CumulateBody<T> body;
  int64_t lines;
  void run(Stream& stream, void* const* buffers) override {
    CumulateBody<T> with = body;
    with.x = buffers[0];
    with.factors = buffers[1];  // used by a scan alone
    with.y = buffers[body.scan ? 2 : 1];
    each(stream, lines, with);
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareCumulate(const Call& call) {
  const Spec& in = call.in[0];
  return dispatchCompute(in.dtype, [&](auto tag) -> std::unique_ptr<Prepared> {
    auto run = std::make_unique<CumulateRun<typename decltype(tag)::type>>();
    auto& body = run->body;
    body.params = read<Cumulate>(call.params);
    body.in = in.dtype;
    body.out = call.out[0].dtype;
    body.scan = call.in.size() == 2;
    body.n = in.shape[body.params.axis];
    body.inner = in.shape.product(body.params.axis + 1, in.shape.rank());
    run->lines = in.elements() / std::max<int64_t>(1, body.n);
    return run;
  });
}

}  // namespace needletail::cuda
