// 3x3 convolutions of stride 1 over float32 by Winograd's algorithm: a quarter of the multiplications of a direct one.
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "cpu/convolution.h"
#include "cpu/epilogue.h"
#include "cpu/isa/winograd.h"

namespace needletail {

namespace {

constexpr int64_t kLeastChannels = 8, kMostChannels = 8192;
constexpr int64_t kChunkFloats = 192 << 10;  // of one thread's tiles: they stay in the second cache
constexpr int64_t kMostSums = int64_t{16} << 20;  // floats of one thread's sums of weight gradients

int64_t aligned(int64_t floats) { return (floats + 15) / 16 * 16; }

struct WinogradRun final : Prepared {
  Kernel kernel;
  WinogradShape shape;
  Epilogue epilogue;
  int team;
  int64_t weightsFloats = 0, scratchFloats = 0, sumsFloats = 0;

  void run(Stream& stream, void* const* buffers) override {
    float* space = static_cast<float*>(stream.workspace);
    if (kernel == Kernel::convolutionWeights)
      gradient(space, buffers);
    else
      forward(space, buffers);
  }

  // The convolution, or the gradient of its input: a convolution of the gradient with the weights turned round.
  void forward(float* space, void* const* buffers) const {
    const float* w = static_cast<const float*>(buffers[1]);
    const bool data = kernel == Kernel::convolutionData;
    const Finish finish(epilogue, buffers);
    WinogradForward job{shape,
                        static_cast<const float*>(buffers[0]),
                        space,
                        finish.bias,
                        finish.residual,
                        epilogue.activation == Activation::relu,
                        static_cast<float*>(buffers[epilogue.outputAt()]),
                        nullptr};
    const auto weights = winogradWeightsForIsa();
    const auto weightsTurned = winogradWeightsTurnedForIsa();
    const auto compute = winogradForwardForIsa();
    const int64_t panels = gemmPanels(shape.o), rows = winogradChannels(shape.c);
#pragma omp parallel num_threads(team) if (team > 1)
    {
      const int64_t id = omp_get_thread_num(), of = omp_get_num_threads();
      // Turned weights have the gradient's channels, which are this convolution's inputs, as rows.
      if (data)
        weightsTurned(w, shape.c, shape.o, rows * id / of, rows * (id + 1) / of, space);
      else
        weights(w, shape.o, shape.c, panels * id / of * kGemmWidth, panels * (id + 1) / of * kGemmWidth, space);
#pragma omp barrier
      WinogradForward part = job;
      part.scratch = space + weightsFloats + id * scratchFloats;
      compute(part, shape.tiles() * id / of, shape.tiles() * (id + 1) / of);
    }
  }

  void gradient(float* space, void* const* buffers) const {
    const auto compute = winogradGradientForIsa();
    const auto finish = winogradGradientFinishForIsa();
    float* dw = static_cast<float*>(buffers[2]);
    int64_t parts = 1;
#pragma omp parallel num_threads(team) if (team > 1)
    {
      const int64_t id = omp_get_thread_num(), of = omp_get_num_threads();
      if (id == 0) parts = of;
      float* sums = space + id * (sumsFloats + scratchFloats);
      std::memset(sums, 0, static_cast<size_t>(sumsFloats) * 4);
      compute({shape, static_cast<const float*>(buffers[1]), static_cast<const float*>(buffers[0]), sums,
               sums + sumsFloats},
              shape.tiles() * id / of, shape.tiles() * (id + 1) / of);
#pragma omp barrier
      finish(shape, space, sumsFloats + scratchFloats, static_cast<int>(of), shape.o * id / of, shape.o * (id + 1) / of,
             dw);
    }
    if (!epilogue.bias) return;
    float* db = static_cast<float*>(buffers[3]);
    const float* from = space + winogradBiasAt(shape);
    for (int64_t o = 0; o < shape.o; o++) {
      db[o] = from[o];
      for (int64_t t = 1; t < parts; t++) db[o] += from[t * (sumsFloats + scratchFloats) + o];
    }
  }
};

}  // namespace

std::unique_ptr<Prepared> convolutionByWinograd(const ConvolutionShape& s) {
  const Convolution& p = s.params;
  const bool fits = s.dtype == DType::float32 && s.kh == 3 && s.kw == 3 && p.groups == 1 && p.stride[0] == 1 &&
                    p.stride[1] == 1 && p.dilation[0] == 1 && p.dilation[1] == 1 && p.low[0] <= 2 && p.low[1] <= 2 &&
                    p.epilogue.activation != Activation::gelu;
  const int64_t least = std::min(s.c, s.o), most = std::max(s.c, s.o);
  if (!fits || least < kLeastChannels || most > kMostChannels || s.products() == 0) return nullptr;

  auto run = std::make_unique<WinogradRun>();
  WinogradShape& w = run->shape;
  if (s.kernel == Kernel::convolutionData) {
    w = {s.n, s.oh, s.ow, s.o, s.h, s.w, s.c, {2 - p.low[0], 2 - p.low[1]}, 0, 0, 0};
  } else {
    w = {s.n, s.h, s.w, s.c, s.oh, s.ow, s.o, {p.low[0], p.low[1]}, 0, 0, 0};
  }
  w.tilesH = (w.oh + 3) / 4;
  w.tilesW = (w.ow + 3) / 4;
  if (w.tilesH * w.tilesW * 16 > 2 * w.oh * w.ow) return nullptr;  // small images would be padding for the most part
  w.chunk = kChunkFloats / (kFrequencies * (winogradChannels(s.c) + winogradChannels(s.o))) / 8 * 8;
  w.chunk = std::clamp<int64_t>(w.chunk, 8, 64);

  run->kernel = s.kernel;
  run->epilogue = p.epilogue;
  run->cost = 5000 + s.products() * 0.01;
  run->threadBound = worthParallel(run->cost);
  run->team = run->threadBound ? threads() : 1;
  if (s.kernel == Kernel::convolutionWeights) {
    run->sumsFloats = aligned(winogradSums(w));
    run->scratchFloats = aligned(winogradGradientScratch(w));
    if (run->sumsFloats > kMostSums) return nullptr;
    run->workspace = static_cast<size_t>(run->team * (run->sumsFloats + run->scratchFloats)) * 4;
  } else {
    run->weightsFloats = aligned(kFrequencies * winogradStride(winogradChannels(w.c) * gemmPanels(w.o) * kGemmWidth));
    run->scratchFloats = aligned(winogradForwardScratch(w));
    run->workspace = static_cast<size_t>(run->weightsFloats + run->team * run->scratchFloats) * 4;
  }
  return run;
}

}  // namespace needletail
