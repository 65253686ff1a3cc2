// Chooses how a convolution is computed.
#include "cpu/convolution.h"

namespace needletail {

namespace {

// A library's primitive costs some microseconds to start, and the team of threads more: small work is done in place.
constexpr double kSmallProducts = 5e5;

std::unique_ptr<Prepared> prepare(const Call& call) {
  const ConvolutionShape shape(call);
  if (shape.products() >= kSmallProducts) {
    if (auto prepared = convolutionByWinograd(shape)) return prepared;
    if (auto prepared = convolutionByOneDnn(shape)) return prepared;
  }
  return convolutionByLoops(shape);
}

}  // namespace

std::unique_ptr<Prepared> prepareConvolution(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionData(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionWeights(const Call& call) { return prepare(call); }

}  // namespace needletail
