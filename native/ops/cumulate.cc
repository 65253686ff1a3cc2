// Running sums and products along an axis, and linearScan, the recurrence that their derivatives need.
#include "ops/check.h"
#include "ops/elementwise_tensor.h"
#include "ops/ops.h"

namespace needletail {

namespace {

// Parameters: axis, exclusive, reverse.
int axisOf(const Params& params, int rank) {
  const int axis = static_cast<int>(params.real(0));
  return axis < 0 ? axis + rank : axis;
}

Specs infer(const Arguments& args) {
  requireTensors(args, 1);
  Spec out = args.spec(0);
  axisParam(args, 0, out.shape.rank());
  if (out.dtype == DType::uint8 || out.dtype == DType::boolean) out.dtype = DType::int32;
  return {out};
}

template <bool product>
void forward(const Arguments& args, Tensors& out) {
  const Cumulate c{product, args.params.flag(1), args.params.flag(2), axisOf(args.params, out[0].rank())};
  issue(Kernel::cumulate, write(c), args.in, out);
}

Tensors backwardSum(const History& h, const Tensors& gradients) {
  return {cumsum(gradients[0], axisOf(h.params, gradients[0].rank()), h.params.flag(1), !h.params.flag(2))};
}

// y[j] = product of x[k] for k <= j (k < j if exclusive), so dx[i] = (product of x[k], k < i) * s[i] with
// s[i] = sum over j >= i of g[j] * (product of x[k], i < k <= j) = g[i] + x[i + 1] * s[i + 1]. No division: zeros are
// fine.
Tensors backwardProduct(const History& h, const Tensors& gradients) {
  const Tensor &x = h.in[0], &g = gradients[0];
  const int axis = axisOf(h.params, x.rank());
  const bool exclusive = h.params.flag(1), reverse = h.params.flag(2);
  const int towards = reverse ? 1 : -1;  // moves the following element here
  const Tensor s = exclusive ? shift(linearScan(g, x, axis, !reverse), axis, towards)
                             : linearScan(g, shift(x, axis, towards), axis, !reverse);
  return {cumprod(x, axis, true, reverse) * s};
}

// --- linearScan. in: x, factors of the same shape; y[i] = x[i] + factors[i] * y[i - 1]. Parameters: axis, reverse.

Specs inferScan(const Arguments& args) {
  requireTensors(args, 2);
  const Spec& x = args.spec(0);
  if (!isFloat(x.dtype)) args.fail("float32, bfloat16 or float16", x.text(), "Use astype('float32').");
  if (!(args.spec(1) == x)) args.fail("factors of " + x.text(), args.spec(1).text());
  axisParam(args, 0, x.shape.rank());
  return {x};
}
void forwardScan(const Arguments& args, Tensors& out) {
  const Cumulate c{false, false, args.params.flag(1), axisOf(args.params, out[0].rank())};
  issue(Kernel::cumulate, write(c), args.in, out);
}
// dx[i] = g[i] + factors[i + 1] * dx[i + 1], dfactors[i] = dx[i] * y[i - 1].
Tensors backwardScan(const History& h, const Tensors& gradients) {
  const int axis = axisOf(h.params, gradients[0].rank());
  const bool reverse = h.params.flag(1);
  const Tensor dx = linearScan(gradients[0], shift(h.in[1], axis, reverse ? 1 : -1), axis, !reverse);
  return {dx, h.wanted[1] ? dx * shift(h.out[0], axis, reverse ? -1 : 1) : Tensor()};
}

}  // namespace

const Op cumsumOp = {
    .name = "cumsum", .infer = infer, .forward = forward<false>, .backward = backwardSum, .casts = Casts::float32};
const Op cumprodOp = {.name = "cumprod",
                      .infer = infer,
                      .forward = forward<true>,
                      .backward = backwardProduct,
                      .saveInputs = save(0),
                      .casts = Casts::float32};
const Op linearScanOp = {.name = "linearScan",
                         .infer = inferScan,
                         .forward = forwardScan,
                         .backward = backwardScan,
                         .saveInputs = save(1),
                         .saveOutputs = save(0)};

Tensor cumsum(const Tensor& t, int axis, bool exclusive, bool reverse) {
  return apply1(cumsumOp, {t},
                {static_cast<double>(axis), static_cast<double>(exclusive), static_cast<double>(reverse)});
}
Tensor cumprod(const Tensor& t, int axis, bool exclusive, bool reverse) {
  return apply1(cumprodOp, {t},
                {static_cast<double>(axis), static_cast<double>(exclusive), static_cast<double>(reverse)});
}
Tensor linearScan(const Tensor& x, const Tensor& factors, int axis, bool reverse) {
  return apply1(linearScanOp, {x, factors}, {static_cast<double>(axis), static_cast<double>(reverse)});
}

}  // namespace needletail
