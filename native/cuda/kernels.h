// What prepares each kernel on a GPU; the table is in backend.cc. A null result: no kernel for these dtypes.
#pragma once
#include <memory>

#include "backend.h"

namespace needletail::cuda {

std::unique_ptr<Prepared> prepareElementwise(const Call&);
std::unique_ptr<Prepared> prepareMatmul(const Call&);
std::unique_ptr<Prepared> prepareConvolution(const Call&);
std::unique_ptr<Prepared> prepareConvolutionData(const Call&);
std::unique_ptr<Prepared> prepareConvolutionWeights(const Call&);
std::unique_ptr<Prepared> preparePool(const Call&);
std::unique_ptr<Prepared> preparePoolGradient(const Call&);
std::unique_ptr<Prepared> prepareBatchNorm(const Call&);
std::unique_ptr<Prepared> prepareBatchNormGradient(const Call&);
std::unique_ptr<Prepared> prepareLayerNorm(const Call&);
std::unique_ptr<Prepared> prepareLayerNormGradient(const Call&);
std::unique_ptr<Prepared> prepareResize(const Call&);
std::unique_ptr<Prepared> prepareResizeGradient(const Call&);
std::unique_ptr<Prepared> prepareCopy(const Call&);
std::unique_ptr<Prepared> prepareFill(const Call&);
std::unique_ptr<Prepared> prepareSoftmax(const Call&);
std::unique_ptr<Prepared> prepareSoftmaxGradient(const Call&);
std::unique_ptr<Prepared> prepareSoftmaxCrossEntropy(const Call&);
std::unique_ptr<Prepared> prepareSoftmaxCrossEntropyGradient(const Call&);
std::unique_ptr<Prepared> prepareRandom(const Call&);
std::unique_ptr<Prepared> prepareOptimizer(const Call&);
std::unique_ptr<Prepared> prepareBatch(const Call&);
std::unique_ptr<Prepared> prepareCount(const Call&);
std::unique_ptr<Prepared> prepareReduce(const Call&);
std::unique_ptr<Prepared> prepareArgReduce(const Call&);
std::unique_ptr<Prepared> prepareCumulate(const Call&);
std::unique_ptr<Prepared> preparePermute(const Call&);
std::unique_ptr<Prepared> prepareSlice(const Call&);
std::unique_ptr<Prepared> preparePad(const Call&);
std::unique_ptr<Prepared> prepareConcat(const Call&);
std::unique_ptr<Prepared> prepareCast(const Call&);
std::unique_ptr<Prepared> prepareIota(const Call&);
std::unique_ptr<Prepared> prepareGather(const Call&);
std::unique_ptr<Prepared> prepareScatterAdd(const Call&);
std::unique_ptr<Prepared> prepareSort(const Call&);

}  // namespace needletail::cuda
