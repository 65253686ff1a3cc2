// gather and scatterAdd, the derivatives of each other. An index outside the axis is a failure in the queue.
#include "ops/check.h"
#include "ops/functions.h"
#include "ops/ops.h"

namespace needletail {

namespace {

void checkIndices(const Arguments& args, const Spec& indices) {
  if (indices.dtype != DType::int32 && indices.dtype != DType::int64) {
    args.fail("indices of int32 or int64", indices.text(), "Use astype('int32').");
  }
}

// Whether `a` and `b` agree but for one axis.
bool alike(const Shape& a, const Shape& b, int axis) {
  bool same = a.rank() == b.rank();
  for (int i = 0; same && i < a.rank(); i++) same = i == axis || a[i] == b[i];
  return same;
}

// --- gather. in: x, indices. Parameters: axis, along.

Specs inferGather(const Arguments& args) {
  requireTensors(args, 2);
  const Spec &x = args.spec(0), &indices = args.spec(1);
  checkIndices(args, indices);
  const int axis = axisParam(args, 0, x.shape.rank());
  if (args.params.flag(1)) {
    if (!alike(x.shape, indices.shape, axis)) {
      args.fail("indices of the tensor's shape but for axis " + std::to_string(axis),
                x.text() + " and " + indices.text());
    }
    return {{x.dtype, indices.shape}};
  }
  const int rank = x.shape.rank() - 1 + indices.shape.rank();
  if (rank > kMaxRank) args.fail("a result of at most 8 axes", std::to_string(rank) + " axes");
  Shape shape;
  for (int i = 0; i < axis; i++) shape.push(x.shape[i]);
  for (int i = 0; i < indices.shape.rank(); i++) shape.push(indices.shape[i]);
  for (int i = axis + 1; i < x.shape.rank(); i++) shape.push(x.shape[i]);
  return {{x.dtype, shape}};
}
void forwardGather(const Arguments& args, Tensors& out) {
  issue(Kernel::gather, write(Gather{axisParam(args, 0, args.spec(0).shape.rank()), args.params.flag(1)}), args.in,
        out);
}
Tensors backwardGather(const History& h, const Tensors& gradients) {
  const Shape& x = h.inSpecs[0].shape;
  const int axis = static_cast<int>(h.params.real(0) < 0 ? h.params.real(0) + x.rank() : h.params.real(0));
  return {scatterAdd(h.in[1], gradients[0], x[axis], axis, h.params.flag(1)), Tensor()};
}

// --- scatterAdd. in: indices, updates. Parameters: axis (of the result), along, the size of that axis.

int resultRank(const Params& params, const Shape& indices, const Shape& updates) {
  return params.flag(1) ? updates.rank() : updates.rank() - indices.rank() + 1;
}

Specs inferScatterAdd(const Arguments& args) {
  requireTensors(args, 2);
  const Spec &indices = args.spec(0), &updates = args.spec(1);
  checkIndices(args, indices);
  if (updates.dtype == DType::boolean) args.fail("updates of numbers", updates.text(), "Use astype('uint8').");
  const bool along = args.params.flag(1);
  const int rank = resultRank(args.params, indices.shape, updates.shape);
  if (rank < 1 || rank > kMaxRank)
    args.fail("updates of the rank of the indices or more", indices.text() + " and " + updates.text());
  const int axis = axisParam(args, 0, rank);
  const int64_t size = wholeParam(args, 2, "a size", 0, kMaxElements);
  bool fits = !along || indices.shape == updates.shape;
  for (int i = 0; !along && fits && i < indices.shape.rank(); i++) fits = indices.shape[i] == updates.shape[axis + i];
  if (!fits) {
    args.fail(along ? "updates of the shape of the indices"
                    : "updates with the shape of the indices from axis " + std::to_string(axis),
              indices.text() + " and " + updates.text());
  }
  Shape shape;
  for (int i = 0; i < axis; i++) shape.push(updates.shape[i]);
  shape.push(size);
  for (int i = axis + (along ? 1 : indices.shape.rank()); i < updates.shape.rank(); i++) shape.push(updates.shape[i]);
  return {{updates.dtype, shape}};
}
void forwardScatterAdd(const Arguments& args, Tensors& out) {
  issue(Kernel::scatterAdd, write(Gather{axisParam(args, 0, out[0].rank()), args.params.flag(1)}), args.in, out);
}
Tensors backwardScatterAdd(const History& h, const Tensors& gradients) {
  const int rank = gradients[0].rank();
  const int axis = static_cast<int>(h.params.real(0) < 0 ? h.params.real(0) + rank : h.params.real(0));
  return {Tensor(), gather(gradients[0], h.in[0], axis, h.params.flag(1))};
}

}  // namespace

const Op gatherOp = {.name = "gather",
                     .infer = inferGather,
                     .forward = forwardGather,
                     .backward = backwardGather,
                     .saveInputs = save(1)};
const Op scatterAddOp = {.name = "scatterAdd",
                         .infer = inferScatterAdd,
                         .forward = forwardScatterAdd,
                         .backward = backwardScatterAdd,
                         .saveInputs = save(0)};

Tensor gather(const Tensor& x, const Tensor& indices, int axis, bool along) {
  return apply1(gatherOp, {x, indices}, {static_cast<double>(axis), static_cast<double>(along)});
}
Tensor scatterAdd(const Tensor& indices, const Tensor& updates, int64_t size, int axis, bool along) {
  return apply1(scatterAddOp, {indices, updates},
                {static_cast<double>(axis), static_cast<double>(along), static_cast<double>(size)});
}

}  // namespace needletail
