// Max and average pooling of images [n, h, w, c], and their gradients.
//
// A maximum's derivative is known by the positions of the winners: its gradient lays g at them (maxPoolGradient), and
// the gradient of that takes the values from them (maxPoolTake). Averaging and its gradient are each other's
// transposes.
#include "autograd.h"
#include "ops/elementwise_tensor.h"
#include "ops/ops.h"
#include "ops/window.h"

namespace needletail {

namespace {

// Parameters: size, stride, low, high of the height; the same of the width; countPadding; for the gradients: height,
// width.
constexpr int kOwn = 9;

Pool geometry(const Params& params, bool maximum) {
  Pool p;
  p.maximum = maximum;
  for (int i = 0; i < 2; i++) {
    p.size[i] = static_cast<int>(params.integer(4 * i));
    p.stride[i] = static_cast<int>(params.integer(4 * i + 1));
    p.low[i] = static_cast<int>(params.integer(4 * i + 2));
    p.high[i] = static_cast<int>(params.integer(4 * i + 3));
  }
  p.countPadding = params.flag(8);
  return p;
}
Params withSize(const Params& from, const Shape& x) {
  Params params;
  for (int i = 0; i < kOwn; i++) params.push(from.real(i));
  params.push(static_cast<double>(x[1]));
  params.push(static_cast<double>(x[2]));
  return params;
}

// The pooled shape of images [n, h, w, c].
Shape pooled(const Arguments& args, const Shape& x) {
  const char* axes[] = {"height", "width"};
  Shape out = x;
  for (int i = 0; i < 2; i++) {
    const int64_t size = wholeNumber(args, 4 * i, 1, kMaxWindow, "a window size");
    const int64_t stride = wholeNumber(args, 4 * i + 1, 1, kMaxWindow, "a stride");
    const int64_t low = wholeNumber(args, 4 * i + 2, 0, kMaxWindow, "a padding");
    const int64_t high = wholeNumber(args, 4 * i + 3, 0, kMaxWindow, "a padding");
    if (low >= size || high >= size) {
      args.fail("a padding less than the window's " + std::to_string(size), std::to_string(std::max(low, high)));
    }
    if (x[1 + i] == 0) args.fail(std::string("images with a ") + axes[i] + " of at least 1", x.text());
    out[1 + i] = windowPlaces(args, axes[i], x[1 + i], size, stride, low, high, 1);
  }
  wholeNumber(args, 8, 0, 1, "a flag");
  return out;
}

const Spec& images(const Arguments& args, size_t inputs) {
  requireCount(args, inputs, inputs);
  const Spec& x = args.spec(0);
  if (x.shape.rank() != 4) args.fail("images of rank 4 ([n, height, width, channels])", x.shape.text());
  requireFloat(args, x);
  return x;
}

// The images' shape that the gradients' parameters tell, checked against the pooled shape.
Spec unpooled(const Arguments& args, const Spec& g) {
  Spec x = g;
  x.shape[1] = wholeNumber(args, kOwn, 1, kMaxWindow, "a height");
  x.shape[2] = wholeNumber(args, kOwn + 1, 1, kMaxWindow, "a width");
  const Shape back = pooled(args, x.shape);
  if (back != g.shape) args.fail("a gradient " + back.text(), g.shape.text());
  return x;
}
void checkPositions(const Arguments& args, const Shape& shape) {
  const Spec& positions = args.spec(1);
  if (positions.dtype != DType::int32 || positions.shape != shape) {
    args.fail("positions int32 " + shape.text(), positions.text());
  }
}

// Positions are computed where a gradient will ask for them.
Specs inferMax(const Arguments& args) {
  const Spec& x = images(args, 1);
  const Shape out = pooled(args, x.shape);
  if (gradientMode() && args.in[0].requiresGradient()) return {{x.dtype, out}, {DType::int32, out}};
  return {{x.dtype, out}};
}
void forwardMax(const Arguments& args, Tensors& out) {
  issue(Kernel::pool, write(geometry(args.params, true)), args.in, out);
}
Tensors backwardMax(const History& h, const Tensors& gradients) {
  if (!gradients[0]) return {Tensor()};
  return {apply1(maxPoolGradientOp, {gradients[0], h.out[1]}, withSize(h.params, h.inSpecs[0].shape))};
}

Specs inferMaxGradient(const Arguments& args) {
  const Spec& g = images(args, 2);
  checkPositions(args, g.shape);
  return {unpooled(args, g)};
}
void forwardMaxGradient(const Arguments& args, Tensors& out) {
  issue(Kernel::poolGradient, write(geometry(args.params, true)), args.in, out);
}
Tensors backwardMaxGradient(const History& h, const Tensors& gradients) {
  return {apply1(maxPoolTakeOp, {gradients[0], h.in[1]}, h.params), Tensor()};
}

// in: images, positions; out: the images' values at the positions.
Specs inferTake(const Arguments& args) {
  const Spec& x = images(args, 2);
  Spec out = x;
  out.shape = pooled(args, x.shape);
  checkPositions(args, out.shape);
  return {out};
}
void forwardTake(const Arguments& args, Tensors& out) {
  auto flat = [](const Tensor& t) {
    const Shape& s = t.shape();
    return Tensor::make({t.dtype(), {s[0], s[1] * s[2], s[3]}}, Ref<Storage>(t.storage()));
  };
  Gather gather;
  gather.axis = 1;
  gather.along = true;
  issue(Kernel::gather, write(gather), {flat(args.in[0]), flat(args.in[1])}, {flat(out[0])});
}
Tensors backwardTake(const History& h, const Tensors& gradients) {
  return {apply1(maxPoolGradientOp, {gradients[0], h.in[1]}, withSize(h.params, h.inSpecs[0].shape)), Tensor()};
}

Specs inferAverage(const Arguments& args) {
  const Spec& x = images(args, 1);
  return {{x.dtype, pooled(args, x.shape)}};
}
void forwardAverage(const Arguments& args, Tensors& out) {
  issue(Kernel::pool, write(geometry(args.params, false)), args.in, out);
}
Tensors backwardAverage(const History& h, const Tensors& gradients) {
  return {apply1(averagePoolGradientOp, {gradients[0]}, withSize(h.params, h.inSpecs[0].shape))};
}
Specs inferAverageGradient(const Arguments& args) { return {unpooled(args, images(args, 1))}; }
void forwardAverageGradient(const Arguments& args, Tensors& out) {
  issue(Kernel::poolGradient, write(geometry(args.params, false)), args.in, out);
}
Tensors backwardAverageGradient(const History& h, const Tensors& gradients) {
  return {apply1(averagePoolOp, {gradients[0]}, h.params)};
}

}  // namespace

const Op maxPoolOp = {
    .name = "maxPool2d", .infer = inferMax, .forward = forwardMax, .backward = backwardMax, .saveOutputs = save(1)};
const Op maxPoolGradientOp = {.name = "maxPoolGradient",
                              .infer = inferMaxGradient,
                              .forward = forwardMaxGradient,
                              .backward = backwardMaxGradient,
                              .saveInputs = save(1)};
const Op maxPoolTakeOp = {
    .name = "maxPoolTake", .infer = inferTake, .forward = forwardTake, .backward = backwardTake, .saveInputs = save(1)};
const Op averagePoolOp = {
    .name = "avgPool2d", .infer = inferAverage, .forward = forwardAverage, .backward = backwardAverage};
const Op averagePoolGradientOp = {.name = "avgPoolGradient",
                                  .infer = inferAverageGradient,
                                  .forward = forwardAverageGradient,
                                  .backward = backwardAverageGradient};

}  // namespace needletail
