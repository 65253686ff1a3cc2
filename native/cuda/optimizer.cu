// The optimizers' updates: the parameters of a model in one launch, whose addresses travel with it. Each block has a
// chunk of one parameter.
#include <cmath>

#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"

namespace needletail::cuda {

namespace {

constexpr int V = 4;  // elements that a thread takes at a time
constexpr int64_t kChunk = 16 * kThreads;
// Parameters of one launch. A launch takes 32,764 bytes along, since CUDA 12.1; few parameters don't fill that.
constexpr int kFew = 48, kMost = 512;

struct Parameter {
  void* value;
  const void* gradient;
  float *first, *second;  // slots
  int64_t n;
  uint32_t chunk;  // the number of its first
  DType dtype, gradientType;
};

// The numbers of this step; computed on the device, where the rate and the step's number are.
struct StepNumbers {
  float rate, correction, decay;
};

template <int Most>
struct UpdateBody {
  Optimizer p;
  const float *rate, *step, *factor;
  int count = 0;
  Parameter of[Most];

  // In double, as PyTorch has them.
  NT_INLINE StepNumbers numbers() const {
    const double r = *rate;
    if (p.kind == OptimizerKind::sgd) return {static_cast<float>(r), 1, static_cast<float>(p.weightDecay)};
    const double t = *step;
    return {static_cast<float>(r / (1 - std::pow(p.beta1, t))),
            static_cast<float>(1 / std::sqrt(1 - std::pow(p.beta2, t))),
            static_cast<float>(p.kind == OptimizerKind::adamw ? 1 - r * p.weightDecay : p.weightDecay)};
  }

  // The last parameter that begins at this chunk or before it.
  NT_INLINE int parameterOf(int64_t chunk) const {
    int low = 0, high = count;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (chunk >= of[middle].chunk ? low : high) = middle;
    }
    return low;
  }

  NT_INLINE void operator()(const Block& block) const {
    const float scale = *factor;
    if (scale == 0) return;  // the same for all threads
    const StepNumbers s = block.once([&] { return numbers(); });
    const Parameter& own = of[parameterOf(block.index)];
    const int64_t first = (block.index - own.chunk) * kChunk, last = first + kChunk < own.n ? first + kChunk : own.n;
    block.each([&](int t) {
      for (int64_t i = first + t * V; i < last; i += kThreads * V) {
        if (i + V <= last) {
          update<V>(s, own, i, scale);
        } else {
          for (int64_t e = i; e < last; e++) update<1>(s, own, e, scale);
        }
      }
    });
  }

  template <int N>
  NT_INLINE void update(const StepNumbers& s, const Parameter& own, int64_t i, float scale) const {
    float value[N], gradient[N], first[N] = {}, second[N] = {};
    loadFloats(own.value, own.dtype, i, value);
    loadFloats(own.gradient, own.gradientType, i, gradient);
    if (own.first) loadFloats(own.first, DType::float32, i, first);
    if (own.second) loadFloats(own.second, DType::float32, i, second);
    NT_UNROLL
    for (int e = 0; e < N; e++) {
      value[e] = p.kind == OptimizerKind::sgd ? sgd(s, value[e], scale * gradient[e], first[e])
                                              : adam(s, value[e], scale * gradient[e], first[e], second[e]);
    }
    storeFloats(own.value, own.dtype, i, value);
    if (own.first) storeFloats(own.first, DType::float32, i, first);
    if (own.second) storeFloats(own.second, DType::float32, i, second);
  }

  // Formulas and their order as in torch.optim.SGD.
  NT_INLINE float sgd(const StepNumbers& s, float value, float gradient, float& velocity) const {
    const float g = gradient + s.decay * value, momentum = static_cast<float>(p.momentum);
    if (momentum == 0) return value - s.rate * g;
    velocity = velocity * momentum + g;
    return value - s.rate * (p.nesterov ? g + momentum * velocity : velocity);
  }

  // As torch.optim.Adam and AdamW.
  NT_INLINE float adam(const StepNumbers& s, float value, float gradient, float& m, float& v) const {
    const bool decoupled = p.kind == OptimizerKind::adamw;
    const float kept = decoupled ? value * s.decay : value, g = decoupled ? gradient : gradient + s.decay * value;
    m = m + static_cast<float>(1 - p.beta1) * (g - m);
    v = v * static_cast<float>(p.beta2) + static_cast<float>(1 - p.beta2) * g * g;
    return kept - s.rate * (m / (std::sqrt(v) * s.correction + static_cast<float>(p.epsilon)));
  }
};

struct OptimizerRun final : Prepared {
  Optimizer p;
  int slots;
  SmallVector<Spec, 8> specs;
  SmallVector<DType, 8> gradientTypes;

  void run(Stream& stream, void* const* buffers) override {
    for (int begin = 0; begin < p.count; begin += kMost) {
      const int count = std::min(p.count - begin, kMost);
      count <= kFew ? launch<kFew>(stream, buffers, begin, count) : launch<kMost>(stream, buffers, begin, count);
    }
  }
  template <int Most>
  void launch(Stream& stream, void* const* buffers, int begin, int count) const {
    UpdateBody<Most> body{};
    body.p = p;
    body.rate = static_cast<const float*>(buffers[0]);
    body.step = static_cast<const float*>(buffers[1]);
    body.factor = static_cast<const float*>(buffers[2]);
    int64_t chunks = 0;
    for (int k = begin; k < begin + count; k++) {
      void* const* own = buffers + Optimizer::kScalars + k * (2 + slots);
      const int64_t n = specs[k].elements();
      body.of[body.count++] = {own[0],
                               own[1],
                               slots > 0 ? static_cast<float*>(own[2]) : nullptr,
                               slots > 1 ? static_cast<float*>(own[3]) : nullptr,
                               n,
                               static_cast<uint32_t>(chunks),
                               specs[k].dtype,
                               gradientTypes[k]};
      chunks += (n + kChunk - 1) / kChunk;
    }
    blocks(stream, chunks, body);
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareOptimizer(const Call& call) {
  auto run = std::make_unique<OptimizerRun>();
  run->p = read<Optimizer>(call.params);
  run->slots = run->p.slots();
  for (int k = 0; k < run->p.count; k++) {
    const int own = Optimizer::kScalars + k * (2 + run->slots);
    run->specs.push_back(call.in[own]);
    run->gradientTypes.push_back(call.in[own + 1].dtype);
  }
  return run;
}

}  // namespace needletail::cuda
