// 3x3 convolutions of stride 1 by Winograd's algorithm: a quarter of the multiplications of a direct one. Pools over
// 2x2 windows and the gradients of ReLUs are done while tiles are transformed.
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "cpu/convolution.h"
#include "cpu/dtype.h"
#include "cpu/isa/winograd.h"

namespace needletail {

namespace {

// Fewer are convolutionByDirect's, so that what is fused into a call doesn't change how it is computed.
constexpr int64_t kLeastChannels = 9;
// Units of one thread's tiles of inputs and gradients: where channels are few they stay in the second cache.
constexpr int64_t kChunkUnits = 216 << 10;
// Transformed weights are four times as many: those that don't stay in the second cache are read for so many tiles.
constexpr int64_t kCachedWeights = 256 << 10, kLeastTiles = 24;
constexpr int64_t kMostSums = int64_t{16} << 20;  // units of one thread's sums of weight gradients

// What both directions share: transformed weights, and a team of threads that each have scratch memory of their own.
struct WinogradRun : Prepared {
  WinogradShape shape;
  Epilogue epilogue;
  WinogradWeights weights;
  int team;
  int64_t threadUnits;

  // weightsInput: which of the inputs, or -1
  WinogradRun(const ConvolutionShape& s, const WinogradShape& shape, bool transposed, int weightsInput, int64_t parts,
              int64_t threadUnits, double products)
      : shape(shape), epilogue(s.params.epilogue), weights{s.o, s.c, shape.half, transposed}, threadUnits(threadUnits) {
    cost = 5000 + products * 0.01;
    threadBound = worthParallel(cost);
    team = static_cast<int>(threadBound ? std::min<int64_t>(threads(), parts) : 1);
    if (weightsInput >= 0) packing = {weightsInput, static_cast<size_t>(weights.units()) * 4};
    workspace = packing.bytes + static_cast<size_t>(team * threadUnits) * 4;
  }

  // f(id, of) on each thread.
  template <class F>
  void parallel(F f) const {
#pragma omp parallel num_threads(team) if (team > 1)
    f(omp_get_thread_num(), omp_get_num_threads());
  }
  void transform(const void* w, void* to, int64_t id, int64_t of) const {
    winogradWeightsForIsa()(weights, w, weights.blocks() * id / of, weights.blocks() * (id + 1) / of,
                            static_cast<float*>(to));
  }
  float* scratch(Stream& stream, int64_t id) const {
    return reinterpret_cast<float*>(static_cast<char*>(stream.workspace) + packing.bytes) + id * threadUnits;
  }

  // w: the weights, still to be transformed into the workspace; null: transformed ones are among the buffers.
  virtual void compute(Stream& stream, void* const* buffers, const void* w) const = 0;
  void run(Stream& stream, void* const* buffers) override {
    compute(stream, buffers, packing.input < 0 ? nullptr : buffers[packing.input]);
  }
  void runPacked(Stream& stream, void* const* buffers) override { compute(stream, buffers, nullptr); }
  void pack(Stream&, const void* input, void* packed) override {
    parallel([&](int64_t id, int64_t of) { transform(input, packed, id, of); });
  }
};

struct WinogradConvolution final : WinogradRun {
  bool positions;

  WinogradConvolution(const ConvolutionShape& s, const WinogradShape& shape)
      : WinogradRun(s, shape, false, 1, shape.tiles(), WinogradForwardScratch(shape).units, s.products()),
        positions(s.positions) {}

  void compute(Stream& stream, void* const* buffers, const void* w) const override {
    WinogradForward job{};
    int next = 0;
    job.shape = shape;
    job.x = buffers[next++];
    job.weights = static_cast<const float*>(w ? stream.workspace : buffers[next]);
    next++;
    if (epilogue.bias) job.bias = buffers[next++];
    if (epilogue.residual) job.residual = buffers[next++];
    job.relu = epilogue.activation == Activation::relu;
    job.y = buffers[next++];
    if (positions) job.positions = static_cast<int32_t*>(buffers[next]);
    parallel([&](int64_t id, int64_t of) {
      if (w) {
        transform(w, stream.workspace, id, of);
#pragma omp barrier
      }
      WinogradForward part = job;
      part.scratch = scratch(stream, id);
      winogradForwardForIsa()(part, shape.tiles() * id / of, shape.tiles() * (id + 1) / of);
    });
  }
};

// The gradient of the input, that of the weights (and bias), or both.
struct WinogradGradients final : WinogradRun {
  bool data, sums, pooledRelu;
  WinogradBackwardScratch layout;

  WinogradGradients(const ConvolutionShape& s, const WinogradShape& shape, bool data, bool sums)
      : WinogradRun(s, shape, true, data ? 1 + sums : -1, shape.strips(), WinogradBackwardScratch(shape).units,
                    s.products() * (data + sums)),
        data(data),
        sums(sums),
        pooledRelu(s.params.pooled && s.params.pool.reluGradient),
        layout(shape) {}

  void compute(Stream& stream, void* const* buffers, const void* w) const override {
    WinogradBackward job{};
    int next = 0;
    job.shape = shape;
    job.gradient = buffers[next++];
    if (sums) job.x = buffers[next++];
    if (data) job.weights = static_cast<const float*>(w ? stream.workspace : buffers[next]), next++;
    if (shape.pooled()) job.positions = static_cast<const int32_t*>(buffers[next++]);
    if (pooledRelu) job.pooled = buffers[next++];
    if (epilogue.activation == Activation::reluGradient) job.values = buffers[next++];
    if (data) job.dx = buffers[next++];
    void* const dw = sums ? buffers[next++] : nullptr;
    void* const db = epilogue.bias ? buffers[next++] : nullptr;

    parallel([&](int64_t id, int64_t of) {
      if (w) {
        transform(w, stream.workspace, id, of);
#pragma omp barrier
      }
      WinogradBackward part = job;
      part.scratch = scratch(stream, id);
      const int64_t strip = shape.strips() * id / of;
      winogradBackwardForIsa()(part, strip, shape.strips() * (id + 1) / of);
#pragma omp barrier
      if (data && strip % shape.tilesH() != 0) winogradJoinForIsa()(job, strip, scratch(stream, id - 1));
      if (sums)
        winogradWeightGradientForIsa()(shape, scratch(stream, 0), threadUnits, static_cast<int>(of), shape.o * id / of,
                                       shape.o * (id + 1) / of, dw);
      if (db && id == 0) biasGradient(scratch(stream, 0) + layout.bias, of, db);
    });
  }

  // The sum of what all threads have, `of` of them.
  void biasGradient(float* sums, int64_t of, void* db) const {
    for (int64_t t = 1; t < of; t++) {
      for (int64_t o = 0; o < shape.o; o++) sums[o] += sums[t * threadUnits + o];
    }
    if (shape.half)
      floatToHalf(DType::bfloat16, sums, db, shape.o);
    else
      std::memcpy(db, sums, static_cast<size_t>(shape.o) * 4);
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
  const bool half = s.dtype == DType::bfloat16 && hasBFloat16();
  const bool fits = (half || s.dtype == DType::float32) && s.kh == 3 && s.kw == 3 && p.groups == 1 &&
                    p.hasUnitSteps() && p.low[0] <= 2 && p.low[1] <= 2 && p.epilogue.activation != Activation::gelu;
  if (!fits || std::min(s.c, s.o) < kLeastChannels || s.products() == 0) return nullptr;
  WinogradShape shape{s.n, s.h, s.w, s.c, s.oh, s.ow, s.o, {p.low[0], p.low[1]}, half};
  if (p.pooled) {
    shape.pooledH = s.ph, shape.pooledW = s.pw;
    if (!fitsTiles(p.pool, shape)) return nullptr;
  }
  // Small images would be padding for the most part.
  if (shape.tilesH() * shape.tilesW() * 16 > 2 * s.oh * s.ow) return nullptr;
  const WinogradWeights weights{s.o, s.c, half, false};
  if (weights.units() > kCachedWeights && shape.tiles() < kLeastTiles) return nullptr;
  const int64_t chunk = kChunkUnits / (kFrequencies * (winogradChannels(s.c) + winogradChannels(s.o)));
  shape.chunk = std::clamp<int64_t>(chunk / 24, 2, 4) * 24;
  if (s.kernel == Kernel::convolution) return std::make_unique<WinogradConvolution>(s, shape);
  const bool data = s.kernel != Kernel::convolutionWeights, sums = s.kernel != Kernel::convolutionData;
  if (sums && kFrequencies * s.o * s.c > kMostSums) return nullptr;
  return std::make_unique<WinogradGradients>(s, shape, data, sums);
}

}  // namespace needletail
