// Batch and layer normalisation.
#include <cmath>

#include "cuda/channels.h"
#include "cuda/divide.h"
#include "cuda/kernels.h"
#include "cuda/load.h"

namespace needletail::cuda {

namespace {

// --- batch norm: x is [rows, channels]

// Sums of x - x in the chunk's first row, and of its square: about a number near the mean, as a variance from squares
// alone loses all digits where the mean is large.
struct MomentsTerm {
  const void* x;
  DType dtype;
  int64_t channels;
  template <int V>
  NT_INLINE void operator()(int64_t row, int64_t first, int64_t c, float (&sums)[2][V]) const {
    float v[V], about[V];
    loadFloats(x, dtype, row * channels + c, v);
    loadFloats(x, dtype, first * channels + c, about);
    NT_UNROLL
    for (int e = 0; e < V; e++) {
      const float d = v[e] - about[e];
      sums[0][e] += d;
      sums[1][e] += d * d;
    }
  }
};

// A block a channel: what MomentsTerm summed becomes mean and variance, and what follows from them.
struct MomentsBody {
  ChannelPlan plan;
  const float* parts;
  BatchNorm p;
  DType dtype, affine;
  const void *x, *scale;
  float *mean, *inverse, *runningMean, *runningVariance, *factor;

  NT_INLINE double part(int64_t chunk, int k, int64_t c) const { return parts[(chunk * 2 + k) * plan.channels + c]; }
  NT_INLINE void operator()(const Block& block) const {
    const int64_t c = block.index;
    const double n = static_cast<double>(plan.rows > 0 ? plan.rows : 1);
    // The sum over the chunks of term(chunk, its rows, what its sums are about).
    const auto total = [&](auto term) {
      Own<double> own;
      block.each([&](int t) {
        double sum = 0;
        for (int64_t chunk = t; chunk < plan.chunks && plan.rows > 0; chunk += kThreads) {
          const int64_t first = plan.begin(chunk), rows = plan.begin(chunk + 1) - first;
          sum += term(chunk, static_cast<double>(rows), load<float>(x, dtype, first * plan.channels + c));
        }
        own[t] = sum;
      });
      return block.sum(own);
    };
    const double m =
        total([&](int64_t chunk, double rows, double about) { return part(chunk, 0, c) + rows * about; }) / n;
    const double squares = total([&](int64_t chunk, double rows, double about) {
      const double off = about - m;
      return part(chunk, 1, c) + 2 * off * part(chunk, 0, c) + rows * off * off;
    });
    block.each([&](int t) {
      if (t == 0) finish(c, m, squares > 0 ? squares / n : 0, n);
    });
  }
  NT_INLINE void finish(int64_t c, double m, double variance, double n) const {
    mean[c] = static_cast<float>(m);
    inverse[c] = static_cast<float>(1 / std::sqrt(variance + p.epsilon));
    factor[c] = inverse[c] * load<float>(scale, affine, c);
    if (plan.rows == 0) return;
    const double unbiased = variance * n / (n > 1 ? n - 1 : 1);
    runningMean[c] = static_cast<float>((1 - p.momentum) * runningMean[c] + p.momentum * m);
    runningVariance[c] = static_cast<float>((1 - p.momentum) * runningVariance[c] + p.momentum * unbiased);
  }
};

// In use: what x is taken times.
struct FactorBody {
  DType affine;
  float epsilon;
  const void* scale;
  const float* variance;
  float* factor;
  NT_INLINE void operator()(int64_t c) const {
    factor[c] = load<float>(scale, affine, c) / std::sqrt(variance[c] + epsilon);
  }
};

// V neighbouring channels of a row a thread.
template <int V>
struct NormaliseBody {
  Divider groups;  // channels / V
  DType dtype, affine;
  const void* x;
  const float *mean, *factor;
  const void *offset, *residual;  // residual: null: none
  bool relu;
  void* y;
  NT_INLINE void operator()(int64_t i) const {
    int64_t row = i;
    const int64_t c = groups.split(row) * V;
    float v[V], m[V], f[V], o[V], r[V] = {};
    loadFloats(x, dtype, i * V, v);
    loadFloats(mean, DType::float32, c, m);
    loadFloats(factor, DType::float32, c, f);
    loadFloats(offset, affine, c, o);
    if (residual) loadFloats(residual, dtype, i * V, r);
    NT_UNROLL
    for (int e = 0; e < V; e++) {
      v[e] = (v[e] - m[e]) * f[e] + o[e];
      if (residual) v[e] = rounded(v[e], dtype) + r[e];  // as where the addition is a call of its own
      if (relu && v[e] < 0) v[e] = 0;  // a NaN comes through
    }
    storeFloats(y, dtype, i * V, v);
  }
};

// The gradient that came through a ReLU whose values were y (null: none).
struct IncomingGradient {
  const void *g, *y;
  DType dtype;
  template <int V>
  NT_INLINE void load(int64_t i, float (&to)[V]) const {
    loadFloats(g, dtype, i, to);
    if (!y) return;
    float values[V];
    loadFloats(y, dtype, i, values);
    NT_UNROLL
    for (int e = 0; e < V; e++) to[e] = values[e] > 0 ? to[e] : 0;
  }
};

// Sums of the gradient, and of its products with the normalised values.
struct ProductsTerm {
  IncomingGradient g;
  const void* x;
  DType dtype;
  int64_t channels;
  const float *mean, *inverse;
  template <int V>
  NT_INLINE void operator()(int64_t row, int64_t, int64_t c, float (&sums)[2][V]) const {
    float v[V], h[V], m[V], s[V];
    g.load(row * channels + c, v);
    loadFloats(x, dtype, row * channels + c, h);
    loadFloats(mean, DType::float32, c, m);
    loadFloats(inverse, DType::float32, c, s);
    NT_UNROLL
    for (int e = 0; e < V; e++) {
      sums[0][e] += v[e];
      sums[1][e] += v[e] * ((h[e] - m[e]) * s[e]);
    }
  }
};

struct PutScaleGradient {
  double share;  // 1 / rows
  DType affine;
  void *dscale, *doffset;
  float *meanG, *meanGH;
  NT_INLINE void operator()(int64_t c, const double (&totals)[2]) const {
    store<float>(dscale, affine, c, static_cast<float>(totals[1]));
    store<float>(doffset, affine, c, static_cast<float>(totals[0]));
    meanG[c] = static_cast<float>(totals[0] * share);
    meanGH[c] = static_cast<float>(totals[1] * share);
  }
};

template <int V>
struct InputGradientBody {
  Divider groups;
  DType dtype, affine;
  IncomingGradient g;
  const void *x, *scale;
  const float *mean, *inverse, *meanG, *meanGH;
  void *dx, *dresidual;  // dresidual: null: not asked for
  NT_INLINE void operator()(int64_t i) const {
    int64_t row = i;
    const int64_t c = groups.split(row) * V;
    float v[V], h[V], m[V], s[V], mg[V], mgh[V], factor[V];
    g.load(i * V, v);
    if (dresidual) storeFloats(dresidual, dtype, i * V, v);
    loadFloats(x, dtype, i * V, h);
    loadFloats(mean, DType::float32, c, m);
    loadFloats(inverse, DType::float32, c, s);
    loadFloats(meanG, DType::float32, c, mg);
    loadFloats(meanGH, DType::float32, c, mgh);
    loadFloats(scale, affine, c, factor);
    NT_UNROLL
    for (int e = 0; e < V; e++) v[e] = (v[e] - mg[e] - (h[e] - m[e]) * s[e] * mgh[e]) * s[e] * factor[e];
    storeFloats(dx, dtype, i * V, v);
  }
};

struct BatchNormRun final : Prepared {
  BatchNorm p;
  DType dtype, affine;  // of x, and of scale and offset
  ChannelPlan plan;
  bool gradient;

  BatchNormRun(const Call& call, bool gradient)
      : p(read<BatchNorm>(call.params)),
        dtype(call.in[0].dtype),
        affine(call.in[gradient ? 2 : 1].dtype),
        plan(call.in[0].shape.product(0, call.in[0].shape.rank() - 1), call.in[0].shape.fromEnd(1)),
        gradient(gradient) {
    workspace = static_cast<size_t>(plan.parts(2) + 2 * plan.channels) * sizeof(float);
  }

  void run(Stream& stream, void* const* buffers) override {
    float *first = static_cast<float*>(stream.workspace), *second = first + plan.channels;
    float* parts = second + plan.channels;
    gradient ? backward(stream, buffers, first, second, parts) : forward(stream, buffers, first, parts);
  }

  void forward(Stream& stream, void* const* buffers, float* factor, float* parts) const {
    void* const* outputs = buffers + 5 + p.residual;
    const float* about = static_cast<const float*>(p.training ? outputs[1] : buffers[3]);
    if (p.training) {
      auto out = [&](int i) { return static_cast<float*>(outputs[i]); };
      channelSums<2>(stream, plan, MomentsTerm{buffers[0], dtype, plan.channels}, parts);
      blocks(
          stream, plan.channels,
          MomentsBody{plan, parts, p, dtype, affine, buffers[0], buffers[1], out(1), out(2), out(3), out(4), factor});
    } else {
      each(
          stream, plan.channels,
          FactorBody{affine, static_cast<float>(p.epsilon), buffers[1], static_cast<const float*>(buffers[4]), factor});
    }
    wide([&](auto v) {
      constexpr int V = decltype(v)::value;
      each(stream, plan.rows * plan.channels / V,
           NormaliseBody<V>{Divider(plan.channels / V), dtype, affine, buffers[0], about, factor, buffers[2],
                            p.residual ? buffers[5] : nullptr, p.relu, outputs[0]});
    });
  }

  void backward(Stream& stream, void* const* buffers, float* meanG, float* meanGH, float* parts) const {
    const float *mean = static_cast<const float*>(buffers[3]), *inverse = static_cast<const float*>(buffers[4]);
    const double share = 1 / static_cast<double>(plan.rows > 0 ? plan.rows : 1);
    const IncomingGradient g{buffers[0], p.relu ? buffers[5] : nullptr, dtype};
    void* const* out = buffers + 5 + p.relu;
    channelSums<2>(stream, plan, ProductsTerm{g, buffers[1], dtype, plan.channels, mean, inverse}, parts);
    channelTotals<2>(stream, plan, parts, PutScaleGradient{share, affine, out[1], out[2], meanG, meanGH});
    wide([&](auto v) {
      constexpr int V = decltype(v)::value;
      each(stream, plan.rows * plan.channels / V,
           InputGradientBody<V>{Divider(plan.channels / V), dtype, affine, g, buffers[1], buffers[2], mean, inverse,
                                meanG, meanGH, out[0], p.residual ? out[3] : nullptr});
    });
  }

  // Calls f with how many channels a thread takes.
  template <class F>
  void wide(F f) const {
    plan.channels % kWide == 0 ? f(std::integral_constant<int, kWide>()) : f(std::integral_constant<int, 1>());
  }
};

// --- layer norm: x is [rows, n], a block a row; its threads take V neighbours at a time, which divides n

template <int V>
NT_INLINE void affineOf(const void* data, DType dtype, int64_t i, float otherwise, float (&to)[V]) {
  if (data) return loadFloats(data, dtype, i, to);
  NT_UNROLL
  for (int e = 0; e < V; e++) to[e] = otherwise;
}

template <int V>
struct LayerNormBody {
  int64_t n;
  DType dtype;
  float epsilon;
  const void *in, *scale, *offset;
  void* out;
  float *means, *inverses;
  NT_INLINE void operator()(const Block& block) const {
    const int64_t first = block.index * n;
    // The sum of term(x) over the row.
    const auto sum = [&](auto term) {
      Own<float> own;
      block.each([&](int t) {
        float all = 0;
        for (int64_t i = t * V; i < n; i += kThreads * V) {
          float x[V];
          loadFloats(in, dtype, first + i, x);
          NT_UNROLL
          for (int e = 0; e < V; e++) all += term(x[e]);
        }
        own[t] = all;
      });
      return block.sum(own);
    };
    const float mean = sum([](float x) { return x; }) / static_cast<float>(n);
    const float squares = sum([&](float x) { return (x - mean) * (x - mean); });
    const float inverse = 1 / std::sqrt(squares / static_cast<float>(n) + epsilon);
    block.each([&](int t) {
      if (t == 0) means[block.index] = mean, inverses[block.index] = inverse;
      for (int64_t i = t * V; i < n; i += kThreads * V) {
        float x[V], a[V], b[V];
        loadFloats(in, dtype, first + i, x);
        affineOf(scale, dtype, i, 1, a);
        affineOf(offset, dtype, i, 0, b);
        NT_UNROLL
        for (int e = 0; e < V; e++) x[e] = (x[e] - mean) * inverse * a[e] + b[e];
        storeFloats(out, dtype, first + i, x);
      }
    });
  }
};

template <int V>
struct LayerGradientBody {
  int64_t n;
  DType dtype;
  const void *gradient, *in, *scale;
  const float *means, *inverses;
  void* out;
  NT_INLINE void operator()(const Block& block) const {
    const int64_t first = block.index * n;
    const float mean = means[block.index], inverse = inverses[block.index];
    // The gradients of V normalised values, and those values.
    const auto take = [&](int64_t i, float (&g)[V], float (&h)[V]) {
      float a[V];
      loadFloats(gradient, dtype, first + i, g);
      loadFloats(in, dtype, first + i, h);
      affineOf(scale, dtype, i, 1, a);
      NT_UNROLL
      for (int e = 0; e < V; e++) g[e] *= a[e], h[e] = (h[e] - mean) * inverse;
    };
    Own<float> sums, products;
    block.each([&](int t) {
      float sum = 0, product = 0;
      for (int64_t i = t * V; i < n; i += kThreads * V) {
        float g[V], h[V];
        take(i, g, h);
        NT_UNROLL
        for (int e = 0; e < V; e++) sum += g[e], product += g[e] * h[e];
      }
      sums[t] = sum, products[t] = product;
    });
    const float share = 1 / static_cast<float>(n);
    const float meanG = block.sum(sums) * share, meanGH = block.sum(products) * share;
    block.each([&](int t) {
      for (int64_t i = t * V; i < n; i += kThreads * V) {
        float g[V], h[V];
        take(i, g, h);
        NT_UNROLL
        for (int e = 0; e < V; e++) g[e] = (g[e] - meanG - h[e] * meanGH) * inverse;
        storeFloats(out, dtype, first + i, g);
      }
    });
  }
};

// Sums over the rows for dscale and doffset.
struct LayerScaleTerm {
  const void *g, *x;
  DType dtype;
  int64_t n;
  const float *means, *inverses;
  template <int V>
  NT_INLINE void operator()(int64_t row, int64_t, int64_t i, float (&sums)[2][V]) const {
    float v[V], h[V];
    loadFloats(g, dtype, row * n + i, v);
    loadFloats(x, dtype, row * n + i, h);
    NT_UNROLL
    for (int e = 0; e < V; e++) {
      sums[0][e] += v[e] * ((h[e] - means[row]) * inverses[row]);
      sums[1][e] += v[e];
    }
  }
};
struct PutLayerScale {
  DType dtype;
  void *dscale, *doffset;
  NT_INLINE void operator()(int64_t i, const double (&totals)[2]) const {
    store<float>(dscale, dtype, i, static_cast<float>(totals[0]));
    store<float>(doffset, dtype, i, static_cast<float>(totals[1]));
  }
};

struct LayerNormRun final : Prepared {
  LayerNorm p;
  DType dtype;
  int64_t rows, n;
  ChannelPlan plan;
  bool gradient;

  LayerNormRun(const Call& call, bool gradient)
      : p(read<LayerNorm>(call.params)),
        dtype(call.in[0].dtype),
        rows(call.in[0].shape.product(0, call.in[0].shape.rank() - p.axes)),
        n(call.in[0].shape.product(call.in[0].shape.rank() - p.axes, call.in[0].shape.rank())),
        plan(rows, n),
        gradient(gradient) {
    if (gradient && p.affine) workspace = static_cast<size_t>(plan.parts(2)) * sizeof(float);
  }

  void run(Stream& stream, void* const* buffers) override {
    const auto with = [&](auto v) {
      constexpr int V = decltype(v)::value;
      gradient ? backward<V>(stream, buffers) : forward<V>(stream, buffers);
    };
    n % kWide == 0 ? with(std::integral_constant<int, kWide>()) : with(std::integral_constant<int, 1>());
  }

  template <int V>
  void forward(Stream& stream, void* const* buffers) const {
    void* const* out = buffers + (p.affine ? 3 : 1);
    blocks(stream, rows,
           LayerNormBody<V>{n, dtype, static_cast<float>(p.epsilon), buffers[0], p.affine ? buffers[1] : nullptr,
                            p.affine ? buffers[2] : nullptr, out[0], static_cast<float*>(out[1]),
                            static_cast<float*>(out[2])});
  }

  template <int V>
  void backward(Stream& stream, void* const* buffers) const {
    const float *means = static_cast<const float*>(buffers[2]), *inverses = static_cast<const float*>(buffers[3]);
    void* const* out = buffers + (p.affine ? 5 : 4);
    blocks(stream, rows,
           LayerGradientBody<V>{n, dtype, buffers[0], buffers[1], p.affine ? buffers[4] : nullptr, means, inverses,
                                out[0]});
    if (!p.affine) return;
    float* parts = static_cast<float*>(stream.workspace);
    channelSums<2>(stream, plan, LayerScaleTerm{buffers[0], buffers[1], dtype, n, means, inverses}, parts);
    channelTotals<2>(stream, plan, parts, PutLayerScale{dtype, out[1], out[2]});
  }
};

template <class Run>
std::unique_ptr<Prepared> prepare(const Call& call, bool gradient) {
  return isFloat(call.in[0].dtype) ? std::make_unique<Run>(call, gradient) : nullptr;
}

}  // namespace

std::unique_ptr<Prepared> prepareBatchNorm(const Call& call) { return prepare<BatchNormRun>(call, false); }
std::unique_ptr<Prepared> prepareBatchNormGradient(const Call& call) { return prepare<BatchNormRun>(call, true); }
std::unique_ptr<Prepared> prepareLayerNorm(const Call& call) { return prepare<LayerNormRun>(call, false); }
std::unique_ptr<Prepared> prepareLayerNormGradient(const Call& call) { return prepare<LayerNormRun>(call, true); }

}  // namespace needletail::cuda
