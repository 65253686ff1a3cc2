// The GPU as a backend: the table of kernels, and the symbol through which the addon finds it.
#include <string>

#include "cuda/abi.h"
#include "cuda/kernels.h"
#include "cuda/runtime.h"

namespace needletail::cuda {

namespace {

Backend make() {
  Backend b{};
  b.name = deviceName();
  b.asynchronous = kAsynchronous;
  b.allocate = allocate;
  b.release = release;
  b.copyIn = copyIn;
  b.copyOut = copyOut;
  b.copy = copyWithin;
  b.wait = wait;
  b.memory = memory;
  auto set = [&](Kernel kernel, Backend::Prepare prepare) { b.prepare[static_cast<int>(kernel)] = prepare; };
  set(Kernel::elementwise, prepareElementwise);
  set(Kernel::cast, prepareCast);
  set(Kernel::fill, prepareFill);
  set(Kernel::copy, prepareCopy);
  set(Kernel::iota, prepareIota);
  set(Kernel::reduce, prepareReduce);
  set(Kernel::argReduce, prepareArgReduce);
  set(Kernel::cumulate, prepareCumulate);
  set(Kernel::softmax, prepareSoftmax);
  set(Kernel::softmaxGradient, prepareSoftmaxGradient);
  set(Kernel::softmaxCrossEntropy, prepareSoftmaxCrossEntropy);
  set(Kernel::softmaxCrossEntropyGradient, prepareSoftmaxCrossEntropyGradient);
  set(Kernel::matmul, prepareMatmul);
  set(Kernel::convolution, prepareConvolution);
  set(Kernel::convolutionData, prepareConvolutionData);
  set(Kernel::convolutionWeights, prepareConvolutionWeights);
  set(Kernel::pool, preparePool);
  set(Kernel::poolGradient, preparePoolGradient);
  set(Kernel::batchNorm, prepareBatchNorm);
  set(Kernel::batchNormGradient, prepareBatchNormGradient);
  set(Kernel::layerNorm, prepareLayerNorm);
  set(Kernel::layerNormGradient, prepareLayerNormGradient);
  set(Kernel::permute, preparePermute);
  set(Kernel::slice, prepareSlice);
  set(Kernel::pad, preparePad);
  set(Kernel::concat, prepareConcat);
  set(Kernel::gather, prepareGather);
  set(Kernel::scatterAdd, prepareScatterAdd);
  set(Kernel::sort, prepareSort);
  set(Kernel::topK, prepareSort);
  set(Kernel::resize, prepareResize);
  set(Kernel::resizeGradient, prepareResizeGradient);
  set(Kernel::random, prepareRandom);
  set(Kernel::optimizer, prepareOptimizer);
  set(Kernel::batch, prepareBatch);
  set(Kernel::count, prepareCount);
  return b;
}

}  // namespace

std::string complaintText(const Complaint& c) {
  const char* what[] = {"indices", "labels", "predictions", "positions"};
  return std::string("expected ") + what[c.kind - 1] + " in [0, " + std::to_string(c.limit) + "), got " +
         std::to_string(c.got) + ".";
}

}  // namespace needletail::cuda

needletail::Backend* needletail_backend(uint32_t abi) {
  if (abi != needletail::kBackendAbi || !needletail::cuda::start()) return nullptr;
  static needletail::Backend backend = needletail::cuda::make();
  return &backend;
}
