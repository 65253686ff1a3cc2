// Direct convolutions of images with few channels. In a row of the image the elements under a row of the kernel follow
// one another, kw * c of them, so that sums run over the image as it lies; only the padding is laid around it.
// Compiled once for each instruction set.
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

// One row of the result. Its channels are rounded up to whole vectors; elements are floats or, if `half`, bfloat16.
struct DirectShape {
  bool half;
  int64_t places;  // results in the row
  int64_t step;  // elements of the image between two of them
  int64_t rows, run;  // the kernel: rows of kw * c elements
  int64_t pitch;  // elements between two rows of the image, which are laid out with their padding
  int64_t columns;  // channels of the result
  // bfloat16 are multiplied two by two: units of four bytes in a row of the kernel, and in a row of results.
  int64_t units() const { return half ? (run + 1) / 2 : run; }
  int64_t placeUnits() const { return half ? (places + 1) / 2 : places; }
};
constexpr int64_t kDirectChannels = 16;  // channels of the result are rounded up to a multiple of this

// y [places, columns] = bias + the sums over image and weights, ReLU. image: the first of the rows under the kernel;
// weights: units [rows, units(), columns].
NEEDLETAIL_ISA_FUNCTION(directForward, const DirectShape& shape, const void* image, const uint32_t* weights,
                        const float* bias, bool relu, void* y)

// sums [rows, run, columns] += the gradient of the weights, and what follows them, [columns], += that of the bias.
// image: as units (bfloat16: two places each, by directPairs); gradient: units [placeUnits(), columns].
NEEDLETAIL_ISA_FUNCTION(directGradient, const DirectShape& shape, const uint32_t* image, const uint32_t* gradient,
                        float* sums)
// to[i] = {first[i], second[i]}, bfloat16; without `second`: 0.
NEEDLETAIL_ISA_FUNCTION(directPairs, int64_t n, const uint16_t* first, const uint16_t* second, uint32_t* to)

// The windows of a maximum pooling that follows, and one line of their results.
struct DirectPool {
  bool half;
  int64_t width, columns;  // of a row of the convolution's results
  int64_t places, channels;  // of the line
  int64_t size, stride, low;  // of the windows, along the row
  int32_t first;  // position of the row's first place
};
// y [places, channels] = the largest of the `rows` rows at x; the first of equals wins, and a NaN. positions: or null.
NEEDLETAIL_ISA_FUNCTION(directPool, const DirectPool& pool, int64_t rows, const void* x, void* y, int32_t* positions)
// The gradient of a line of the pool's results, brought onto a row [width, columns] of the convolution's: times the
// gradient of a ReLU whose values are `values`, unless null; added to what is there if `add`.
NEEDLETAIL_ISA_FUNCTION(directSpread, const DirectPool& pool, const void* gradient, const int32_t* positions,
                        const void* values, bool add, void* row)

}  // namespace needletail
