// cast between dtypes, and iota: numbers in equal steps.
#include "ops/check.h"
#include "ops/functions.h"
#include "ops/ops.h"

namespace needletail {

namespace {

// --- cast. Parameters: the dtype.

Specs inferCast(const Arguments& args) {
  requireTensors(args, 1);
  return {{dtypeParam(args, 0), args.spec(0).shape}};
}
void forwardCast(const Arguments& args, Tensors& out) {
  issue(args.spec(0).dtype == out[0].dtype() ? Kernel::copy : Kernel::cast, {}, args.in, out);
}
Tensors backwardCast(const History& h, const Tensors& gradients) { return {cast(gradients[0], h.inSpecs[0].dtype)}; }

// --- iota. Parameters: dtype, start, step, count.

Specs inferIota(const Arguments& args) {
  requireTensors(args, 0);
  const DType dtype = dtypeParam(args, 0);
  if (dtype == DType::boolean) args.fail("a dtype of numbers", name(dtype));
  const double start = args.params.real(1), step = args.params.real(2);
  const int64_t count = wholeParam(args, 3, "a count", 0, kMaxElements);
  const double last = count > 0 ? start + static_cast<double>(count - 1) * step : start;
  for (double v : {start, step, last}) {
    if (!std::isfinite(v)) args.fail("finite numbers", numberText(v));
  }
  if (count > 0) checkValue(args, start, dtype), checkValue(args, last, dtype);
  if (!isFloat(dtype) && step != std::floor(step)) args.fail("a step that is a whole number", numberText(step));
  return {{dtype, {count}}};
}
void forwardIota(const Arguments& args, Tensors& out) {
  issue(Kernel::iota, write(Iota{args.params.real(1), args.params.real(2)}), {}, out);
}

}  // namespace

const Op castOp = {.name = "cast", .infer = inferCast, .forward = forwardCast, .backward = backwardCast};
const Op iotaOp = {.name = "iota", .infer = inferIota, .forward = forwardIota};

Tensor cast(const Tensor& t, DType dtype) {
  return t.dtype() == dtype ? t : apply1(castOp, {t}, {static_cast<double>(dtype)});
}

}  // namespace needletail
