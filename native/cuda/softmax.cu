// Softmax along any axis and cross-entropy: a block a line, whose threads each take every 256th number; or a thread a
// line where lines are short, or lie side by side so that neighbouring threads read neighbours.
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

// Who works on line `index`: a block, or one thread. each(n, body): body(i) for i in [0, n).
struct Team {
  const Block& block;
  int64_t index;
  explicit NT_INLINE Team(const Block& block) : block(block), index(block.index) {}
  template <class F>
  NT_INLINE void each(int64_t n, F body) const {
    block.each([&](int t) {
      for (int64_t i = t; i < n; i += kThreads) body(i);
    });
  }
  // term(0) to term(n - 1), combined.
  template <class Term, class F>
  NT_INLINE float combine(int64_t n, float identity, Term term, F combine) const {
    Own<float> own;
    block.each([&](int t) {
      float all = identity;
      for (int64_t i = t; i < n; i += kThreads) all = combine(term(i), all);
      own[t] = all;
    });
    return block.combine(own, identity, combine);
  }
};
struct Alone {
  int64_t index;
  template <class F>
  NT_INLINE void each(int64_t n, F body) const {
    for (int64_t i = 0; i < n; i++) body(i);
  }
  template <class Term, class F>
  NT_INLINE float combine(int64_t n, float identity, Term term, F combine) const {
    float all = identity;
    for (int64_t i = 0; i < n; i++) all = combine(term(i), all);
    return all;
  }
};

constexpr int64_t kShort = 32;  // numbers of a line that are not worth a block

// Body: template <class Lines> void line(const Lines&) const, for each of `lines` of n numbers, `inner` apart.
template <class Body>
struct ByTeam {
  Body body;
  NT_INLINE void operator()(const Block& block) const { body.line(Team(block)); }
};
template <class Body>
struct ByThread {
  Body body;
  NT_INLINE void operator()(int64_t i) const { body.line(Alone{i}); }
};
template <class Body>
void eachLine(Stream& stream, int64_t lines, int64_t n, int64_t inner, const Body& body) {
  if (n <= kShort || inner >= kShort)
    each(stream, lines, ByThread<Body>{body});
  else
    blocks(stream, lines, ByTeam<Body>{body});
}

template <class Lines>
NT_INLINE float largestOf(const Lines& lines, const Line& x) {
  return lines.combine(x.n, kNothing, [&](int64_t i) { return x[i]; }, Larger());
}

// The sum of term(0) to term(n - 1).
template <class Lines, class Term>
NT_INLINE float sumOf(const Lines& lines, int64_t n, Term term) {
  return lines.combine(n, 0.0f, term, [](float a, float b) { return a + b; });
}

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

// A row of logits: its loss, or its row of the gradient.
struct EntropyBody {
  CrossEntropy params;
  bool gradient;
  DType dtype;
  bool wideLabels;
  int64_t classes;
  const float* incoming;
  const void *logits, *labels;
  const float* weights;
  void* out;  // of the gradient
  float* losses;  // or null
  Report report;

  NT_INLINE float weight(int64_t c) const { return weights ? weights[c] : 1.0f; }

  template <class Lines>
  NT_INLINE void line(const Lines& lines) const {
    const int64_t row = lines.index;
    const int64_t label =
        wideLabels ? static_cast<const int64_t*>(labels)[row] : static_cast<const int32_t*>(labels)[row];
    if (!report.within(label, classes)) return;  // the same for all threads
    const Line x{logits, dtype, row * classes, 1, classes};
    const float top = largestOf(lines, x);
    const float logSum = std::log(sumOf(lines, classes, [&](int64_t c) { return std::exp(x[c] - top); }));
    // -log p of class c; the largest first, so that large logits lose no digits.
    auto surprise = [&](int64_t c) { return (top - x[c]) + logSum; };
    const float smoothing = static_cast<float>(params.smoothing);
    const float own = (1 - smoothing) * weight(label), each = smoothing / static_cast<float>(classes);
    if (losses) {
      const float spread =
          smoothing > 0 ? sumOf(lines, classes, [&](int64_t c) { return weight(c) * surprise(c); }) : 0.0f;
      lines.each(1, [&](int64_t) { losses[row] = own * surprise(label) + each * spread; });
    }
    if (!gradient) return;
    const float all = smoothing > 0 ? sumOf(lines, classes, [&](int64_t c) { return weight(c); }) : 0.0f;
    const float g = incoming[row];
    lines.each(classes, [&](int64_t c) {
      const float p = std::exp(-surprise(c));
      const float value = own * (p - (c == label ? 1.0f : 0.0f)) + each * (p * all - weight(c));
      store<float>(out, dtype, row * classes + c, g * value);
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
    void* const* out = buffers + first + 2 + (params.weighted ? 1 : 0);
    float* losses = !gradient || params.losses ? static_cast<float*>(out[gradient ? 1 : 0]) : nullptr;
    eachLine(stream, n, classes, 1,
             EntropyBody{params, gradient, dtype, wideLabels, classes, incoming, buffers[first], buffers[first + 1],
                         weights, out[0], losses, Report(stream, Wrong::label)});
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
