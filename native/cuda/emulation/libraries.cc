// On the processor there is no library of NVIDIA's to find, nothing is planned, and own kernels compute everything.
#include "cuda/libraries.h"

#include "cuda/convolution.h"
#include "cuda/matmul.h"
#include "cuda/plans.h"

namespace needletail::cuda {

void requireLibraries() {}
void requireGpu(int) {}
std::string report() { return "[]"; }

std::string notedPlans() { return "{}"; }
void setMeasuring(bool) {}

// Of what is padded for cuDNN, too.
std::unique_ptr<Prepared> convolutionByCudnn(const Call& call, std::unique_ptr<Prepared> rival) {
  return rival ? std::move(rival) : convolutionByKernels(call);
}
std::unique_ptr<Prepared> matmulByCublasLt(const Call&, const MatmulShape&) { return nullptr; }

}  // namespace needletail::cuda
