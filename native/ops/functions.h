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
// Over the axes whose bits are set.
Tensor sum(const Tensor& t, int axes, bool keepDims);

// cumulate.cc
Tensor cumsum(const Tensor& t, int axis, bool exclusive, bool reverse);
Tensor cumprod(const Tensor& t, int axis, bool exclusive, bool reverse);
// y[i] = x[i] + factors[i] * y[i - 1]
Tensor linearScan(const Tensor& x, const Tensor& factors, int axis, bool reverse);

// shape.cc
Tensor reshape(const Tensor& t, const Shape& shape);
Tensor permute(const Tensor& t, const SmallVector<int, 8>& order);
Tensor broadcastTo(const Tensor& t, const Shape& shape);
Tensor slice(const Tensor& t, int axis, int64_t start, int64_t stop);
// Turned round along the axes whose bits are set.
Tensor flip(const Tensor& t, int axes);
// Moved along the axis by 1 or -1; a zero comes in, the last element falls out.
Tensor shift(const Tensor& t, int axis, int by);
Tensor concat(const Tensors& tensors, int axis);
// convert.cc
Tensor cast(const Tensor& t, DType dtype);

// index.cc
Tensor gather(const Tensor& x, const Tensor& indices, int axis, bool along);
// Zeros with `size` places on the axis, and the updates added at the indices.
Tensor scatterAdd(const Tensor& indices, const Tensor& updates, int64_t size, int axis, bool along);

// softmax.cc

}  // namespace needletail
