// The three convolution kernels on the CPU: what they share, and the ways to compute them.
#pragma once
#include <memory>

#include "cpu/cpu.h"
#include "cpu/kernels.h"

namespace needletail {

// n images [h, w, c] and [oh, ow, o], a kernel [kh, kw] of `inner` = c / groups channels.
struct ConvolutionShape {
  Kernel kernel;
  Convolution params;
  DType dtype;
  int64_t n, h, w, c, oh, ow, o, kh, kw, inner, outer;  // inner, outer: channels of a group
  explicit ConvolutionShape(const Call& call) : kernel(call.kernel), params(read<Convolution>(call.params)) {
    // x, weights, y by kernel: (in 0, in 1, out 0), (out 0, in 1, in 0), (in 1, out 0, in 0).
    const Spec& first = kernel == Kernel::convolution       ? call.in[0]
                        : kernel == Kernel::convolutionData ? call.out[0]
                                                            : call.in[1];
    const Spec& weights = kernel == Kernel::convolutionWeights ? call.out[0] : call.in[1];
    const Spec& last = kernel == Kernel::convolution ? call.out[0] : call.in[0];
    dtype = first.dtype;
    n = first.shape[0], h = first.shape[1], w = first.shape[2], c = first.shape[3];
    oh = last.shape[1], ow = last.shape[2], o = last.shape[3];
    kh = weights.shape[1], kw = weights.shape[2];
    inner = c / params.groups, outer = o / params.groups;
  }
  bool hasBias() const { return params.epilogue.bias; }
  bool relu() const { return params.epilogue.activation == Activation::relu; }
  double products() const { return static_cast<double>(n) * oh * ow * o * kh * kw * inner; }
};

// Any shape, float32: patches laid out as a matrix, and a matrix product.
std::unique_ptr<Prepared> convolutionByLoops(const ConvolutionShape& shape);
// Winograd's algorithm; null where it doesn't apply (only 3x3 of stride 1 over float32) or would not pay.
std::unique_ptr<Prepared> convolutionByWinograd(const ConvolutionShape& shape);
// oneDNN on plain layouts; null where it has no implementation worth having.
std::unique_ptr<Prepared> convolutionByOneDnn(const ConvolutionShape& shape);

}  // namespace needletail
