// Softmax along any axis, and its gradient.
#include "cuda/kernels.h"
#include "cuda/lines.h"

namespace needletail::cuda {

namespace {

struct SoftmaxBody {
  bool log;
  DType dtype;
  int64_t n, inner;
  const void* in;
  void* out;
  template <class Lines>
  NT_INLINE void line(const Lines& lines) const {
    const int64_t first = lines.index / inner * n * inner + lines.index % inner;
    const Line x{in, dtype, first, inner, n};
    const float top = largestOf(lines, x);
    const float sum = sumOf(lines, n, [&](int64_t i) { return std::exp(x[i] - top); });
    const float logSum = std::log(sum);
    lines.each(n, [&](int64_t i) {
      const float value = log ? (x[i] - top) - logSum : std::exp(x[i] - top) / sum;
      store<float>(out, dtype, first + i * inner, value);
    });
  }
};

// softmax: y (g - sum(g y)); its logarithm: g - exp(y) sum(g).
struct SoftmaxGradientBody {
  bool log;
  DType dtype;
  int64_t n, inner;
  const void *gradient, *result;
  void* out;
  template <class Lines>
  NT_INLINE void line(const Lines& lines) const {
    const int64_t first = lines.index / inner * n * inner + lines.index % inner;
    const Line g{gradient, dtype, first, inner, n}, y{result, dtype, first, inner, n};
    const float sum = sumOf(lines, n, [&](int64_t i) { return log ? g[i] : g[i] * y[i]; });
    lines.each(n, [&](int64_t i) {
      const float value = log ? g[i] - std::exp(y[i]) * sum : y[i] * (g[i] - sum);
      store<float>(out, dtype, first + i * inner, value);
    });
  }
};

struct SoftmaxRun final : Prepared {
  bool log, gradient;
  DType dtype;
  int64_t lines, n, inner;
  void run(Stream& stream, void* const* buffers) override {
    if (gradient)
      eachLine(stream, lines, n, inner, SoftmaxGradientBody{log, dtype, n, inner, buffers[0], buffers[1], buffers[2]});
    else
      eachLine(stream, lines, n, inner, SoftmaxBody{log, dtype, n, inner, buffers[0], buffers[1]});
  }
};

std::unique_ptr<Prepared> prepare(const Call& call, bool gradient) {
  const auto params = read<Softmax>(call.params);
  const Spec& in = call.in[0];
  if (!isFloat(in.dtype)) return nullptr;
  auto run = std::make_unique<SoftmaxRun>();
  run->log = params.log;
  run->gradient = gradient;
  run->dtype = in.dtype;
  run->n = in.shape[params.axis];
  run->inner = in.shape.product(params.axis + 1, in.shape.rank());
  run->lines = in.elements() / std::max<int64_t>(1, run->n);
  return run;
}

}  // namespace

std::unique_ptr<Prepared> prepareSoftmax(const Call& call) { return prepare(call, false); }
std::unique_ptr<Prepared> prepareSoftmaxGradient(const Call& call) { return prepare(call, true); }

}  // namespace needletail::cuda
