// Cross-entropy of logits and labels, and its gradient: of logits that lie in memory, or with the layer that makes
// them.
#include "cuda/columns.h"
#include "cuda/kernels.h"
#include "cuda/lines.h"
#include "cuda/report.h"

namespace needletail::cuda {

namespace {

struct Labels {
  const void* data;
  bool wide;  // int64
  NT_INLINE int64_t operator[](int64_t row) const {
    return wide ? static_cast<const int64_t*>(data)[row] : static_cast<const int32_t*>(data)[row];
  }
};

// What losses are made by, apart from logits and labels.
struct Rule {
  CrossEntropy params;
  int64_t classes;
  const float* weights;  // of the classes, or null
  NT_INLINE float weight(int64_t c) const { return weights ? weights[c] : 1.0f; }
};

// A row of logits and its label. All who work on the line ask for the same.
template <class Lines>
class Entropy {
 public:
  NT_INLINE Entropy(const Lines& lines, const Rule& rule, const Line& x, int64_t label)
      : lines_(lines), rule_(rule), x_(x), label_(label) {
    const float top = top_ = largestOf(lines, x);
    logSum_ = std::log(sumOf(lines, x.n, [&](int64_t c) { return std::exp(x[c] - top); }));
    smoothing_ = static_cast<float>(rule.params.smoothing);
    own_ = (1 - smoothing_) * rule.weight(label), each_ = smoothing_ / static_cast<float>(x.n);
  }

  NT_INLINE float loss() const {
    const float spread =
        smoothing_ > 0 ? sumOf(lines_, x_.n, [&](int64_t c) { return rule_.weight(c) * surprise(c); }) : 0.0f;
    return own_ * surprise(label_) + each_ * spread;
  }

  // put(c, value) for each class: the loss's gradient for its logit.
  template <class Put>
  NT_INLINE void eachGradient(Put put) const {
    const float all = smoothing_ > 0 ? sumOf(lines_, x_.n, [&](int64_t c) { return rule_.weight(c); }) : 0.0f;
    lines_.each(x_.n, [&](int64_t c) {
      const float p = std::exp(-surprise(c));
      put(c, own_ * (p - (c == label_ ? 1.0f : 0.0f)) + each_ * (p * all - rule_.weight(c)));
    });
  }

 private:
  // -log p of class c; the largest first, so that large logits lose no digits.
  NT_INLINE float surprise(int64_t c) const { return (top_ - x_[c]) + logSum_; }
  const Lines& lines_;
  const Rule& rule_;
  Line x_;
  int64_t label_;
  float top_, logSum_, smoothing_, own_, each_;
};

// A row of logits: its loss, or its row of the gradient.
struct EntropyBody {
  Rule rule;
  bool gradient;
  DType dtype;
  const float* incoming;
  const void* logits;
  Labels labels;
  void* out;  // of the gradient
  float* losses;  // or null
  Report report;

  template <class Lines>
  NT_INLINE void line(const Lines& lines) const {
    const int64_t row = lines.index, classes = rule.classes, label = labels[row];
    if (!report.within(label, classes)) return;  // the same for all threads
    const Entropy<Lines> entropy(lines, rule, Line{logits, dtype, row * classes, 1, classes}, label);
    if (losses) {
      const float loss = entropy.loss();
      lines.each(1, [&](int64_t) { losses[row] = loss; });
    }
    if (!gradient) return;
    const float g = incoming[row];
    entropy.eachGradient([&](int64_t c, float value) { store<float>(out, dtype, row * classes + c, g * value); });
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
             EntropyBody{{params, classes, weights},
                         gradient,
                         dtype,
                         incoming,
                         buffers[first],
                         {buffers[first + 1], wideLabels},
                         out[0],
                         losses,
                         Report(stream, Wrong::label)});
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

// A block a row: its scores, their loss, and the gradient of what the scores were made of, with nothing waited for but
// the block's own threads. What lay in memory between the calls in whose place this is, is rounded as it was there.
template <class S, int N>
struct LinearEntropyBody {
  Rule rule;
  int64_t depth;
  bool relu;
  const float* incoming;
  const S *x, *weights, *bias, *factors;  // bias, factors: or null
  Labels labels;
  S *gradient, *dx, *logits, *scaled;
  float* losses;
  Report report;

  NT_INLINE void operator()(const Block& block) const {
    NT_SHARED(float, scores, N);
    NT_SHARED(float, gradients, N);
    Own<int64_t> labelOf;
    const int64_t row = block.index, classes = rule.classes, first = row * depth;
    const int count = static_cast<int>(classes);
    block.each([&](int t) {  // on its way while the threads multiply
      if (t < count) scores[t] = bias ? static_cast<float>(bias[t]) : 0.0f;
      if (t < count) gradients[t] = incoming[row];
      labelOf[t] = labels[row];
    });
    const Floats<N> sums = rowTimesColumns<N>(
        block, weights, count, depth,
        [&](int64_t i) {
          const float value = x[first + i];
          return factors ? static_cast<float>(S(value * static_cast<float>(factors[first + i]))) : value;
        },
        [&](int64_t i, float value) {
          if (factors) scaled[first + i] = S(value);
        });
    if (!report.within(labelOf[0], classes)) return;  // the same for all threads
    block.each([&](int t) {
      if (t > 0) return;
      NT_UNROLL
      for (int c = 0; c < N; c++) {
        if (c >= count) continue;
        const S score(sums.of[c] + scores[c]);
        logits[row * classes + c] = score, scores[c] = score;
      }
      const Alone<N> alone{row};
      const Entropy<Alone<N>> entropy(alone, rule, Line{scores, DType::float32, 0, 1, classes}, labelOf[0]);
      losses[row] = entropy.loss();
      entropy.eachGradient([&](int64_t c, float value) {
        const S g(gradients[c] * value);
        gradient[row * classes + c] = g, gradients[c] = g;
      });
    });
    struct Terms {
      float value, factor, gradient;
    };
    block.each([&](int t) {
      const auto fetch = [&](int64_t i) {
        Terms terms{relu ? static_cast<float>(x[first + i]) : 1.0f,
                    factors ? static_cast<float>(factors[first + i]) : 1.0f, 0};
        NT_UNROLL
        for (int c = 0; c < N; c++) {
          if (c < count) terms.gradient += gradients[c] * static_cast<float>(weights[c * depth + i]);
        }
        return terms;
      };
      eachAhead(t, depth, fetch, [&](int64_t i, const Terms& terms) {
        float g = S(terms.gradient);
        if (factors) g = S(g * terms.factor);
        dx[first + i] = S(terms.value > 0 ? g : 0.0f);
      });
    });
  }
};

struct LinearEntropyRun final : Prepared {
  LinearCrossEntropy params;
  DType dtype;
  bool wideLabels;
  int64_t n, classes, depth;
  void run(Stream& stream, void* const* buffers) override {
    int next = 0;
    const auto take = [&](bool there = true) { return there ? buffers[next++] : nullptr; };
    const auto* incoming = static_cast<const float*>(take());
    void *x = take(), *weights = take(), *bias = take(params.bias), *labels = take();
    const auto* classWeights = static_cast<const float*>(take(params.entropy.weighted));
    void *factors = take(params.factors), *gradient = take();
    auto* losses = static_cast<float*>(take());
    void *dx = take(), *logits = take(), *scaled = take(params.factors);
    dispatchStored(dtype, [&](auto type) {
      using S = typename decltype(type)::type;
      dispatchColumns(classes, [&](auto columns) {
        const auto as = [](void* data) { return static_cast<S*>(data); };
        blocks(stream, n,
               LinearEntropyBody<S, columns>{{params.entropy, classes, classWeights},
                                             depth,
                                             params.relu,
                                             incoming,
                                             as(x),
                                             as(weights),
                                             as(bias),
                                             as(factors),
                                             {labels, wideLabels},
                                             as(gradient),
                                             as(dx),
                                             as(logits),
                                             as(scaled),
                                             losses,
                                             Report(stream, Wrong::label)});
      });
    });
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareSoftmaxCrossEntropy(const Call& call) { return prepareEntropy(call, false); }
std::unique_ptr<Prepared> prepareSoftmaxCrossEntropyGradient(const Call& call) { return prepareEntropy(call, true); }

std::unique_ptr<Prepared> prepareLinearCrossEntropyGradient(const Call& call) {
  const Spec &x = call.in[1], &weights = call.in[2];
  const int64_t rows = x.shape[0], depth = x.shape[1], classes = weights.shape[0];
  if (!isFloat(x.dtype) || !areFewColumns(rows, classes, depth)) return nullptr;
  auto run = std::make_unique<LinearEntropyRun>();
  run->params = read<LinearCrossEntropy>(call.params);
  run->dtype = x.dtype;
  run->wideLabels = call.in[run->params.bias ? 4 : 3].dtype == DType::int64;
  run->n = rows, run->classes = classes, run->depth = depth;
  return run;
}

}  // namespace needletail::cuda
