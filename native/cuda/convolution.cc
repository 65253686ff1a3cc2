// Chooses how a convolution is computed.
#include "cuda/convolution.h"

#include "cuda/kernels.h"

namespace needletail::cuda {

namespace {

std::unique_ptr<Prepared> prepare(const Call& call) {
  if (!isFloat(call.in[0].dtype)) return nullptr;
  if (read<Convolution>(call.params).pooled) return convolutionPooled(call);
  if (auto prepared = convolutionPadded(call)) return prepared;
  if (auto prepared = convolutionByCudnn(call)) return prepared;
  return convolutionByKernels(call);
}

}  // namespace

std::unique_ptr<Prepared> prepareConvolution(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionData(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionWeights(const Call& call) { return prepare(call); }
// Its parts are as fast: cuDNN has no engine that looks at the gradient once.
std::unique_ptr<Prepared> prepareConvolutionGradients(const Call&) { return nullptr; }

}  // namespace needletail::cuda
