// 3x3 convolutions of stride 1 by Winograd's algorithm: a quarter of the multiplications of a direct one. Pools over
// 2x2 windows and the gradients of ReLUs are done while tiles are transformed.
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "cpu/convolution.h"
#include "cpu/epilogue.h"
#include "cpu/isa/winograd.h"

namespace needletail {

namespace {

constexpr int64_t kLeastChannels = 8;
// One thread's tiles of inputs and gradients: they stay in the second cache.
constexpr int64_t kChunkFloats = 216 << 10;
constexpr int64_t kMostSums = int64_t{16} << 20;  // floats of one thread's sums of weight gradients

int64_t aligned(int64_t floats) { return (floats + 15) / 16 * 16; }

// What both directions share: the team of threads, each with scratch memory of its own behind transformed weights.
struct WinogradRun : Prepared {
  WinogradShape shape;
  Epilogue epilogue;
  int team;
  WinogradWeights weights;
  int64_t weightFloats = 0, threadFloats = 0;

  WinogradRun(const ConvolutionShape& s, const WinogradShape& shape, bool transposed)
      : shape(shape), epilogue(s.params.epilogue), weights{s.o, s.c, transposed} {}

  void start(int64_t parts, bool needsWeights, int64_t scratch, double products) {
    cost = 5000 + products * 0.01;
    threadBound = worthParallel(cost);
    team = static_cast<int>(threadBound ? std::min<int64_t>(threads(), parts) : 1);
    weightFloats = needsWeights ? aligned(weights.floats()) : 0;
    threadFloats = aligned(scratch);
    workspace = static_cast<size_t>(weightFloats + team * threadFloats) * 4;
  }

  // f(id, of, scratch) on each thread, once the weights are transformed, if any.
  template <class F>
  void parallel(Stream& stream, const void* w, F f) const {
    float* space = static_cast<float*>(stream.workspace);
#pragma omp parallel num_threads(team) if (team > 1)
    {
      const int64_t id = omp_get_thread_num(), of = omp_get_num_threads();
      if (w) {
        winogradWeightsForIsa()(weights, static_cast<const float*>(w), weights.blocks() * id / of,
                                weights.blocks() * (id + 1) / of, space);
#pragma omp barrier
      }
      f(id, of, space + weightFloats + id * threadFloats);
    }
  }
};

struct WinogradConvolution final : WinogradRun {
  bool positions;

  WinogradConvolution(const ConvolutionShape& s, const WinogradShape& shape)
      : WinogradRun(s, shape, false), positions(s.positions) {
    start(shape.tiles(), true, winogradForwardScratch(shape), s.products());
  }

  void run(Stream& stream, void* const* buffers) override {
    const Finish finish(epilogue, buffers);
    WinogradForward job{};
    job.shape = shape;
    job.x = static_cast<const float*>(buffers[0]);
    job.weights = static_cast<const float*>(stream.workspace);
    job.bias = finish.bias;
    job.residual = finish.residual;
    job.relu = epilogue.activation == Activation::relu;
    job.y = static_cast<float*>(buffers[epilogue.outputAt()]);
    if (positions) job.positions = static_cast<int32_t*>(buffers[epilogue.outputAt() + 1]);
    parallel(stream, buffers[1], [&](int64_t id, int64_t of, float* scratch) {
      WinogradForward part = job;
      part.scratch = scratch;
      winogradForwardForIsa()(part, shape.tiles() * id / of, shape.tiles() * (id + 1) / of);
    });
  }
};

// The gradient of the input, that of the weights (and bias), or both.
struct WinogradGradients final : WinogradRun {
  Pool pool;
  bool data, sums;
  int64_t sumFloats, belowFloats;

  WinogradGradients(const ConvolutionShape& s, const WinogradShape& shape)
      : WinogradRun(s, shape, true),
        pool(s.params.pool),
        data(s.kernel != Kernel::convolutionWeights),
        sums(s.kernel != Kernel::convolutionData),
        sumFloats(aligned(winogradSums(shape))),
        belowFloats(aligned(winogradBelow(shape))) {
    start(shape.strips(), data, sumFloats + belowFloats + winogradBackwardScratch(shape), s.products() * (data + sums));
  }

  void run(Stream& stream, void* const* buffers) override {
    int next = 0;
    auto buffer = [&] { return static_cast<float*>(buffers[next++]); };
    WinogradBackward job{};
    job.shape = shape;
    job.gradient = buffer();
    if (sums) job.x = buffer();
    const float* w = data ? buffer() : nullptr;
    if (w) job.weights = static_cast<const float*>(stream.workspace);
    if (shape.pooled()) job.positions = static_cast<const int32_t*>(buffers[next++]);
    if (shape.pooled() && pool.reluGradient) job.pooled = buffer();
    if (epilogue.activation == Activation::reluGradient) job.values = buffer();
    if (data) job.dx = buffer();
    float* const dw = sums ? buffer() : nullptr;
    float* const db = epilogue.bias ? buffer() : nullptr;

    parallel(stream, w, [&](int64_t id, int64_t of, float* own) {
      const float* first = own - id * threadFloats;
      WinogradBackward part = job;
      part.sums = own;
      part.below = own + sumFloats;
      part.scratch = part.below + belowFloats;
      const int64_t strip = shape.strips() * id / of;
      winogradBackwardForIsa()(part, strip, shape.strips() * (id + 1) / of);
#pragma omp barrier
      if (data && strip % shape.tilesH() != 0) winogradJoinForIsa()(job, strip, part.below - threadFloats);
      if (sums) {
        winogradWeightGradientForIsa()(shape, first, threadFloats, static_cast<int>(of), shape.o * id / of,
                                       shape.o * (id + 1) / of, dw);
      }
      if (db && id == 0) {
        const float* from = first + winogradBiasAt(shape);
        for (int64_t o = 0; o < shape.o; o++) {
          db[o] = from[o];
          for (int64_t t = 1; t < of; t++) db[o] += from[t * threadFloats + o];
        }
      }
    });
  }
};

// Whether the pooling is one that each tile of 4x4 can do for itself, on whole windows only.
bool fitsTiles(const Pool& p, const WinogradShape& s) {
  return p.maximum && p.size[0] == 2 && p.size[1] == 2 && p.stride[0] == 2 && p.stride[1] == 2 && p.low[0] == 0 &&
         p.low[1] == 0 && 2 * s.pooledH <= s.oh && 2 * s.pooledW <= s.ow;
}

}  // namespace

std::unique_ptr<Prepared> convolutionByWinograd(const ConvolutionShape& s) {
  const Convolution& p = s.params;
  const bool fits = !p.exact && s.dtype == DType::float32 && s.kh == 3 && s.kw == 3 && p.groups == 1 &&
                    p.stride[0] == 1 && p.stride[1] == 1 && p.dilation[0] == 1 && p.dilation[1] == 1 && p.low[0] <= 2 &&
                    p.low[1] <= 2 && p.epilogue.activation != Activation::gelu;
  if (!fits || std::min(s.c, s.o) < kLeastChannels || s.products() == 0) return nullptr;
  WinogradShape shape{s.n, s.h, s.w, s.c, s.oh, s.ow, s.o, {p.low[0], p.low[1]}};
  if (p.pooled) {
    shape.pooledH = s.ph, shape.pooledW = s.pw;
    if (!fitsTiles(p.pool, shape)) return nullptr;
  }
  // Small images would be padding for the most part.
  if (shape.tilesH() * shape.tilesW() * 16 > 2 * s.oh * s.ow) return nullptr;
  const int64_t chunk = kChunkFloats / (kFrequencies * (winogradChannels(s.c) + winogradChannels(s.o)));
  shape.chunk = std::clamp<int64_t>(chunk / 24, 1, 4) * 24;
  if (s.kernel == Kernel::convolution) return std::make_unique<WinogradConvolution>(s, shape);
  if (s.kernel != Kernel::convolutionData && winogradSums(shape) > kMostSums) return nullptr;
  return std::make_unique<WinogradGradients>(s, shape);
}

}  // namespace needletail
