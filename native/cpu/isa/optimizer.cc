#include "cpu/isa/optimizer.h"

#include <cmath>

namespace needletail::NT_ISA {

// Formulas and their order as in torch.optim.SGD.
void sgdChunk(const OptimizerStep& step, SgdKind kind, int64_t n, float* __restrict parameter,
              const float* __restrict gradient, float* __restrict velocity) {
  const float rate = step.rate, decay = step.decay, momentum = step.momentum, factor = step.factor;
  if (kind == SgdKind::plain) {
    for (int64_t i = 0; i < n; i++) parameter[i] -= rate * (factor * gradient[i] + decay * parameter[i]);
  } else if (kind == SgdKind::momentum) {
    for (int64_t i = 0; i < n; i++) {
      const float g = factor * gradient[i] + decay * parameter[i];
      const float v = velocity[i] * momentum + g;
      velocity[i] = v;
      parameter[i] -= rate * v;
    }
  } else {
    for (int64_t i = 0; i < n; i++) {
      const float g = factor * gradient[i] + decay * parameter[i];
      const float v = velocity[i] * momentum + g;
      velocity[i] = v;
      parameter[i] -= rate * (g + momentum * v);
    }
  }
}

// As torch.optim.Adam; decoupled: as torch.optim.AdamW.
void adamChunk(const OptimizerStep& step, bool decoupled, int64_t n, float* __restrict parameter,
               const float* __restrict gradient, float* __restrict first, float* __restrict second) {
  const float rate = step.rate, correction = step.correction, epsilon = step.epsilon, factor = step.factor;
  const float beta2 = step.beta2, rest1 = step.rest1, rest2 = step.rest2;
  const float scale = decoupled ? step.decay : 1.0f, decay = decoupled ? 0.0f : step.decay;
  for (int64_t i = 0; i < n; i++) {
    const float p = parameter[i] * scale;
    const float g = factor * gradient[i] + decay * p;
    const float m = first[i] + rest1 * (g - first[i]);
    const float v = second[i] * beta2 + rest2 * g * g;
    first[i] = m;
    second[i] = v;
    parameter[i] = p - rate * (m / (std::sqrt(v) * correction + epsilon));
  }
}

}  // namespace needletail::NT_ISA
