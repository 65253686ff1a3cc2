// The optimizers' updates: every parameter is cut into chunks, and the threads share the chunks.
#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/isa/optimizer.h"
#include "cpu/kernels.h"

namespace needletail {

namespace {

constexpr int64_t kChunk = 1024;  // whose numbers, converted ones too, stay in the first cache

struct Chunk {
  int parameter;
  int64_t first, count;
};

struct OptimizerRun final : Prepared {
  Optimizer params;
  int slots;
  int copiesAt;  // among the buffers
  struct DTypes {
    DType parameter, gradient, copy;
  };
  std::vector<DTypes> dtypes;
  std::vector<Chunk> chunks;
  bool parallel;

  // The numbers of this step, in double as PyTorch has them.
  OptimizerStep numbers(double rate, double step, float factor) const {
    OptimizerStep s{};
    s.factor = factor;
    s.momentum = static_cast<float>(params.momentum);
    s.rate = static_cast<float>(rate);
    s.decay = static_cast<float>(params.weightDecay);
    if (params.kind == OptimizerKind::sgd) return s;
    if (params.kind == OptimizerKind::adamw) s.decay = static_cast<float>(1 - rate * params.weightDecay);
    s.rate = static_cast<float>(rate / (1 - std::pow(params.beta1, step)));
    s.correction = static_cast<float>(1 / std::sqrt(1 - std::pow(params.beta2, step)));
    s.beta2 = static_cast<float>(params.beta2);
    s.rest1 = static_cast<float>(1 - params.beta1);
    s.rest2 = static_cast<float>(1 - params.beta2);
    s.epsilon = static_cast<float>(params.epsilon);
    return s;
  }

  void update(const OptimizerStep& step, int64_t n, float* parameter, const float* gradient, float* first,
              float* second) const {
    if (params.kind == OptimizerKind::sgd) {
      const SgdKind kind = params.momentum == 0 ? SgdKind::plain
                           : params.nesterov    ? SgdKind::nesterov
                                                : SgdKind::momentum;
      sgdChunkForIsa()(step, kind, n, parameter, gradient, first);
    } else {
      adamChunkForIsa()(step, params.kind == OptimizerKind::adamw, n, parameter, gradient, first, second);
    }
  }

  void chunk(const OptimizerStep& step, const Chunk& c, void* const* buffers) const {
    void* const* own = buffers + Optimizer::kScalars + c.parameter * (2 + slots);
    float* first = slots > 0 ? static_cast<float*>(own[2]) + c.first : nullptr;
    float* second = slots > 1 ? static_cast<float*>(own[3]) + c.first : nullptr;
    const DTypes of = dtypes[c.parameter];
    float values[kChunk], gradients[kChunk];
    floats(of.parameter, own[0], c.first, c.count, values);
    float* parameter = target(of.parameter, own[0], c.first, values);
    update(step, c.count, parameter, floats(of.gradient, own[1], c.first, c.count, gradients), first, second);
    finish(of.parameter, own[0], c.first, c.count, parameter);
    if (c.parameter < params.copies) finish(of.copy, buffers[copiesAt + c.parameter], c.first, c.count, parameter);
  }

  void run(Stream&, void* const* buffers) override {
    auto scalar = [&](int i) { return *static_cast<const float*>(buffers[i]); };
    if (scalar(2) == 0) return;
    const OptimizerStep step = numbers(scalar(0), scalar(1), scalar(2));
    const int count = static_cast<int>(chunks.size());
#pragma omp parallel for schedule(static) num_threads(threads()) if (parallel)
    for (int i = 0; i < count; i++) chunk(step, chunks[i], buffers);
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareOptimizer(const Call& call) {
  auto run = std::make_unique<OptimizerRun>();
  run->params = read<Optimizer>(call.params);
  run->slots = run->params.slots();
  const int inPlace = run->params.count * (1 + run->slots);
  run->copiesAt = static_cast<int>(call.in.size()) + inPlace;
  double total = 0;
  for (int p = 0; p < run->params.count; p++) {
    const int own = Optimizer::kScalars + p * (2 + run->slots);
    const Spec& spec = call.in[own];
    const DType copy = p < run->params.copies ? call.out[inPlace + p].dtype : spec.dtype;
    run->dtypes.push_back({spec.dtype, call.in[own + 1].dtype, copy});
    const int64_t n = spec.elements();
    for (int64_t first = 0; first < n; first += kChunk) run->chunks.push_back({p, first, std::min(kChunk, n - first)});
    total += static_cast<double>(n);
  }
  run->cost = 50 + total * (1 + run->slots) * 0.5;
  run->parallel = run->threadBound = worthParallel(run->cost);
  return run;
}

}  // namespace needletail
