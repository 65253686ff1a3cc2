// Batch and layer normalisation.
#include <cmath>

#include "cuda/channels.h"
#include "cuda/divide.h"
#include "cuda/kernels.h"
#include "cuda/load.h"

namespace needletail::cuda {

namespace {

// --- batch norm: x is [rows, channels]

// V channels' numbers.
template <int V>
NT_INLINE Floats<V> ofChannels(const void* data, DType dtype, int64_t c) {
  Floats<V> floats;
  loadFloats(data, dtype, c, floats.of);
  return floats;
}

// Sums of x - x in the chunk's first row, and of its square: about a number near the mean, as a variance from squares
// alone loses all digits where the mean is large.
template <class S>
struct MomentsTerm {
  const S* x;
  int64_t channels;
  template <int V>
  struct Own {
    const S* x;
    int64_t channels;
    Floats<V> about;
    NT_INLINE Pack<S, V> load(int64_t row) const { return loadPack<V>(x + row * channels); }
    NT_INLINE void take(const Pack<S, V>& loaded, int64_t, float (&sums)[2][V]) const {
      const Floats<V> v = floatsOf(loaded);
      NT_UNROLL
      for (int e = 0; e < V; e++) {
        const float d = v.of[e] - about.of[e];
        sums[0][e] += d;
        sums[1][e] += d * d;
      }
    }
  };
  template <int V>
  NT_INLINE Own<V> at(int64_t first, int64_t c) const {
    return {x + c, channels, floatsOf(loadPack<V>(x + first * channels + c))};
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

template <class S>
struct NormaliseBody {
  int64_t channels;
  DType affine;
  const S* x;
  const float *mean, *factor;
  const void* offset;
  const S* residual;  // null: none
  bool relu;
  S* y;
  template <int V>
  struct Own {
    const NormaliseBody& of;
    int64_t c;
    Floats<V> mean, factor, offset;
    struct Loaded {
      Pack<S, V> x, residual;
    };
    NT_INLINE Loaded load(int64_t row) const {
      const int64_t i = row * of.channels + c;
      return {loadPack<V>(of.x + i), of.residual ? loadPack<V>(of.residual + i) : Pack<S, V>{}};
    }
    NT_INLINE void take(const Loaded& loaded, int64_t row) const {
      Floats<V> v = floatsOf(loaded.x);
      const Floats<V> r = floatsOf(loaded.residual);
      NT_UNROLL
      for (int e = 0; e < V; e++) {
        v.of[e] = (v.of[e] - mean.of[e]) * factor.of[e] + offset.of[e];
        // Rounded as where the addition is a call of its own.
        if (of.residual) v.of[e] = static_cast<float>(static_cast<S>(v.of[e])) + r.of[e];
        if (of.relu && v.of[e] < 0) v.of[e] = 0;  // a NaN comes through
      }
      storeAs(of.y + row * of.channels + c, v);
    }
  };
  template <int V>
  NT_INLINE Own<V> at(int64_t c) const {
    return {*this, c, ofChannels<V>(mean, DType::float32, c), ofChannels<V>(factor, DType::float32, c),
            ofChannels<V>(offset, affine, c)};
  }
};

// The gradient, with what is added to it, that came through a ReLU whose values were y (both null: none).
template <class S>
struct IncomingGradient {
  const S *g, *y, *added;
  template <int V>
  struct Loaded {
    Pack<S, V> g, y, added;
  };
  template <int V>
  NT_INLINE Loaded<V> load(int64_t i) const {
    return {loadPack<V>(g + i), y ? loadPack<V>(y + i) : Pack<S, V>{}, added ? loadPack<V>(added + i) : Pack<S, V>{}};
  }
  template <int V>
  NT_INLINE Floats<V> of(const Loaded<V>& loaded) const {
    Floats<V> v = floatsOf(loaded.g);
    if (added) {
      NT_UNROLL
      for (int e = 0; e < V; e++)
        v.of[e] = static_cast<float>(static_cast<S>(v.of[e] + static_cast<float>(loaded.added.of[e])));
    }
    if (!y) return v;
    NT_UNROLL
    for (int e = 0; e < V; e++) v.of[e] = static_cast<float>(loaded.y.of[e]) > 0 ? v.of[e] : 0;
    return v;
  }
};

template <class S, int V>
struct GradientAndInput {
  typename IncomingGradient<S>::template Loaded<V> g;
  Pack<S, V> x;
};

// Sums of the gradient, and of its products with x less its mean; the gradient itself is kept where it is asked for.
template <class S>
struct ProductsTerm {
  IncomingGradient<S> g;
  const S* x;
  int64_t channels;
  const float* mean;
  S* dresidual;  // null: not asked for
  template <int V>
  struct Own {
    const ProductsTerm& of;
    int64_t c;
    Floats<V> mean;
    NT_INLINE GradientAndInput<S, V> load(int64_t row) const {
      const int64_t i = row * of.channels + c;
      return {of.g.template load<V>(i), loadPack<V>(of.x + i)};
    }
    NT_INLINE void take(const GradientAndInput<S, V>& loaded, int64_t row, float (&sums)[2][V]) const {
      const Floats<V> v = of.g.of(loaded.g), h = floatsOf(loaded.x);
      if (of.dresidual) storeAs(of.dresidual + row * of.channels + c, v);
      NT_UNROLL
      for (int e = 0; e < V; e++) {
        sums[0][e] += v.of[e];
        sums[1][e] += v.of[e] * (h.of[e] - mean.of[e]);
      }
    }
  };
  template <int V>
  NT_INLINE Own<V> at(int64_t, int64_t c) const {
    return {*this, c, ofChannels<V>(mean, DType::float32, c)};
  }
};

struct PutScaleGradient {
  double share;  // 1 / rows
  DType affine;
  const float* inverse;
  void *dscale, *doffset;
  float *meanG, *meanGH;
  NT_INLINE void operator()(int64_t c, const double (&totals)[2]) const {
    const double product = totals[1] * inverse[c];
    store<float>(dscale, affine, c, static_cast<float>(product));
    store<float>(doffset, affine, c, static_cast<float>(totals[0]));
    meanG[c] = static_cast<float>(totals[0] * share);
    meanGH[c] = static_cast<float>(product * share);
  }
};

// dx = scale * inverse * (g - mean of g - h * mean of g h), h being (x - mean) * inverse.
template <class S>
struct InputGradientBody {
  int64_t channels;
  DType affine;
  IncomingGradient<S> g;
  const S* x;
  const void* scale;
  const float *mean, *inverse, *meanG, *meanGH;
  S* dx;
  template <int V>
  struct Own {
    const InputGradientBody& of;
    int64_t c;
    Floats<V> mean, meanG, factor, slope;
    NT_INLINE GradientAndInput<S, V> load(int64_t row) const {
      const int64_t i = row * of.channels + c;
      return {of.g.template load<V>(i), loadPack<V>(of.x + i)};
    }
    NT_INLINE void take(const GradientAndInput<S, V>& loaded, int64_t row) const {
      Floats<V> v = of.g.of(loaded.g);
      const Floats<V> h = floatsOf(loaded.x);
      NT_UNROLL
      for (int e = 0; e < V; e++) {
        v.of[e] = (v.of[e] - meanG.of[e] - (h.of[e] - mean.of[e]) * slope.of[e]) * factor.of[e];
      }
      storeAs(of.dx + row * of.channels + c, v);
    }
  };
  template <int V>
  NT_INLINE Own<V> at(int64_t c) const {
    Own<V> own{*this,
               c,
               ofChannels<V>(mean, DType::float32, c),
               ofChannels<V>(meanG, DType::float32, c),
               ofChannels<V>(scale, affine, c),
               ofChannels<V>(meanGH, DType::float32, c)};
    const Floats<V> s = ofChannels<V>(inverse, DType::float32, c);
    NT_UNROLL
    for (int e = 0; e < V; e++) own.factor.of[e] *= s.of[e], own.slope.of[e] *= s.of[e];
    return own;
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
    dispatchFloats(dtype, plan.channels, [&](auto type, auto v) {
      using S = typename decltype(type)::type;
      constexpr int V = decltype(v)::value;
      gradient ? backward<S, V>(stream, buffers, first, second, parts) : forward<S, V>(stream, buffers, first, parts);
    });
  }

  template <class S, int V>
  void forward(Stream& stream, void* const* buffers, float* factor, float* parts) const {
    void* const* outputs = buffers + 5 + p.residual;
    const float* about = static_cast<const float*>(p.training ? outputs[1] : buffers[3]);
    const S* x = static_cast<const S*>(buffers[0]);
    if (p.training) {
      auto out = [&](int i) { return static_cast<float*>(outputs[i]); };
      channelSumsBy<2, V>(stream, plan, MomentsTerm<S>{x, plan.channels}, parts);
      blocks(
          stream, plan.channels,
          MomentsBody{plan, parts, p, dtype, affine, buffers[0], buffers[1], out(1), out(2), out(3), out(4), factor});
    } else {
      each(
          stream, plan.channels,
          FactorBody{affine, static_cast<float>(p.epsilon), buffers[1], static_cast<const float*>(buffers[4]), factor});
    }
    const S* residual = p.residual ? static_cast<const S*>(buffers[5]) : nullptr;
    channelRows<V>(stream, plan.rows, plan.channels,
                   NormaliseBody<S>{plan.channels, affine, x, about, factor, buffers[2], residual, p.relu,
                                    static_cast<S*>(outputs[0])});
  }

  template <class S, int V>
  void backward(Stream& stream, void* const* buffers, float* meanG, float* meanGH, float* parts) const {
    const float *mean = static_cast<const float*>(buffers[3]), *inverse = static_cast<const float*>(buffers[4]);
    const double share = 1 / static_cast<double>(plan.rows > 0 ? plan.rows : 1);
    const S* x = static_cast<const S*>(buffers[1]);
    void* const* out = buffers + 5 + p.relu + p.added;
    S* dresidual = p.residual ? static_cast<S*>(out[3]) : nullptr;
    IncomingGradient<S> g{static_cast<const S*>(buffers[0]), p.relu ? static_cast<const S*>(buffers[5]) : nullptr,
                          p.added ? static_cast<const S*>(buffers[5 + p.relu]) : nullptr};
    channelSumsBy<2, V>(stream, plan, ProductsTerm<S>{g, x, plan.channels, mean, dresidual}, parts);
    channelTotals<2>(stream, plan, parts, PutScaleGradient{share, affine, inverse, out[1], out[2], meanG, meanGH});
    if (dresidual) g = {dresidual, nullptr, nullptr};  // all that is done
    channelRows<V>(stream, plan.rows, plan.channels,
                   InputGradientBody<S>{plan.channels, affine, g, x, buffers[2], mean, inverse, meanG, meanGH,
                                        static_cast<S*>(out[0])});
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
  struct Own {
    const LayerScaleTerm& of;
    int64_t i;
    struct Loaded {
      Floats<V> g, x;
    };
    NT_INLINE Loaded load(int64_t row) const {
      Loaded loaded;
      loadFloats(of.g, of.dtype, row * of.n + i, loaded.g.of);
      loadFloats(of.x, of.dtype, row * of.n + i, loaded.x.of);
      return loaded;
    }
    NT_INLINE void take(const Loaded& loaded, int64_t row, float (&sums)[2][V]) const {
      NT_UNROLL
      for (int e = 0; e < V; e++) {
        sums[0][e] += loaded.g.of[e] * ((loaded.x.of[e] - of.means[row]) * of.inverses[row]);
        sums[1][e] += loaded.g.of[e];
      }
    }
  };
  template <int V>
  NT_INLINE Own<V> at(int64_t, int64_t i) const {
    return {*this, i};
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
