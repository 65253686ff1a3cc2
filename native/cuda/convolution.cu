// Convolution without a library: a thread a result. convolution_cudnn.cc takes the shapes that it knows; this takes the
// rest.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

struct ForwardBody {
  ConvolutionShape s;
  const void *x, *weights, *bias;
  void* y;
  NT_INLINE void operator()(int64_t at) const {
    const int64_t k = at % s.o, j = at / s.o % s.ow, i = at / s.o / s.ow % s.oh, image = at / s.o / s.ow / s.oh;
    const int64_t group = k / s.outer;
    float sum = bias ? load<float>(bias, s.dtype, k) : 0.0f;
    for (int64_t kh = 0; kh < s.kh; kh++) {
      const int64_t row = i * s.params.stride[0] - s.params.low[0] + kh * s.params.dilation[0];
      if (row < 0 || row >= s.h) continue;
      for (int64_t kw = 0; kw < s.kw; kw++) {
        const int64_t column = j * s.params.stride[1] - s.params.low[1] + kw * s.params.dilation[1];
        if (column < 0 || column >= s.w) continue;
        const int64_t from = ((image * s.h + row) * s.w + column) * s.c + group * s.inner;
        const int64_t weight = ((k * s.kh + kh) * s.kw + kw) * s.inner;
        for (int64_t c = 0; c < s.inner; c++) {
          sum += load<float>(x, s.dtype, from + c) * load<float>(weights, s.dtype, weight + c);
        }
      }
    }
    if (s.relu() && !(sum > 0)) sum = 0;
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
      const int64_t i = seenBy(y, s.params.low[0], kh, s.params.dilation[0], s.params.stride[0], s.oh);
      if (i < 0) continue;
      for (int64_t kw = 0; kw < s.kw; kw++) {
        const int64_t j = seenBy(x, s.params.low[1], kw, s.params.dilation[1], s.params.stride[1], s.ow);
        if (j < 0) continue;
        const int64_t from = ((image * s.oh + i) * s.ow + j) * s.o + group * s.outer;
        for (int64_t k = 0; k < s.outer; k++) {
          const int64_t weight = (((group * s.outer + k) * s.kh + kh) * s.kw + kw) * s.inner + c % s.inner;
          sum += load<float>(g, s.dtype, from + k) * load<float>(weights, s.dtype, weight);
        }
      }
    }
    if (s.relu() && !(sum > 0)) sum = 0;
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
        const int64_t row = i * s.params.stride[0] - s.params.low[0] + kh * s.params.dilation[0];
        const int64_t column = j * s.params.stride[1] - s.params.low[1] + kw * s.params.dilation[1];
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
  ConvolutionShape s;
  explicit ConvolutionRun(const ConvolutionShape& shape) : s(shape) {}
  void run(Stream& stream, void* const* buffers) override {
    const bool biased = s.hasBias();
    if (s.kernel == Kernel::convolutionWeights) {
      blocks(stream, s.o * s.kh * s.kw * s.inner, WeightsBody{s, buffers[0], buffers[1], buffers[2]});
      if (biased) blocks(stream, s.o, BiasBody{s, buffers[0], buffers[3]});
      return;
    }
    const void* bias = biased ? buffers[2] : nullptr;
    void* out = buffers[biased ? 3 : 2];
    if (s.kernel == Kernel::convolution)
      each(stream, s.n * s.oh * s.ow * s.o, ForwardBody{s, buffers[0], buffers[1], bias, out});
    else
      each(stream, s.n * s.h * s.w * s.c, DataBody{s, buffers[0], buffers[1], bias, out});
  }
};

std::unique_ptr<Prepared> prepare(const Call& call) {
  const ConvolutionShape s(call);
  if (!isFloat(s.dtype) || s.params.epilogue.residual || s.params.epilogue.activation == Activation::gelu)
    return nullptr;
  return std::make_unique<ConvolutionRun>(s);
}

}  // namespace

std::unique_ptr<Prepared> prepareConvolution(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionData(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionWeights(const Call& call) { return prepare(call); }

}  // namespace needletail::cuda
