// Softmax, its logarithm, and cross-entropy.
#include <cmath>

#include "ops/check.h"
#include "ops/elementwise_tensor.h"
#include "ops/functions.h"
#include "ops/ops.h"

namespace needletail {

namespace {

void requireFloats(const Arguments& args, const Spec& x) {
  if (!isFloat(x.dtype)) args.fail("float32, bfloat16 or float16", x.text(), "Use astype.");
}

// The kernel's parameters: an axis counts from the first one.
Params fromFirst(const Params& params, int rank) {
  auto p = read<Softmax>(params);
  if (p.axis < 0) p.axis += rank;
  return write(p);
}

Specs inferSoftmax(const Arguments& args) {
  requireTensors(args, 1);
  requireFloats(args, args.spec(0));
  axisParam(args, 1, args.spec(0).shape.rank());
  return {args.spec(0)};
}

Specs inferSoftmaxGradient(const Arguments& args) {
  requireTensors(args, 2);
  requireFloats(args, args.spec(0));
  axisParam(args, 1, args.spec(0).shape.rank());
  if (args.spec(1) != args.spec(0))
    args.fail("a gradient like the result", args.spec(0).text() + " and " + args.spec(1).text());
  return {args.spec(0)};
}

void forwardSoftmax(const Arguments& args, Tensors& out) {
  issue(Kernel::softmax, fromFirst(args.params, out[0].rank()), args.in, out);
}
void forwardSoftmaxGradient(const Arguments& args, Tensors& out) {
  issue(Kernel::softmaxGradient, fromFirst(args.params, out[0].rank()), args.in, out);
}

// softmax: dx = y (g - sum(g y)); log: dx = g - exp(y) sum(g).
Tensors backwardSoftmax(const History& h, const Tensors& gradients) {
  const Tensor &g = gradients[0], &y = h.out[0];
  if (!h.graph) return {apply1(softmaxGradientOp, {g, y}, h.params)};
  const auto p = read<Softmax>(fromFirst(h.params, y.rank()));
  Shape rest = y.shape();
  rest[p.axis] = 1;
  if (p.log) return {g - exp(y) * sumTo(g, rest)};
  const Tensor t = g * y;
  return {t - y * sumTo(t, rest)};
}

// Logits, labels and weights, from input `first` on.
void checkEntropy(const Arguments& args, int first) {
  const auto p = read<CrossEntropy>(args.params);
  requireTensors(args, first + 2 + (p.weighted ? 1 : 0));
  const Spec &logits = args.spec(first), &labels = args.spec(first + 1);
  if (!isFloat(logits.dtype) || logits.shape.rank() != 2) {
    args.fail("logits [n, classes] of float32, bfloat16 or float16", logits.text());
  }
  const std::string n = std::to_string(logits.shape[0]);
  if ((labels.dtype != DType::int32 && labels.dtype != DType::int64) || labels.shape != Shape{logits.shape[0]}) {
    args.fail("labels int32 or int64 [" + n + "]", labels.text(), "A label is the number of a class.");
  }
  if (p.weighted && args.spec(first + 2) != Spec{DType::float32, {logits.shape[1]}}) {
    args.fail("weights float32 [" + std::to_string(logits.shape[1]) + "], one per class", args.spec(first + 2).text());
  }
  if (!(p.smoothing >= 0 && p.smoothing <= 1)) args.fail("a label smoothing in [0, 1]", numberText(p.smoothing));
}

Specs inferEntropy(const Arguments& args) {
  checkEntropy(args, 0);
  return {{DType::float32, {args.spec(0).shape[0]}}};
}
void forwardEntropy(const Arguments& args, Tensors& out) {
  issue(Kernel::softmaxCrossEntropy, args.params, args.in, out);
}

Specs inferEntropyGradient(const Arguments& args) {
  checkEntropy(args, 1);
  const Spec losses{DType::float32, {args.spec(1).shape[0]}};
  if (args.spec(0) != losses) args.fail("a gradient " + losses.text(), args.spec(0).text());
  return {args.spec(1)};
}
void forwardEntropyGradient(const Arguments& args, Tensors& out) {
  issue(Kernel::softmaxCrossEntropyGradient, args.params, args.in, out);
}

// Of the logits alone: labels and weights have no gradient.
Tensors backwardEntropy(const History& h, const Tensors& gradients) {
  Tensors result(h.in.size(), Tensor());
  if (!h.wanted[0]) return result;
  Tensors arguments{gradients[0]};
  for (const Tensor& t : h.in) arguments.push_back(t);
  result[0] = apply1(softmaxCrossEntropyGradientOp, arguments, h.params);
  return result;
}

// d = g (p T - t), where p is the softmax of the logits, t the smoothed and weighted target and T its sum. For G, the
// gradient of d: that of g is the sum over the classes of G (p T - t); that of the logits is g T p (G - sum(G p)).
Tensors backwardEntropyGradient(const History& h, const Tensors& gradients) {
  const auto p = read<CrossEntropy>(h.params);
  const Tensor &g = h.in[0], &logits = h.in[1], &labels = h.in[2];
  const Tensor outer = cast(gradients[0], DType::float32);
  const int64_t n = logits.shape()[0];
  Tensors result(h.in.size(), Tensor());
  if (h.wanted[0]) {
    Tensors arguments = h.in;
    arguments[0] = full(g.spec(), 1);
    const Tensor unit = cast(apply1(softmaxCrossEntropyGradientOp, arguments, h.params), DType::float32);
    result[0] = reshape(sumTo(outer * unit, {n, 1}), {n});
  }
  if (h.wanted[1]) {
    const Tensor s = cast(apply1(softmaxOp, {logits}, write(Softmax{false, 1})), DType::float32);
    Tensor scale = g;
    if (p.weighted) {
      const Tensor& weights = h.in[3];
      const Tensor mean = sumTo(weights, Shape{1}) * (p.smoothing / static_cast<double>(logits.shape()[1]));
      scale = g * (gather(weights, labels, 0, false) * (1 - p.smoothing) + mean);
    }
    const Tensor d = reshape(scale, {n, 1}) * s * (outer - sumTo(outer * s, {n, 1}));
    result[1] = cast(d, logits.dtype());
  }
  return result;
}

}  // namespace

const Op softmaxOp = {.name = "softmax",
                      .infer = inferSoftmax,
                      .forward = forwardSoftmax,
                      .backward = backwardSoftmax,
                      .saveOutputs = save(0),
                      .casts = Casts::float32};

// What backward uses where no graph is asked for.
const Op softmaxGradientOp = {
    .name = "softmaxGradient", .infer = inferSoftmaxGradient, .forward = forwardSoftmaxGradient};

// In float32 whatever the logits are, so that they need no cast.
const Op softmaxCrossEntropyOp = {.name = "softmaxCrossEntropy",
                                  .infer = inferEntropy,
                                  .forward = forwardEntropy,
                                  .backward = backwardEntropy,
                                  .saveInputs = save(0, 1, 2),
                                  .casts = Casts::none};

const Op softmaxCrossEntropyGradientOp = {.name = "softmaxCrossEntropyGradient",
                                          .infer = inferEntropyGradient,
                                          .forward = forwardEntropyGradient,
                                          .backward = backwardEntropyGradient,
                                          .saveInputs = save(0, 1, 2, 3),
                                          .casts = Casts::none};

}  // namespace needletail
