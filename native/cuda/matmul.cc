// Chooses how a matmul is computed.
#include "cuda/matmul.h"

#include "cuda/kernels.h"

namespace needletail::cuda {

std::unique_ptr<Prepared> prepareMatmul(const Call& call) {
  if (!isFloat(call.out[0].dtype)) return nullptr;
  const MatmulShape shape(call);
  if (auto prepared = matmulOfFewColumns(shape)) return prepared;
  if (auto prepared = matmulByCublasLt(call, shape)) return prepared;
  return matmulByKernels(shape);
}

}  // namespace needletail::cuda
