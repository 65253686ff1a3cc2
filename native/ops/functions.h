// Ops as C++ functions, for the backwards of other ops. Each is defined beside its op.
#pragma once
#include "op.h"

namespace needletail {

// elementwise.cc (operators and the rows of elementwise.def: elementwise_tensor.h)
Tensor add(const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
// matmul.cc
Tensor matmul(const Tensor& a, const Tensor& b, bool transposeA, bool transposeB);
// memory.cc
Tensor identity(const Tensor& t);
Tensor full(const Spec& spec, double value);
// convolution.cc

// pool.cc

// reduce.cc
// The sum over the axes that broadcasting added or stretched: the gradient of broadcasting `shape` to that of `t`.
Tensor sumTo(const Tensor& t, const Shape& shape);

// shape.cc

// index.cc

// softmax.cc

}  // namespace needletail
