// Reductions over axes: sum, mean, prod, max, min, any, all, argmax, argmin; and sumTo, the gradient of broadcasting.
#include "ops/check.h"
#include "ops/elementwise_tensor.h"
#include "ops/ops.h"

namespace needletail {

namespace {

// Parameters of a reduction: keepDims, all (1: over all axes), then the axes.
// The axes as bits.
int axesOf(const Params& params, int rank) {
  if (params.flag(1)) return (1 << rank) - 1;
  int axes = 0;
  for (int i = 2; i < params.count(); i++) {
    const int axis = static_cast<int>(params.real(i));
    axes |= 1 << (axis < 0 ? axis + rank : axis);
  }
  return axes;
}

Shape reduced(const Shape& in, int axes, bool keepDims) {
  Shape shape;
  for (int i = 0; i < in.rank(); i++) {
    if (!(axes >> i & 1))
      shape.push(in[i]);
    else if (keepDims)
      shape.push(1);
  }
  return shape;
}

int64_t reducedElements(const Shape& in, int axes) {
  int64_t n = 1;
  for (int i = 0; i < in.rank(); i++) n *= axes >> i & 1 ? in[i] : 1;
  return n;
}

DType resultType(Reduction kind, DType dtype) {
  if (kind == Reduction::any || kind == Reduction::all) return DType::boolean;
  const bool adds = kind == Reduction::sum || kind == Reduction::product;
  return adds && (dtype == DType::uint8 || dtype == DType::boolean) ? DType::int32 : dtype;
}

template <Reduction kind>
Specs infer(const Arguments& args) {
  requireTensors(args, 1);
  const Spec& in = args.spec(0);
  const int rank = in.shape.rank();
  int seen = 0;
  for (int i = 2; i < args.params.count(); i++) {
    const int axis = axisParam(args, i, rank);
    if (seen >> axis & 1) args.fail("each axis once", "axis " + std::to_string(axis) + " twice");
    seen |= 1 << axis;
  }
  const int axes = axesOf(args.params, rank);
  if ((kind == Reduction::maximum || kind == Reduction::minimum) && reducedElements(in.shape, axes) == 0) {
    args.fail("at least one element along the axes", in.text());
  }
  return {{resultType(kind, in.dtype), reduced(in.shape, axes, args.params.flag(0))}};
}
Specs inferMean(const Arguments& args) {
  requireTensors(args, 1);
  if (!isFloat(args.spec(0).dtype)) {
    args.fail("float32, bfloat16 or float16", args.spec(0).text(), "Use astype('float32').");
  }
  return infer<Reduction::sum>(args);
}

template <Reduction kind>
void forward(const Arguments& args, Tensors& out) {
  issue(Kernel::reduce, write(Reduce{kind, axesOf(args.params, args.spec(0).shape.rank()), 1}), args.in, out);
}
void forwardMean(const Arguments& args, Tensors& out) {
  const int axes = axesOf(args.params, args.spec(0).shape.rank());
  const double n = static_cast<double>(reducedElements(args.spec(0).shape, axes));
  issue(Kernel::reduce, write(Reduce{Reduction::sum, axes, 1 / n}), args.in, out);
}

// A reduced tensor with its axes back, of size 1.
Tensor restored(const History& h, const Tensor& t) {
  const Shape& in = h.inSpecs[0].shape;
  return reshape(t, reduced(in, axesOf(h.params, in.rank()), true));
}

Tensors backwardSum(const History& h, const Tensors& gradients) {
  return {broadcastTo(restored(h, gradients[0]), h.inSpecs[0].shape)};
}
Tensors backwardMean(const History& h, const Tensors& gradients) {
  const Shape& in = h.inSpecs[0].shape;
  const double n = static_cast<double>(reducedElements(in, axesOf(h.params, in.rank())));
  return {broadcastTo(restored(h, gradients[0] * (1 / n)), in)};
}

// The elements that reach the maximum (minimum) share its gradient equally.
Tensors backwardExtreme(const History& h, const Tensors& gradients) {
  const Tensor& x = h.in[0];
  const Tensor winners = cast(x == restored(h, h.out[0]), x.dtype());
  const Tensor count = sum(winners, axesOf(h.params, x.rank()), true);
  return {winners * (restored(h, gradients[0]) / count)};
}

// The derivative for an element is the product of all others: of those before it and of those behind it, which holds
// for zeros, too.
Tensors backwardProd(const History& h, const Tensors& gradients) {
  const Tensor& x = h.in[0];
  const int rank = x.rank(), axes = axesOf(h.params, rank);
  SmallVector<int, 8> order;  // the reduced axes last, as one
  Shape shape, moved;
  for (int pass = 0; pass < 2; pass++) {
    for (int i = 0; i < rank; i++) {
      if ((axes >> i & 1) != pass) continue;
      order.push_back(i);
      moved.push(x.shape()[i]);
      if (pass == 0) shape.push(x.shape()[i]);
    }
  }
  if (shape.rank() == rank) return {broadcastTo(restored(h, gradients[0]), x.shape())};
  shape.push(reducedElements(x.shape(), axes));
  const Tensor rows = reshape(permute(x, order), shape);
  const int last = shape.rank() - 1;
  const Tensor others = reshape(cumprod(rows, last, true, false) * cumprod(rows, last, true, true), moved);
  SmallVector<int, 8> inverse(order.size());
  for (size_t i = 0; i < order.size(); i++) inverse[order[i]] = static_cast<int>(i);
  return {permute(others, inverse) * restored(h, gradients[0])};
}

// --- argmax, argmin. Parameters: keepDims, all (1: over the tensor as one axis), axis.

Specs inferArg(const Arguments& args) {
  requireTensors(args, 1);
  const Spec& in = args.spec(0);
  const int rank = in.shape.rank();
  const int axes = args.params.flag(1) ? (1 << rank) - 1 : 1 << axisParam(args, 2, rank);
  const int64_t n = reducedElements(in.shape, axes);
  if (n == 0) args.fail("at least one element along the axis", in.text());
  if (n > 2147483647) args.fail("at most 2^31 - 1 elements along the axis", in.text());
  return {{DType::int32, reduced(in.shape, axes, args.params.flag(0))}};
}
template <bool minimum>
void forwardArg(const Arguments& args, Tensors& out) {
  if (!args.params.flag(1)) {
    return issue(Kernel::argReduce, write(ArgReduce{minimum, axisParam(args, 2, args.spec(0).shape.rank())}), args.in,
                 out);
  }
  const Tensor flat = Tensor::make({args.spec(0).dtype, {args.spec(0).elements()}}, args.in[0].storage());
  issue(Kernel::argReduce, write(ArgReduce{minimum, 0}), {flat}, out);
}

}  // namespace

const Op sumOp = {.name = "sum",
                  .infer = infer<Reduction::sum>,
                  .forward = forward<Reduction::sum>,
                  .backward = backwardSum,
                  .casts = Casts::float32};
const Op meanOp = {.name = "mean", .infer = inferMean, .forward = forwardMean, .backward = backwardMean};
const Op prodOp = {.name = "prod",
                   .infer = infer<Reduction::product>,
                   .forward = forward<Reduction::product>,
                   .backward = backwardProd,
                   .saveInputs = save(0),
                   .casts = Casts::float32};
const Op maxOp = {.name = "max",
                  .infer = infer<Reduction::maximum>,
                  .forward = forward<Reduction::maximum>,
                  .backward = backwardExtreme,
                  .saveInputs = save(0),
                  .saveOutputs = save(0)};
const Op minOp = {.name = "min",
                  .infer = infer<Reduction::minimum>,
                  .forward = forward<Reduction::minimum>,
                  .backward = backwardExtreme,
                  .saveInputs = save(0),
                  .saveOutputs = save(0)};
const Op anyOp = {.name = "any", .infer = infer<Reduction::any>, .forward = forward<Reduction::any>};
const Op allOp = {.name = "all", .infer = infer<Reduction::all>, .forward = forward<Reduction::all>};
const Op argmaxOp = {.name = "argmax", .infer = inferArg, .forward = forwardArg<false>};
const Op argminOp = {.name = "argmin", .infer = inferArg, .forward = forwardArg<true>};

Tensor sum(const Tensor& t, int axes, bool keepDims) {
  Params params{static_cast<double>(keepDims), 0};
  for (int i = 0; i < t.rank(); i++) {
    if (axes >> i & 1) params.push(i);
  }
  return apply1(sumOp, {t}, params);
}

Tensor sumTo(const Tensor& t, const Shape& shape) {
  if (t.shape() == shape) return t;
  int axes = 0;
  for (int i = 0; i < t.rank(); i++) {
    if (t.shape()[i] != 1 && shape.fromEnd(t.rank() - i) == 1) axes |= 1 << i;
  }
  return reshape(axes ? sum(t, axes, false) : t, shape);
}

}  // namespace needletail
