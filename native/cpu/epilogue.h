// What follows the sums of a convolution or matmul on the CPU, in float32: + bias, + residual, activation.
#pragma once
#include "cpu/isa/elementwise.h"
#include "ops/elementwise_rows.h"
#include "params.h"

namespace needletail {

struct Finish {
  Activation activation = Activation::none;
  const float *bias = nullptr, *residual = nullptr, *values = nullptr;  // null: none; values: of a ReLU

  // buffers: those of the call, whose two operands come first.
  Finish(const Epilogue& epilogue, void* const* buffers) : activation(epilogue.activation) {
    int next = 2;
    if (epilogue.bias) bias = static_cast<const float*>(buffers[next++]);
    if (epilogue.residual) residual = static_cast<const float*>(buffers[next++]);
    if (activation == Activation::reluGradient) values = static_cast<const float*>(buffers[next++]);
  }
  bool idle() const { return !bias && !residual && activation == Activation::none; }

  // n sums of one row, in place: elements `at` and on of the result, of channels (columns) `channel` and on.
  void row(float* sums, int64_t n, int64_t at, int64_t channel) const {
    if (bias) {
      for (int64_t k = 0; k < n; k++) sums[k] += bias[channel + k];
    }
    if (residual) {
      for (int64_t k = 0; k < n; k++) sums[k] += residual[at + k];
    }
    if (activation == Activation::relu) {
      for (int64_t k = 0; k < n; k++) sums[k] = sums[k] < 0 ? 0 : sums[k];
    } else if (activation == Activation::reluGradient) {
      for (int64_t k = 0; k < n; k++) sums[k] = values[at + k] > 0 ? sums[k] : 0;
    } else if (activation == Activation::gelu) {
      static const RowFunction gelu = elementwiseRowForIsa()(static_cast<int>(Row::gelu), kFloat);
      const void* in[] = {sums};
      gelu(n, in, sums, 0, 0);
    }
  }
};

}  // namespace needletail
