// Resizing images [n, h, w, c] to another height and width, and its gradient (the transpose: each is the other's
// derivative). Centres of pixels are half a pixel from their edges, or the corner pixels' centres are laid on one
// another (alignCorners).
#include "ops/check.h"
#include "ops/ops.h"

namespace needletail {

namespace {

constexpr int64_t kMostPlaces = 1 << 24;  // along an axis: kernels keep a table of them

// Parameters: the height and width that come out, method (0 nearest, 1 bilinear), alignCorners.
Resize resizeParams(const Params& params) {
  Resize r;
  r.method = static_cast<Interpolation>(params.integer(2));
  r.alignCorners = params.flag(3);
  return r;
}
Params withSize(const Params& from, const Shape& to) {
  return {static_cast<double>(to[1]), static_cast<double>(to[2]), from.real(2), from.real(3)};
}

Specs infer(const Arguments& args) {
  requireTensors(args, 1);
  Spec x = args.spec(0);
  if (x.shape.rank() != 4) args.fail("images of rank 4 ([n, height, width, channels])", x.shape.text());
  if (x.shape[1] == 0 || x.shape[2] == 0) args.fail("images of at least 1 x 1", x.shape.text());
  const int64_t height = wholeParam(args, 0, "a height", 1, kMostPlaces),
                width = wholeParam(args, 1, "a width", 1, kMostPlaces);
  const int64_t method = wholeParam(args, 2, "a method", 0, 1);
  wholeParam(args, 3, "a flag", 0, 1);
  const bool moves = method == static_cast<int64_t>(Interpolation::nearest) && &args.op == &resizeOp;
  if (!isFloat(x.dtype) && !moves)
    args.fail("float32, bfloat16 or float16", x.text(), "Use astype('float32'), or the method 'nearest'.");
  x.shape[1] = height;
  x.shape[2] = width;
  return {x};
}
void forward(const Arguments& args, Tensors& out) {
  issue(Kernel::resize, write(resizeParams(args.params)), args.in, out);
}
Tensors backward(const History& h, const Tensors& gradients) {
  return {apply1(resizeGradientOp, {gradients[0]}, withSize(h.params, h.inSpecs[0].shape))};
}
void forwardGradient(const Arguments& args, Tensors& out) {
  issue(Kernel::resizeGradient, write(resizeParams(args.params)), args.in, out);
}
Tensors backwardGradient(const History& h, const Tensors& gradients) {
  return {apply1(resizeOp, {gradients[0]}, withSize(h.params, h.inSpecs[0].shape))};
}

}  // namespace

const Op resizeOp = {
    .name = "resize", .infer = infer, .forward = forward, .backward = backward, .casts = Casts::float32};
const Op resizeGradientOp = {
    .name = "resizeGradient", .infer = infer, .forward = forwardGradient, .backward = backwardGradient};

}  // namespace needletail
