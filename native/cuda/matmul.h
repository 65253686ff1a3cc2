// matmul on the GPU: its shape, and the ways to compute it.
#pragma once
#include <memory>

#include "backend.h"
#include "cuda/strided.h"

namespace needletail::cuda {

struct MatmulShape {
  Matmul params;
  DType dtype;
  int64_t m, n, k, count;  // count: of batches
  Walk<2> batches;  // from the number of a batch to the first elements of its matrices

  explicit MatmulShape(const Call& call) : params(read<Matmul>(call.params)), dtype(call.out[0].dtype) {
    const Shape &a = call.in[0].shape, &b = call.in[1].shape, &out = call.out[0].shape;
    m = out.fromEnd(2), n = out.fromEnd(1), k = a.fromEnd(params.transposeA ? 2 : 1);
    count = out.product(0, out.rank() - 2);
    // An operand's batch axis of size 1 is broadcast.
    for (int axis = out.rank(); axis > 2; axis--) {
      auto stride = [&](const Shape& s) {
        return s.fromEnd(axis) == 1 ? 0 : s.product(std::max(0, s.rank() - axis + 1), s.rank());
      };
      batches.axis(out.fromEnd(axis), {stride(a), stride(b)});
    }
    // Rows that all meet the same matrix are one matrix.
    if (params.transposeA || batches.rank != 1 || batches.stride[0][0] != m * k || batches.stride[1][0] != 0) return;
    m *= count;
    count = 1;
    batches = {};
  }
};

// cuBLASLt; null where it has no algorithm for this call.
std::unique_ptr<Prepared> matmulByCublasLt(const Call& call, const MatmulShape& shape);
// Few columns, as the scores of few classes: a block a row of the result; null for other shapes.
std::unique_ptr<Prepared> matmulOfFewColumns(const MatmulShape& shape);
// Any shape: own kernels.
std::unique_ptr<Prepared> matmulByKernels(const MatmulShape& shape);

// The activation of n elements, in place; values: of a ReLU whose gradient it is, else null.
void activate(Stream& stream, Activation activation, DType dtype, const void* values, void* data, int64_t n);

}  // namespace needletail::cuda
