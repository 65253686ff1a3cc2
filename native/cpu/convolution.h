// The three convolution kernels on the CPU: what they share, and the ways to compute them.
#pragma once
#include <memory>

#include "cpu/cpu.h"
#include "cpu/kernels.h"
#include "geometry.h"

namespace needletail {

// Any shape, float32: patches laid out as a matrix, and a matrix product.
std::unique_ptr<Prepared> convolutionByLoops(const ConvolutionShape& shape);
// Winograd's algorithm; null where it doesn't apply (only 3x3 of stride 1) or would not pay.
std::unique_ptr<Prepared> convolutionByWinograd(const ConvolutionShape& shape);
// Sums over the image as it lies, for images of few channels; null where there are more. What it computes may be
// pooled.
std::unique_ptr<Prepared> convolutionByDirect(const ConvolutionShape& shape);
// The weights' gradient as a matrix product; null where windows overlap much, channels don't fill panels, or oneDNN has
// faster instructions.
std::unique_ptr<Prepared> convolutionByProducts(const ConvolutionShape& shape);
// oneDNN on plain layouts; null where it has no implementation worth having.
std::unique_ptr<Prepared> convolutionByOneDnn(const ConvolutionShape& shape);

}  // namespace needletail
