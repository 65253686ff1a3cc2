// Softmax along any axis and cross-entropy. The last axis is worked off row by row; another one in panels of columns
// that are copied into scratch memory, as are the half types.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "cpu/isa/softmax.h"

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/kernels.h"

namespace needletail {

namespace {

constexpr int64_t kPanel = 8192;  // numbers in a panel, unless a single column is longer
constexpr int64_t kScratch = 1 << 22;  // numbers in all panels at once, unless one is larger
constexpr int kParts = 32;

// A panel [n][width] of float32 from a tensor [n][stride]; columns beyond `count` are 0.
template <class T>
void loadPanel(const T* from, int64_t n, int64_t stride, int64_t count, int64_t width, float* panel) {
  for (int64_t i = 0; i < n; i++) {
    for (int64_t c = 0; c < count; c++) panel[i * width + c] = static_cast<float>(from[i * stride + c]);
    for (int64_t c = count; c < width; c++) panel[i * width + c] = 0;
  }
}
template <class T>
void storePanel(const float* panel, int64_t n, int64_t stride, int64_t count, int64_t width, T* to) {
  for (int64_t i = 0; i < n; i++) {
    for (int64_t c = 0; c < count; c++) to[i * stride + c] = static_cast<T>(panel[i * width + c]);
  }
}

// softmax and its gradient: inputs (x) or (gradient, y), each [outer][n][inner].
struct SoftmaxRun final : Prepared {
  bool log, gradient;
  DType dtype;
  int64_t outer, n, inner;
  int64_t width;  // columns of a panel
  int64_t panels;  // per outer index
  int parts;
  int64_t scratch;  // numbers per part
  bool parallel;

  template <class T>
  void panel(int64_t index, void* const* buffers, float* memory) const {
    const int64_t first = index % panels * width, offset = index / panels * n * inner + first;
    const int64_t count = std::min(width, inner - first);
    const T* a = static_cast<const T*>(buffers[0]) + offset;
    T* out = static_cast<T*>(buffers[gradient ? 2 : 1]) + offset;
    const T* b = gradient ? static_cast<const T*>(buffers[1]) + offset : nullptr;
    if constexpr (std::is_same_v<T, float>) {
      if (inner == 1) {
        if (gradient)
          softmaxGradientRowForIsa()(log, n, a, b, out);
        else
          softmaxRowForIsa()(log, n, a, out);
        return;
      }
    }
    float* second = memory + n * width;
    loadPanel(a, n, inner, count, width, memory);
    if (gradient) loadPanel(b, n, inner, count, width, second);
    if (inner == 1) {
      if (gradient)
        softmaxGradientRowForIsa()(log, n, memory, second, memory);
      else
        softmaxRowForIsa()(log, n, memory, memory);
    } else {
      if (gradient)
        softmaxGradientColumnsForIsa()(log, n, width, memory, second);
      else
        softmaxColumnsForIsa()(log, n, width, memory);
    }
    storePanel(memory, n, inner, count, width, out);
  }

  void run(Stream& stream, void* const* buffers) override {
    const int64_t total = outer * panels;
#pragma omp parallel for schedule(static) num_threads(threads()) if (parallel)
    for (int part = 0; part < parts; part++) {
      float* memory = static_cast<float*>(stream.workspace) + part * scratch;
      for (int64_t i = total * part / parts; i < total * (part + 1) / parts; i++) {
        switch (dtype) {
          case DType::float32: panel<float>(i, buffers, memory); break;
          case DType::bfloat16: panel<BFloat16>(i, buffers, memory); break;
          default: panel<Float16>(i, buffers, memory);
        }
      }
    }
  }
};

std::unique_ptr<Prepared> prepare(const Call& call, bool gradient) {
  const auto params = read<Softmax>(call.params);
  const Spec& x = call.in[0];
  auto run = std::make_unique<SoftmaxRun>();
  run->log = params.log;
  run->gradient = gradient;
  run->dtype = x.dtype;
  run->outer = x.shape.product(0, params.axis);
  run->n = x.shape[params.axis];
  run->inner = x.shape.product(params.axis + 1, x.shape.rank());
  constexpr int64_t lanes = kSoftmaxLanes;
  const int64_t columns = (run->inner + lanes - 1) / lanes * lanes;
  run->width = run->inner == 1 ? 1 : std::clamp(kPanel / run->n / lanes * lanes, lanes, columns);
  run->panels = (run->inner + run->width - 1) / run->width;
  const bool direct = run->inner == 1 && x.dtype == DType::float32;
  run->scratch = direct ? 0 : run->n * run->width * (gradient ? 2 : 1);
  const int64_t fit = direct ? kParts : std::clamp<int64_t>(kScratch / run->scratch, 1, kParts);
  run->parts = static_cast<int>(std::min(fit, run->outer * run->panels));
  run->workspace = static_cast<size_t>(run->scratch * run->parts) * sizeof(float);
  run->cost = 50 + static_cast<double>(x.elements()) * 2 + static_cast<double>(run->outer * run->panels) * 10;
  run->parallel = run->threadBound = worthParallel(run->cost);
  return run;
}

// Rows of logits, one loss or one row of the gradient each.
struct CrossEntropyRun final : Prepared {
  CrossEntropy params;
  bool gradient;
  DType dtype, labelType;
  int64_t n, classes;
  int parts;
  bool parallel;

  int64_t label(const void* labels, int64_t i) const {
    return labelType == DType::int32 ? static_cast<const int32_t*>(labels)[i] : static_cast<const int64_t*>(labels)[i];
  }

  // losses: null, if the gradient alone is wanted.
  void row(int64_t i, const CrossEntropyRow& task, const void* logits, const float* incoming, void* out, float* losses,
           float* memory) const {
    const float* x = static_cast<const float*>(logits) + i * classes;
    const bool wide = dtype == DType::float32;
    if (!wide) {
      halfToFloat(dtype, static_cast<const uint16_t*>(logits) + i * classes, memory, classes);
      x = memory;
    }
    float* loss = losses ? losses + i : nullptr;
    if (!gradient) return crossEntropyRowForIsa()(task, x, loss);
    float* dx = wide ? static_cast<float*>(out) + i * classes : memory + classes;
    crossEntropyGradientRowForIsa()(task, incoming[i], x, dx, loss);
    if (!wide) floatToHalf(dtype, dx, static_cast<uint16_t*>(out) + i * classes, classes);
  }

  void run(Stream& stream, void* const* buffers) override {
    const int first = gradient ? 1 : 0;
    const float* incoming = gradient ? static_cast<const float*>(buffers[0]) : nullptr;
    const void *logits = buffers[first], *labels = buffers[first + 1];
    const float* weights = params.weighted ? static_cast<const float*>(buffers[first + 2]) : nullptr;
    void* const* out = buffers + first + 2 + (params.weighted ? 1 : 0);
    float* losses = !gradient || params.losses ? static_cast<float*>(out[gradient ? 1 : 0]) : nullptr;
    for (int64_t i = 0; i < n; i++) {
      const int64_t l = label(labels, i);
      if (l < 0 || l >= classes) {
        throw Error("expected labels in [0, " + std::to_string(classes) + "), got " + std::to_string(l) + ".",
                    Fault::device);
      }
    }
    float weightSum = static_cast<float>(classes);
    if (weights) {
      weightSum = 0;
      for (int64_t c = 0; c < classes; c++) weightSum += weights[c];
    }
#pragma omp parallel for schedule(static) num_threads(threads()) if (parallel)
    for (int part = 0; part < parts; part++) {
      float* memory = static_cast<float*>(stream.workspace) + part * 2 * classes;
      for (int64_t i = n * part / parts; i < n * (part + 1) / parts; i++) {
        row(i, {classes, label(labels, i), weights, static_cast<float>(params.smoothing), weightSum}, logits, incoming,
            out[0], losses, memory);
      }
    }
  }
};

std::unique_ptr<Prepared> prepareEntropy(const Call& call, bool gradient) {
  const int first = gradient ? 1 : 0;
  auto run = std::make_unique<CrossEntropyRun>();
  run->params = read<CrossEntropy>(call.params);
  run->gradient = gradient;
  const Spec& logits = call.in[first];
  run->dtype = logits.dtype;
  run->labelType = call.in[first + 1].dtype;
  run->n = logits.shape[0];
  run->classes = logits.shape[1];
  run->parts = static_cast<int>(std::min<int64_t>(kParts, run->n));
  if (run->dtype != DType::float32) run->workspace = static_cast<size_t>(run->parts * 2 * run->classes) * sizeof(float);
  run->cost = 50 + static_cast<double>(run->n) * (30 + 2 * static_cast<double>(run->classes));
  run->parallel = run->threadBound = worthParallel(run->cost);
  return run;
}

}  // namespace

std::unique_ptr<Prepared> prepareSoftmax(const Call& call) { return prepare(call, false); }
std::unique_ptr<Prepared> prepareSoftmaxGradient(const Call& call) { return prepare(call, true); }
std::unique_ptr<Prepared> prepareSoftmaxCrossEntropy(const Call& call) { return prepareEntropy(call, false); }
std::unique_ptr<Prepared> prepareSoftmaxCrossEntropyGradient(const Call& call) { return prepareEntropy(call, true); }
// Its parts are found in the cache.
std::unique_ptr<Prepared> prepareLinearCrossEntropyGradient(const Call&) { return nullptr; }

}  // namespace needletail
