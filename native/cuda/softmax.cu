// Softmax along any axis and cross-entropy: a block a line, whose threads each take every 256th number.
#include <cmath>
#include <limits>

#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/report.h"

namespace needletail::cuda {

namespace {

struct Larger {
  NT_INLINE float operator()(float a, float b) const { return a > b ? a : b; }
};
constexpr float kNothing = -std::numeric_limits<float>::infinity();

// The n numbers of a line, `step` apart.
struct Line {
  const void* data;
  DType dtype;
  int64_t first, step, n;
  NT_INLINE float operator[](int64_t i) const { return load<float>(data, dtype, first + i * step); }
};

NT_INLINE float largestOf(const Block& block, const Line& x) {
  Own<float> own;
  block.each([&](int t) {
    float most = kNothing;
    for (int64_t i = t; i < x.n; i += kThreads) most = Larger()(x[i], most);
    own[t] = most;
  });
  return block.combine(own, kNothing, Larger());
}

// The sum of term(0) to term(n - 1).
template <class Term>
NT_INLINE float sumOf(const Block& block, int64_t n, Term term) {
  Own<float> own;
  block.each([&](int t) {
    float sum = 0;
    for (int64_t i = t; i < n; i += kThreads) sum += term(i);
    own[t] = sum;
  });
  return block.sum(own);
}

struct SoftmaxBody {
  bool log;
  DType dtype;
  int64_t n, inner;
  const void* in;
  void* out;
  NT_INLINE void operator()(const Block& block) const {
    const int64_t first = block.index / inner * n * inner + block.index % inner;
    const Line x{in, dtype, first, inner, n};
    const float top = largestOf(block, x);
    const float sum = sumOf(block, n, [&](int64_t i) { return std::exp(x[i] - top); });
    const float logSum = std::log(sum);
    block.each([&](int t) {
      for (int64_t i = t; i < n; i += kThreads) {
        const float value = log ? (x[i] - top) - logSum : std::exp(x[i] - top) / sum;
        store<float>(out, dtype, first + i * inner, value);
      }
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
  NT_INLINE void operator()(const Block& block) const {
    const int64_t first = block.index / inner * n * inner + block.index % inner;
    const Line g{gradient, dtype, first, inner, n}, y{result, dtype, first, inner, n};
    const float sum = sumOf(block, n, [&](int64_t i) { return log ? g[i] : g[i] * y[i]; });
    block.each([&](int t) {
      for (int64_t i = t; i < n; i += kThreads) {
        const float value = log ? g[i] - std::exp(y[i]) * sum : y[i] * (g[i] - sum);
        store<float>(out, dtype, first + i * inner, value);
      }
    });
  }
};

struct SoftmaxRun final : Prepared {
  bool log, gradient;
  DType dtype;
  int64_t lines, n, inner;
  void run(Stream& stream, void* const* buffers) override {
    if (gradient)
      blocks(stream, lines, SoftmaxGradientBody{log, dtype, n, inner, buffers[0], buffers[1], buffers[2]});
    else
      blocks(stream, lines, SoftmaxBody{log, dtype, n, inner, buffers[0], buffers[1]});
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

// A block a row of logits: its loss, or its row of the gradient.
struct EntropyBody {
  CrossEntropy params;
  bool gradient;
  DType dtype;
  bool wideLabels;
  int64_t classes;
  const float* incoming;
  const void *logits, *labels;
  const float* weights;
  void* out;
  Report report;

  NT_INLINE float weight(int64_t c) const { return weights ? weights[c] : 1.0f; }

  NT_INLINE void operator()(const Block& block) const {
    const int64_t row = block.index;
    const int64_t label =
        wideLabels ? static_cast<const int64_t*>(labels)[row] : static_cast<const int32_t*>(labels)[row];
    if (!report.within(label, classes)) return;  // the same for all threads
    const Line x{logits, dtype, row * classes, 1, classes};
    const float top = largestOf(block, x);
    const float logSum = std::log(sumOf(block, classes, [&](int64_t c) { return std::exp(x[c] - top); }));
    // -log p of class c; the largest first, so that large logits lose no digits.
    auto surprise = [&](int64_t c) { return (top - x[c]) + logSum; };
    const float smoothing = static_cast<float>(params.smoothing);
    const float own = (1 - smoothing) * weight(label), each = smoothing / static_cast<float>(classes);
    if (!gradient) {
      const float spread =
          smoothing > 0 ? sumOf(block, classes, [&](int64_t c) { return weight(c) * surprise(c); }) : 0.0f;
      block.each([&](int t) {
        if (t == 0) static_cast<float*>(out)[row] = own * surprise(label) + each * spread;
      });
      return;
    }
    const float all = smoothing > 0 ? sumOf(block, classes, [&](int64_t c) { return weight(c); }) : 0.0f;
    const float g = incoming[row];
    block.each([&](int t) {
      for (int64_t c = t; c < classes; c += kThreads) {
        const float p = std::exp(-surprise(c));
        const float value = own * (p - (c == label ? 1.0f : 0.0f)) + each * (p * all - weight(c));
        store<float>(out, dtype, row * classes + c, g * value);
      }
    });
  }
};

struct EntropyRun final : Prepared {
  CrossEntropy params;
  bool gradient, wideLabels;
  DType dtype;
  int64_t n, classes;
  void run(Stream& stream, void* const* buffers) override {
    const int first = gradient ? 1 : 0;
    const float* incoming = gradient ? static_cast<const float*>(buffers[0]) : nullptr;
    const float* weights = params.weighted ? static_cast<const float*>(buffers[first + 2]) : nullptr;
    void* out = buffers[first + 2 + (params.weighted ? 1 : 0)];
    blocks(stream, n,
           EntropyBody{params, gradient, dtype, wideLabels, classes, incoming, buffers[first], buffers[first + 1],
                       weights, out, Report(stream, Wrong::label)});
  }
};

std::unique_ptr<Prepared> prepareEntropy(const Call& call, bool gradient) {
  const int first = gradient ? 1 : 0;
  const Spec& logits = call.in[first];
  if (!isFloat(logits.dtype)) return nullptr;
  auto run = std::make_unique<EntropyRun>();
  run->params = read<CrossEntropy>(call.params);
  run->gradient = gradient;
  run->dtype = logits.dtype;
  run->wideLabels = call.in[first + 1].dtype == DType::int64;
  run->n = logits.shape[0];
  run->classes = logits.shape[1];
  return run;
}

}  // namespace

std::unique_ptr<Prepared> prepareSoftmax(const Call& call) { return prepare(call, false); }
std::unique_ptr<Prepared> prepareSoftmaxGradient(const Call& call) { return prepare(call, true); }
std::unique_ptr<Prepared> prepareSoftmaxCrossEntropy(const Call& call) { return prepareEntropy(call, false); }
std::unique_ptr<Prepared> prepareSoftmaxCrossEntropyGradient(const Call& call) { return prepareEntropy(call, true); }

}  // namespace needletail::cuda
