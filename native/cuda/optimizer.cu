// The optimizers' updates: the parameters of a model in one launch.
#include <cmath>

#include "cuda/chunks.h"
#include "cuda/kernels.h"
#include "cuda/load.h"

namespace needletail::cuda {

namespace {

struct Parameter {
  void* value;
  const void* gradient;
  float *first, *second;  // slots
  void* copy;  // in half precision, for products; null: none
  DType dtype, gradientType, copyType;
};

// The numbers of this step; computed on the device, where the rate and the step's number are.
struct StepNumbers {
  float rate, correction, decay;
};

// base^t for the whole number t that a step is. std::pow takes thousands of cycles in double, for which a block waits.
NT_INLINE double power(double base, double t) {
  double result = 1;
  for (uint64_t n = static_cast<uint64_t>(t); n > 0; n >>= 1, base *= base) {
    if (n & 1) result *= base;
  }
  return result;
}

template <class Parameters>
struct UpdateBody {
  Optimizer p;
  const float *rate, *step, *factor;
  Parameters parameters;

  // In double, as PyTorch has them.
  NT_INLINE StepNumbers numbers() const {
    const double r = *rate;
    if (p.kind == OptimizerKind::sgd) return {static_cast<float>(r), 1, static_cast<float>(p.weightDecay)};
    const double t = *step;
    return {static_cast<float>(r / (1 - power(p.beta1, t))), static_cast<float>(1 / std::sqrt(1 - power(p.beta2, t))),
            static_cast<float>(p.kind == OptimizerKind::adamw ? 1 - r * p.weightDecay : p.weightDecay)};
  }

  NT_INLINE void operator()(const Block& block) const {
    const auto part = parameters.part(block);
    const auto firstOf = [&](int t) { return part.first + t * kPerThread; };
    const auto isWhole = [&](int64_t i) { return i + kPerThread <= part.last; };
    const float scale = *factor;
    Own<Elements<kPerThread>> ahead;  // a thread's first: on their way while the step's numbers are computed
    block.each([&](int t) {
      if (isWhole(firstOf(t))) ahead[t] = fetch<kPerThread>(part.at, firstOf(t));
    });
    if (scale == 0) return;  // the same for all threads
    const StepNumbers s = block.once([&] { return numbers(); });
    block.each([&](int t) {
      if (isWhole(firstOf(t))) update(s, part.at, firstOf(t), scale, ahead[t]);
      for (int64_t i = firstOf(t) + kThreads * kPerThread; isWhole(i); i += kThreads * kPerThread)
        update(s, part.at, i, scale, fetch<kPerThread>(part.at, i));
      // What is left at the end is less than a thread takes at a time.
      const int64_t left = part.last - (part.last - part.first) % kPerThread + t;
      if (t < kPerThread && left < part.last) update(s, part.at, left, scale, fetch<1>(part.at, left));
    });
  }

  // N neighbours of a parameter, and what belongs to them; the gradient as it lies in memory, as converting it would
  // wait for it.
  template <int N>
  struct Elements {
    float value[N], first[N], second[N];
    Pack<float, N> gradient;
    Pack<uint16_t, N> half;
    NT_INLINE float gradientAt(DType type, int e) const {
      if (type == DType::float32) return gradient.of[e];
      return type == DType::bfloat16 ? fromBits<BFloat16>(half.of[e]) : fromBits<Float16>(half.of[e]);
    }
    template <class S>
    static NT_INLINE float fromBits(uint16_t bits) {
      S half;
      half.bits = bits;
      return half;
    }
  };
  template <int N>
  static NT_INLINE Elements<N> fetch(const Parameter& own, int64_t i) {
    Elements<N> x = {};
    if (own.first) loadFloats(own.first, DType::float32, i, x.first);
    if (own.second) loadFloats(own.second, DType::float32, i, x.second);
    if (own.gradientType == DType::float32)
      x.gradient = loadPack<N>(static_cast<const float*>(own.gradient) + i);
    else
      x.half = loadPack<N>(static_cast<const uint16_t*>(own.gradient) + i);
    loadFloats(own.value, own.dtype, i, x.value);
    return x;
  }
  template <int N>
  NT_INLINE void update(const StepNumbers& s, const Parameter& own, int64_t i, float scale, Elements<N> x) const {
    NT_UNROLL
    for (int e = 0; e < N; e++) {
      const float gradient = scale * x.gradientAt(own.gradientType, e);
      x.value[e] = p.kind == OptimizerKind::sgd ? sgd(s, x.value[e], gradient, x.first[e])
                                                : adam(s, x.value[e], gradient, x.first[e], x.second[e]);
    }
    storeFloats(own.value, own.dtype, i, x.value);
    if (own.copy) storeFloats(own.copy, own.copyType, i, x.value);
    if (own.first) storeFloats(own.first, DType::float32, i, x.first);
    if (own.second) storeFloats(own.second, DType::float32, i, x.second);
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
  SmallVector<DType, 8> copyTypes;
  int copiesAt;  // among the buffers
  int64_t elements = 0;  // of all

  void run(Stream& stream, void* const* buffers) override {
    inLaunches<Parameter>(p.count, elements, [&](auto parameters, int begin, int count) {
      for (int k = begin; k < begin + count; k++) {
        void* const* own = buffers + Optimizer::kScalars + k * (2 + slots);
        const bool copied = k < p.copies;
        parameters.add({own[0], own[1], slots > 0 ? static_cast<float*>(own[2]) : nullptr,
                        slots > 1 ? static_cast<float*>(own[3]) : nullptr, copied ? buffers[copiesAt + k] : nullptr,
                        specs[k].dtype, gradientTypes[k], copied ? copyTypes[k] : specs[k].dtype},
                       specs[k].elements());
      }
      auto scalar = [&](int i) { return static_cast<const float*>(buffers[i]); };
      blocks(stream, parameters.total,
             UpdateBody<decltype(parameters)>{p, scalar(0), scalar(1), scalar(2), parameters});
    });
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
    run->elements += call.in[own].elements();
    run->gradientTypes.push_back(call.in[own + 1].dtype);
  }
  const int updated = run->p.count * (1 + run->slots);
  run->copiesAt = static_cast<int>(call.in.size()) + updated;
  for (int k = 0; k < run->p.copies; k++) run->copyTypes.push_back(call.out[updated + k].dtype);
  return run;
}

}  // namespace needletail::cuda
