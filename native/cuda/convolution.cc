// Chooses how a convolution is computed.
#include "cuda/convolution.h"

#include "cuda/kernels.h"
#include "cuda/sequence.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

std::unique_ptr<Prepared> prepare(const Call& call);

// The gradient of the weights, and that of the bias, the gradient's sum over all places, by the kernel of sums.
std::unique_ptr<Prepared> prepareWithBias(const Call& call, Convolution c) {
  c.epilogue.bias = false;
  const Call weights{call.kernel, write(c), {call.in[0], call.in[1]}, {call.out[0]}};
  const Call bias{Kernel::reduce, write(Reduce{Reduction::sum, 0b111, 1}), {call.in[0]}, {call.out[1]}};
  auto sequence = std::make_unique<Sequence>();
  const bool whole = sequence->add(prepare(weights), {0, 1, 2}) && sequence->add(prepareReduce(bias), {0, 3});
  return whole ? std::move(sequence) : nullptr;
}

std::unique_ptr<Prepared> prepare(const Call& call) {
  if (!isFloat(call.in[0].dtype)) return nullptr;
  const auto c = read<Convolution>(call.params);
  auto own = call.kernel == Kernel::convolutionWeights ? weightsByTensorCores(call) : convolutionByTensorCores(call);
  if (c.pooled) return own ? std::move(own) : convolutionPooled(call);
  if (ConvolutionShape(call).isMixed()) return nullptr;
  if (call.kernel == Kernel::convolutionWeights && c.epilogue.bias) return prepareWithBias(call, c);
  if (auto prepared = convolutionPadded(call)) return prepared;
  if (auto prepared = convolutionByCudnn(call, std::move(own))) return prepared;
  return convolutionByKernels(call);
}

}  // namespace

std::unique_ptr<Prepared> prepareConvolution(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionData(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionWeights(const Call& call) { return prepare(call); }
// Its parts are as fast: cuDNN has no engine that looks at the gradient once.
std::unique_ptr<Prepared> prepareConvolutionGradients(const Call&) { return nullptr; }

}  // namespace needletail::cuda
