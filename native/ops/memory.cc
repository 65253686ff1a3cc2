// Ops that the core itself uses: identity (a view), copy, fill.
#include "ops/elementwise_tensor.h"
#include "ops/ops.h"

namespace needletail {

namespace {

Specs inferSame(const Arguments& args) {
  if (args.in.size() != 1 || !args.has(0)) args.fail("one tensor", std::to_string(args.in.size()));
  return {args.spec(0)};
}
void forwardView(const Arguments&, Tensors&) {}
void forwardCopy(const Arguments& args, Tensors& out) { issue(Kernel::copy, {}, args.in, out); }
Tensors backwardSame(const History&, const Tensors& gradients) { return {gradients[0]}; }

// Parameters: value, dtype, then the shape.
Specs inferFill(const Arguments& args) {
  Spec spec;
  const int dtype = static_cast<int>(args.params.real(1));
  if (!(args.params.real(1) >= 0 && dtype < kDTypes)) args.fail("a dtype", std::to_string(dtype));
  spec.dtype = static_cast<DType>(dtype);
  if (args.params.count() - 2 > kMaxRank)
    args.fail("a shape of at most 8 axes", std::to_string(args.params.count() - 2));
  for (int i = 2; i < args.params.count(); i++) {
    const double d = args.params.real(i);
    if (!(d >= 0 && d < 1e15) || d != static_cast<double>(static_cast<int64_t>(d))) {
      args.fail("sizes that are whole numbers from 0", std::to_string(d));
    }
    spec.shape.push(static_cast<int64_t>(d));
  }
  return {spec};
}
void forwardFill(const Arguments& args, Tensors& out) {
  issue(Kernel::fill, write(Fill{args.params.real(0)}), {}, out);
}

}  // namespace

const Op identityOp = {
    .name = "identity", .infer = inferSame, .forward = forwardView, .backward = backwardSame, .alias = {1, 0, 0, 0}};
const Op copyOp = {.name = "copy", .infer = inferSame, .forward = forwardCopy, .backward = backwardSame};
const Op fillOp = {.name = "fill", .infer = inferFill, .forward = forwardFill};

Tensor identity(const Tensor& t) { return apply1(identityOp, {t}); }
Tensor full(const Spec& spec, double value) {
  Params params{value, static_cast<double>(spec.dtype)};
  for (int i = 0; i < spec.shape.rank(); i++) params.push(static_cast<double>(spec.shape[i]));
  return apply1(fillOp, {}, params);
}

}  // namespace needletail
