// sort and topK. Both give values and int32 indices, through which the gradient flows back.
#include <algorithm>

#include "ops/check.h"
#include "ops/functions.h"
#include "ops/ops.h"

namespace needletail {

namespace {

// The axis, checked, of a tensor whose indices int32 can hold.
int sortedAxis(const Arguments& args, int parameter) {
  requireTensors(args, 1);
  const Spec& x = args.spec(0);
  const int axis = axisParam(args, parameter, x.shape.rank());
  if (x.shape[axis] > 2147483647) args.fail("at most 2^31 - 1 elements along the axis", x.text());
  return axis;
}

// Parameters: axis, descending.
Specs inferSort(const Arguments& args) {
  sortedAxis(args, 0);
  return {args.spec(0), {DType::int32, args.spec(0).shape}};
}
void forwardSort(const Arguments& args, Tensors& out) {
  issue(Kernel::sort, write(Sort{axisParam(args, 0, out[0].rank()), args.params.flag(1)}), args.in, out);
}

// Parameters: axis, largest, k.
Specs inferTopK(const Arguments& args) {
  const int axis = sortedAxis(args, 0);
  Spec values = args.spec(0);
  values.shape[axis] = wholeParam(args, 2, "k", 0, values.shape[axis]);
  return {values, {DType::int32, values.shape}};
}
void forwardTopK(const Arguments& args, Tensors& out) {
  issue(Kernel::topK, write(Sort{axisParam(args, 0, out[0].rank()), args.params.flag(1)}), args.in, out);
}

// Each value's gradient goes to where it came from.
Tensors backward(const History& h, const Tensors& gradients) {
  const Shape& x = h.inSpecs[0].shape;
  const int axis = static_cast<int>(h.params.real(0) < 0 ? h.params.real(0) + x.rank() : h.params.real(0));
  return {scatterAdd(h.out[1], gradients[0], x[axis], axis, true)};
}

}  // namespace

const Op sortOp = {
    .name = "sort", .infer = inferSort, .forward = forwardSort, .backward = backward, .saveOutputs = save(1)};
const Op topKOp = {
    .name = "topK", .infer = inferTopK, .forward = forwardTopK, .backward = backward, .saveOutputs = save(1)};

}  // namespace needletail
