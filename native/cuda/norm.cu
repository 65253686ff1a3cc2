// Batch and layer normalisation.
#include <cmath>

#include "cuda/channels.h"
#include "cuda/kernels.h"
#include "cuda/load.h"

namespace needletail::cuda {

namespace {

// --- batch norm: x is [rows, channels]

// Sums of x - about, and of its square.
struct MomentsTerm {
  const void* x;
  DType dtype;
  int64_t channels;
  const float* about;  // null: 0
  NT_INLINE void operator()(int64_t row, int64_t c, float (&sums)[2]) const {
    const float v = load<float>(x, dtype, row * channels + c) - (about ? about[c] : 0.0f);
    sums[0] += v;
    sums[1] += v * v;
  }
};

struct MeanBody {
  ChannelPlan plan;
  const float* parts;
  BatchNorm p;
  float *mean, *savedMean, *runningMean;
  NT_INLINE void operator()(int64_t c) const {
    const double m = channelTotal<2>(plan, parts, 0, c) / static_cast<double>(plan.rows > 0 ? plan.rows : 1);
    mean[c] = savedMean[c] = static_cast<float>(m);
    if (plan.rows > 0) runningMean[c] = static_cast<float>((1 - p.momentum) * runningMean[c] + p.momentum * m);
  }
};

struct VarianceBody {
  ChannelPlan plan;
  const float* parts;
  BatchNorm p;
  DType dtype;
  const void* scale;
  float *inverse, *runningVariance, *factor;
  NT_INLINE void operator()(int64_t c) const {
    const double n = static_cast<double>(plan.rows > 0 ? plan.rows : 1);
    // About the mean as a float: what that differs by is taken back.
    const double rest = channelTotal<2>(plan, parts, 0, c) / n;
    double variance = channelTotal<2>(plan, parts, 1, c) / n - rest * rest;
    if (variance < 0) variance = 0;
    inverse[c] = static_cast<float>(1 / std::sqrt(variance + p.epsilon));
    factor[c] = inverse[c] * load<float>(scale, dtype, c);
    const double unbiased = variance * n / (n > 1 ? n - 1 : 1);
    if (plan.rows > 0) {
      runningVariance[c] = static_cast<float>((1 - p.momentum) * runningVariance[c] + p.momentum * unbiased);
    }
  }
};

// In use: what x is taken times.
struct FactorBody {
  DType dtype;
  float epsilon;
  const void* scale;
  const float* variance;
  float* factor;
  NT_INLINE void operator()(int64_t c) const {
    factor[c] = load<float>(scale, dtype, c) / std::sqrt(variance[c] + epsilon);
  }
};

struct NormaliseBody {
  int64_t channels;
  DType dtype, affine;
  const void* x;
  const float *mean, *factor;
  const void* offset;
  void* y;
  NT_INLINE void operator()(int64_t i) const {
    const int64_t c = i % channels;
    const float v = (load<float>(x, dtype, i) - mean[c]) * factor[c] + load<float>(offset, affine, c);
    store<float>(y, dtype, i, v);
  }
};

// Sums of the gradient, and of its products with the normalised values.
struct ProductsTerm {
  const void *g, *x;
  DType dtype;
  int64_t channels;
  const float *mean, *inverse;
  NT_INLINE void operator()(int64_t row, int64_t c, float (&sums)[2]) const {
    const int64_t i = row * channels + c;
    const float v = load<float>(g, dtype, i);
    sums[0] += v;
    sums[1] += v * ((load<float>(x, dtype, i) - mean[c]) * inverse[c]);
  }
};

struct ScaleGradientBody {
  ChannelPlan plan;
  const float* parts;
  DType dtype;
  void *dscale, *doffset;
  float *meanG, *meanGH;
  NT_INLINE void operator()(int64_t c) const {
    const double sum = channelTotal<2>(plan, parts, 0, c), products = channelTotal<2>(plan, parts, 1, c);
    const double share = 1 / static_cast<double>(plan.rows > 0 ? plan.rows : 1);
    store<float>(dscale, dtype, c, static_cast<float>(products));
    store<float>(doffset, dtype, c, static_cast<float>(sum));
    meanG[c] = static_cast<float>(sum * share);
    meanGH[c] = static_cast<float>(products * share);
  }
};

struct InputGradientBody {
  int64_t channels;
  DType dtype, affine;
  const void *g, *x, *scale;
  const float *mean, *inverse, *meanG, *meanGH;
  void* dx;
  NT_INLINE void operator()(int64_t i) const {
    const int64_t c = i % channels;
    const float h = (load<float>(x, dtype, i) - mean[c]) * inverse[c];
    const float v = load<float>(g, dtype, i) - meanG[c] - h * meanGH[c];
    store<float>(dx, dtype, i, v * inverse[c] * load<float>(scale, affine, c));
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
    gradient ? backward(stream, buffers, first, second, parts) : forward(stream, buffers, first, second, parts);
  }

  void forward(Stream& stream, void* const* buffers, float* mean, float* factor, float* parts) const {
    const int64_t n = plan.rows * plan.channels;
    const float* about = mean;
    if (p.training) {
      // Twice: a variance from squares alone loses all digits where the mean is large.
      channelSums<2>(stream, plan, MomentsTerm{buffers[0], dtype, plan.channels, nullptr}, parts);
      each(stream, plan.channels,
           MeanBody{plan, parts, p, mean, static_cast<float*>(buffers[6]), static_cast<float*>(buffers[8])});
      channelSums<2>(stream, plan, MomentsTerm{buffers[0], dtype, plan.channels, mean}, parts);
      each(stream, plan.channels,
           VarianceBody{plan, parts, p, affine, buffers[1], static_cast<float*>(buffers[7]),
                        static_cast<float*>(buffers[9]), factor});
    } else {
      about = static_cast<const float*>(buffers[3]);
      each(
          stream, plan.channels,
          FactorBody{affine, static_cast<float>(p.epsilon), buffers[1], static_cast<const float*>(buffers[4]), factor});
    }
    each(stream, n, NormaliseBody{plan.channels, dtype, affine, buffers[0], about, factor, buffers[2], buffers[5]});
  }

  void backward(Stream& stream, void* const* buffers, float* meanG, float* meanGH, float* parts) const {
    const float *mean = static_cast<const float*>(buffers[3]), *inverse = static_cast<const float*>(buffers[4]);
    channelSums<2>(stream, plan, ProductsTerm{buffers[0], buffers[1], dtype, plan.channels, mean, inverse}, parts);
    each(stream, plan.channels, ScaleGradientBody{plan, parts, affine, buffers[6], buffers[7], meanG, meanGH});
    each(stream, plan.rows * plan.channels,
         InputGradientBody{plan.channels, dtype, affine, buffers[0], buffers[1], buffers[2], mean, inverse, meanG,
                           meanGH, buffers[5]});
  }
};

// --- layer norm: x is [rows, n], a block a row

NT_INLINE float affine(const void* data, DType dtype, int64_t i, float otherwise) {
  return data ? load<float>(data, dtype, i) : otherwise;
}

struct LayerNormBody {
  int64_t n;
  DType dtype;
  float epsilon;
  const void *in, *scale, *offset;
  void* out;
  float *means, *inverses;
  NT_INLINE void operator()(const Block& block) const {
    const int64_t first = block.index * n;
    Own<float> own;
    block.each([&](int t) {
      own[t] = 0;
      for (int64_t i = t; i < n; i += kThreads) own[t] += load<float>(in, dtype, first + i);
    });
    const float mean = block.sum(own) / static_cast<float>(n);
    block.each([&](int t) {
      own[t] = 0;
      for (int64_t i = t; i < n; i += kThreads) {
        const float v = load<float>(in, dtype, first + i) - mean;
        own[t] += v * v;
      }
    });
    const float inverse = 1 / std::sqrt(block.sum(own) / static_cast<float>(n) + epsilon);
    block.each([&](int t) {
      if (t == 0) means[block.index] = mean, inverses[block.index] = inverse;
      for (int64_t i = t; i < n; i += kThreads) {
        const float v = (load<float>(in, dtype, first + i) - mean) * inverse;
        store<float>(out, dtype, first + i, v * affine(scale, dtype, i, 1) + affine(offset, dtype, i, 0));
      }
    });
  }
};

struct LayerGradientBody {
  int64_t n;
  DType dtype;
  const void *gradient, *in, *scale;
  const float *means, *inverses;
  void* out;
  NT_INLINE void operator()(const Block& block) const {
    const int64_t first = block.index * n;
    const float mean = means[block.index], inverse = inverses[block.index];
    auto g = [&](int64_t i) { return load<float>(gradient, dtype, first + i) * affine(scale, dtype, i, 1); };
    auto h = [&](int64_t i) { return (load<float>(in, dtype, first + i) - mean) * inverse; };
    Own<float> sums, products;
    block.each([&](int t) {
      sums[t] = products[t] = 0;
      for (int64_t i = t; i < n; i += kThreads) sums[t] += g(i), products[t] += g(i) * h(i);
    });
    const float share = 1 / static_cast<float>(n);
    const float meanG = block.sum(sums) * share, meanGH = block.sum(products) * share;
    block.each([&](int t) {
      for (int64_t i = t; i < n; i += kThreads) {
        store<float>(out, dtype, first + i, (g(i) - meanG - h(i) * meanGH) * inverse);
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
  NT_INLINE void operator()(int64_t row, int64_t i, float (&sums)[2]) const {
    const float v = load<float>(g, dtype, row * n + i);
    sums[0] += v * ((load<float>(x, dtype, row * n + i) - means[row]) * inverses[row]);
    sums[1] += v;
  }
};
struct LayerScaleBody {
  ChannelPlan plan;
  const float* parts;
  DType dtype;
  void *dscale, *doffset;
  NT_INLINE void operator()(int64_t i) const {
    store<float>(dscale, dtype, i, static_cast<float>(channelTotal<2>(plan, parts, 0, i)));
    store<float>(doffset, dtype, i, static_cast<float>(channelTotal<2>(plan, parts, 1, i)));
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
    if (gradient) return backward(stream, buffers);
    void* const* out = buffers + (p.affine ? 3 : 1);
    blocks(stream, rows,
           LayerNormBody{n, dtype, static_cast<float>(p.epsilon), buffers[0], p.affine ? buffers[1] : nullptr,
                         p.affine ? buffers[2] : nullptr, out[0], static_cast<float*>(out[1]),
                         static_cast<float*>(out[2])});
  }

  void backward(Stream& stream, void* const* buffers) const {
    const float *means = static_cast<const float*>(buffers[2]), *inverses = static_cast<const float*>(buffers[3]);
    void* const* out = buffers + (p.affine ? 5 : 4);
    blocks(
        stream, rows,
        LayerGradientBody{n, dtype, buffers[0], buffers[1], p.affine ? buffers[4] : nullptr, means, inverses, out[0]});
    if (!p.affine) return;
    float* parts = static_cast<float*>(stream.workspace);
    channelSums<2>(stream, plan, LayerScaleTerm{buffers[0], buffers[1], dtype, n, means, inverses}, parts);
    each(stream, n, LayerScaleBody{plan, parts, dtype, out[1], out[2]});
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
