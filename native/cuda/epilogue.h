// What follows the sums of a convolution or matmul: + bias, + residual, activation.
#pragma once
#include <cmath>

#include "cuda/load.h"
#include "params.h"

namespace needletail::cuda {

NT_INLINE float activated(Activation activation, float x) {
  switch (activation) {
    case Activation::relu: return x < 0 ? 0 : x;  // a NaN comes through
    case Activation::gelu: return x * 0.5f * (std::erf(x * 0.7071067811865476f) + 1);  // as the row of elementwise.def
    default: return x;
  }
}

// Whether a value takes the place of the greatest of those before it: the first of equal ones stays, a NaN wins.
NT_INLINE bool beats(float value, float most) { return most == most && !(value <= most); }

struct Finish {
  DType dtype;
  Activation activation = Activation::none;
  const void *bias = nullptr, *residual = nullptr, *values = nullptr;  // null: none; values: of a ReLU
  void* out = nullptr;

  // buffers: those of the call, whose two operands come first.
  Finish(DType dtype, const Epilogue& epilogue, void* const* buffers)
      : dtype(dtype), activation(epilogue.activation), out(buffers[epilogue.outputAt()]) {
    if (epilogue.bias) bias = buffers[2];
    if (epilogue.residual) residual = buffers[2 + epilogue.bias];
    if (activation == Activation::reluGradient) values = buffers[epilogue.outputAt() - 1];
  }
  // The activation of n elements of `out`, in place.
  Finish(DType dtype, Activation activation, const void* values, void* out)
      : dtype(dtype), activation(activation), values(values), out(out) {}

  // Element `at` of the result, of channel (column) `channel`.
  NT_INLINE void put(int64_t at, int64_t channel, float sum) const {
    if (bias) sum += load<float>(bias, dtype, channel);
    if (residual) sum += load<float>(residual, dtype, at);
    finish(at, sum);
  }
  NT_INLINE void finish(int64_t at, float sum) const {
    if (values && !(load<float>(values, dtype, at) > 0)) sum = 0;
    store<float>(out, dtype, at, activated(activation, sum));
  }
};

}  // namespace needletail::cuda
