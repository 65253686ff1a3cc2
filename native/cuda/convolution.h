// The three convolution kernels on the GPU: the ways to compute them.
#pragma once
#include <memory>

#include "backend.h"

namespace needletail::cuda {

// cuDNN; null where it has no engine for this shape and dtype on this GPU. A rival, if there is one, is given back
// where it is the better choice.
std::unique_ptr<Prepared> convolutionByCudnn(const Call& call, std::unique_ptr<Prepared> rival = nullptr);
// A convolution of few channels and a maximum over its windows, or the gradient of its weights, in one: own kernels.
// Null for other shapes; the parts are then calls.
std::unique_ptr<Prepared> convolutionPooled(const Call& call);
// Few channels (that fill products) in half precision, also with a maximum over windows, and the gradient of the image,
// on tensor cores: own kernels. Null for other shapes, and before compute capability 8.0.
std::unique_ptr<Prepared> convolutionByTensorCores(const Call& call);
// So the gradient of their weights.
std::unique_ptr<Prepared> weightsByTensorCores(const Call& call);
// Whether these are taken where nothing is measured.
bool outdoesCudnn(const Call& call);
// An image of few channels, and its weights, padded with zeros for cuDNN's engines on tensor cores; null where there
// are enough, or no tensor cores, or no such engine.
std::unique_ptr<Prepared> convolutionPadded(const Call& call);
// Any shape and dtype: own kernels.
std::unique_ptr<Prepared> convolutionByKernels(const Call& call);

}  // namespace needletail::cuda
