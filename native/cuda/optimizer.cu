// The optimizers' updates: up to 48 parameters in one launch, whose addresses travel with it. Each block has a chunk of
// one.
#include <cmath>

#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"

namespace needletail::cuda {

namespace {

constexpr int64_t kChunk = 4 * kThreads;
constexpr int kMost = 48;  // parameters of one launch: their addresses travel with it

// The numbers of this step; computed on the device, where the rate and the step's number are.
struct StepNumbers {
  float rate, correction, decay;
};

struct UpdateBody {
  Optimizer p;
  int slots;
  const float *rate, *step, *factor;
  struct Parameter {
    void* value;
    const void* gradient;
    float *first, *second;
    int64_t n, chunk;  // elements; the number of its first chunk
    DType dtype;
  } of[kMost];
  int count;

  // In double, as PyTorch has them.
  NT_INLINE StepNumbers numbers() const {
    const double r = *rate;
    if (p.kind == OptimizerKind::sgd) return {static_cast<float>(r), 1, static_cast<float>(p.weightDecay)};
    const double t = *step;
    return {static_cast<float>(r / (1 - std::pow(p.beta1, t))),
            static_cast<float>(1 / std::sqrt(1 - std::pow(p.beta2, t))),
            static_cast<float>(p.kind == OptimizerKind::adamw ? 1 - r * p.weightDecay : p.weightDecay)};
  }

  NT_INLINE void operator()(const Block& block) const {
    if (*factor == 0) return;
    int k = 0;
    while (k + 1 < count && block.index >= of[k + 1].chunk) k++;
    const Parameter& own = of[k];
    const int64_t first = (block.index - own.chunk) * kChunk;
    const int64_t last = first + kChunk < own.n ? first + kChunk : own.n;
    const StepNumbers s = numbers();
    block.each([&](int t) {
      for (int64_t i = first + t; i < last; i += kThreads) {
        const float value = load<float>(own.value, own.dtype, i);
        const float g = *factor * load<float>(own.gradient, own.dtype, i);
        const float next = p.kind == OptimizerKind::sgd ? sgd(s, own, i, value, g) : adam(s, own, i, value, g);
        store<float>(own.value, own.dtype, i, next);
      }
    });
  }

  // Formulas and their order as in torch.optim.SGD.
  NT_INLINE float sgd(const StepNumbers& s, const Parameter& own, int64_t i, float value, float gradient) const {
    const float g = gradient + s.decay * value, momentum = static_cast<float>(p.momentum);
    if (momentum == 0) return value - s.rate * g;
    const float v = own.first[i] * momentum + g;
    own.first[i] = v;
    return value - s.rate * (p.nesterov ? g + momentum * v : v);
  }

  // As torch.optim.Adam and AdamW.
  NT_INLINE float adam(const StepNumbers& s, const Parameter& own, int64_t i, float value, float gradient) const {
    const bool decoupled = p.kind == OptimizerKind::adamw;
    const float kept = decoupled ? value * s.decay : value, g = decoupled ? gradient : gradient + s.decay * value;
    const float m = own.first[i] + static_cast<float>(1 - p.beta1) * (g - own.first[i]);
    const float v = own.second[i] * static_cast<float>(p.beta2) + static_cast<float>(1 - p.beta2) * g * g;
    own.first[i] = m;
    own.second[i] = v;
    return kept - s.rate * (m / (std::sqrt(v) * s.correction + static_cast<float>(p.epsilon)));
  }
};

struct OptimizerRun final : Prepared {
  Optimizer p;
  int slots;
  SmallVector<Spec, 8> specs;

  void run(Stream& stream, void* const* buffers) override {
    for (int begin = 0; begin < p.count; begin += kMost) {
      UpdateBody body{};
      body.p = p;
      body.slots = slots;
      body.rate = static_cast<const float*>(buffers[0]);
      body.step = static_cast<const float*>(buffers[1]);
      body.factor = static_cast<const float*>(buffers[2]);
      int64_t chunks = 0;
      for (int k = begin; k < std::min(p.count, begin + kMost); k++) {
        void* const* own = buffers + Optimizer::kScalars + k * (2 + slots);
        const int64_t n = specs[k].elements();
        body.of[body.count++] = {own[0],
                                 own[1],
                                 slots > 0 ? static_cast<float*>(own[2]) : nullptr,
                                 slots > 1 ? static_cast<float*>(own[3]) : nullptr,
                                 n,
                                 chunks,
                                 specs[k].dtype};
        chunks += (n + kChunk - 1) / kChunk;
      }
      blocks(stream, chunks, body);
    }
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareOptimizer(const Call& call) {
  auto run = std::make_unique<OptimizerRun>();
  run->p = read<Optimizer>(call.params);
  run->slots = run->p.kind != OptimizerKind::sgd ? 2 : run->p.momentum != 0 ? 1 : 0;
  for (int k = 0; k < run->p.count; k++) run->specs.push_back(call.in[Optimizer::kScalars + k * (2 + run->slots)]);
  return run;
}

}  // namespace needletail::cuda
