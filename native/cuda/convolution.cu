// Convolution without a library: a thread a result. convolution_cudnn.cc takes the shapes that it knows; this takes the
// rest.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"

namespace needletail::cuda {

namespace {

// n images [h, w, c] and [oh, ow, o], a kernel [kh, kw] of `inner` = c / groups channels; outer = o / groups.
struct ConvolutionShape {
  Convolution p;
  DType dtype;
  int64_t n, h, w, c, oh, ow, o, kh, kw, inner, outer;
};

ConvolutionShape shapeOf(const Call& call) {
  // x, weights, y by kernel: (in 0, in 1, out 0), (out 0, in 1, in 0), (in 1, out 0, in 0).
  const bool forward = call.kernel == Kernel::convolution, data = call.kernel == Kernel::convolutionData;
  const Shape& x = (forward ? call.in[0] : data ? call.out[0] : call.in[1]).shape;
  const Shape& weights = (forward || data ? call.in[1] : call.out[0]).shape;
  const Shape& y = (forward ? call.out[0] : call.in[0]).shape;
  ConvolutionShape s{};
  s.p = read<Convolution>(call.params);
  s.dtype = call.out[0].dtype;
  s.n = x[0], s.h = x[1], s.w = x[2], s.c = x[3];
  s.oh = y[1], s.ow = y[2], s.o = y[3];
  s.kh = weights[1], s.kw = weights[2];
  s.inner = s.c / s.p.groups, s.outer = s.o / s.p.groups;
  return s;
}

struct ForwardBody {
  ConvolutionShape s;
  const void *x, *weights, *bias;
  void* y;
  NT_INLINE void operator()(int64_t at) const {
    const int64_t k = at % s.o, j = at / s.o % s.ow, i = at / s.o / s.ow % s.oh, image = at / s.o / s.ow / s.oh;
    const int64_t group = k / s.outer;
    float sum = bias ? load<float>(bias, s.dtype, k) : 0.0f;
    for (int64_t kh = 0; kh < s.kh; kh++) {
      const int64_t row = i * s.p.stride[0] - s.p.low[0] + kh * s.p.dilation[0];
      if (row < 0 || row >= s.h) continue;
      for (int64_t kw = 0; kw < s.kw; kw++) {
        const int64_t column = j * s.p.stride[1] - s.p.low[1] + kw * s.p.dilation[1];
        if (column < 0 || column >= s.w) continue;
        const int64_t from = ((image * s.h + row) * s.w + column) * s.c + group * s.inner;
        const int64_t weight = ((k * s.kh + kh) * s.kw + kw) * s.inner;
        for (int64_t c = 0; c < s.inner; c++) {
          sum += load<float>(x, s.dtype, from + c) * load<float>(weights, s.dtype, weight + c);
        }
      }
    }
    if (s.p.epilogue.activation == Activation::relu && !(sum > 0)) sum = 0;
    store<float>(y, s.dtype, at, sum);
  }
};

// Places of the result along an axis that see place `at` through tap `tap`: one or none.
NT_INLINE int64_t seenBy(int64_t at, int64_t low, int64_t tap, int64_t dilation, int64_t stride, int64_t places) {
  const int64_t offset = at + low - tap * dilation;
  if (offset < 0 || offset % stride != 0) return -1;
  return offset / stride < places ? offset / stride : -1;
}

struct DataBody {
  ConvolutionShape s;
  const void *g, *weights, *bias;
  void* dx;
  NT_INLINE void operator()(int64_t at) const {
    const int64_t c = at % s.c, x = at / s.c % s.w, y = at / s.c / s.w % s.h, image = at / s.c / s.w / s.h;
    const int64_t group = c / s.inner;
    float sum = bias ? load<float>(bias, s.dtype, c) : 0.0f;
    for (int64_t kh = 0; kh < s.kh; kh++) {
      const int64_t i = seenBy(y, s.p.low[0], kh, s.p.dilation[0], s.p.stride[0], s.oh);
      if (i < 0) continue;
      for (int64_t kw = 0; kw < s.kw; kw++) {
        const int64_t j = seenBy(x, s.p.low[1], kw, s.p.dilation[1], s.p.stride[1], s.ow);
        if (j < 0) continue;
        const int64_t from = ((image * s.oh + i) * s.ow + j) * s.o + group * s.outer;
        for (int64_t k = 0; k < s.outer; k++) {
          const int64_t weight = (((group * s.outer + k) * s.kh + kh) * s.kw + kw) * s.inner + c % s.inner;
          sum += load<float>(g, s.dtype, from + k) * load<float>(weights, s.dtype, weight);
        }
      }
    }
    if (s.p.epilogue.activation == Activation::relu && !(sum > 0)) sum = 0;
    store<float>(dx, s.dtype, at, sum);
  }
};

// A block a weight: its threads share the places.
struct WeightsBody {
  ConvolutionShape s;
  const void *g, *x;
  void* dw;
  NT_INLINE void operator()(const Block& block) const {
    const int64_t at = block.index, c = at % s.inner, kw = at / s.inner % s.kw;
    const int64_t kh = at / s.inner / s.kw % s.kh, k = at / s.inner / s.kw / s.kh;
    const int64_t channel = k / s.outer * s.inner + c, places = s.n * s.oh * s.ow;
    Own<float> own;
    block.each([&](int t) {
      float sum = 0;
      for (int64_t q = t; q < places; q += kThreads) {
        const int64_t j = q % s.ow, i = q / s.ow % s.oh, image = q / s.ow / s.oh;
        const int64_t row = i * s.p.stride[0] - s.p.low[0] + kh * s.p.dilation[0];
        const int64_t column = j * s.p.stride[1] - s.p.low[1] + kw * s.p.dilation[1];
        if (row < 0 || row >= s.h || column < 0 || column >= s.w) continue;
        sum += load<float>(g, s.dtype, q * s.o + k) *
               load<float>(x, s.dtype, ((image * s.h + row) * s.w + column) * s.c + channel);
      }
      own[t] = sum;
    });
    const float sum = block.sum(own);
    block.each([&](int t) {
      if (t == 0) store<float>(dw, s.dtype, at, sum);
    });
  }
};

// A block a channel: the sum of the gradient over all places.
struct BiasBody {
  ConvolutionShape s;
  const void* g;
  void* db;
  NT_INLINE void operator()(const Block& block) const {
    Own<float> own;
    block.each([&](int t) {
      float sum = 0;
      for (int64_t q = t; q < s.n * s.oh * s.ow; q += kThreads) sum += load<float>(g, s.dtype, q * s.o + block.index);
      own[t] = sum;
    });
    const float sum = block.sum(own);
    block.each([&](int t) {
      if (t == 0) store<float>(db, s.dtype, block.index, sum);
    });
  }
};

struct ConvolutionRun final : Prepared {
  Kernel kernel;
  ConvolutionShape s;
  void run(Stream& stream, void* const* buffers) override {
    const bool biased = s.p.epilogue.bias;
    if (kernel == Kernel::convolutionWeights) {
      blocks(stream, s.o * s.kh * s.kw * s.inner, WeightsBody{s, buffers[0], buffers[1], buffers[2]});
      if (biased) blocks(stream, s.o, BiasBody{s, buffers[0], buffers[3]});
      return;
    }
    const void* bias = biased ? buffers[2] : nullptr;
    void* out = buffers[biased ? 3 : 2];
    if (kernel == Kernel::convolution)
      each(stream, s.n * s.oh * s.ow * s.o, ForwardBody{s, buffers[0], buffers[1], bias, out});
    else
      each(stream, s.n * s.h * s.w * s.c, DataBody{s, buffers[0], buffers[1], bias, out});
  }
};

std::unique_ptr<Prepared> prepare(const Call& call) {
  const ConvolutionShape s = shapeOf(call);
  if (!isFloat(s.dtype) || s.p.epilogue.residual || s.p.epilogue.activation == Activation::gelu) return nullptr;
  auto run = std::make_unique<ConvolutionRun>();
  run->kernel = call.kernel;
  run->s = s;
  return run;
}

}  // namespace

std::unique_ptr<Prepared> prepareConvolution(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionData(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionWeights(const Call& call) { return prepare(call); }

}  // namespace needletail::cuda
