// Convolution and its two gradients. Each is an op whose derivative is written in the other two, so gradients of
// gradients come by themselves.
//
// n: images, h w: height and width, c: channels, o: channels of the result, k: kernel, g: groups
//   conv2d:             x [n, h, w, c], weights [o, kh, kw, c / g], (bias [o])  ->  y [n, oh, ow, o]
//   convolutionData:    gradient [n, oh, ow, o], weights                        ->  dx [n, h, w, c]
//   convolutionWeights: gradient [n, oh, ow, o], x                              ->  dweights, (dbias)
#include "ops/elementwise_tensor.h"
#include "ops/ops.h"
#include "ops/window.h"

namespace needletail {

namespace {

// The parameters of all three: stride, low, high, dilation of the height, the same of the width, groups; then those of
// the op.
constexpr int kOwn = 9;

Convolution geometry(const Params& params) {
  Convolution c;
  for (int i = 0; i < 2; i++) {
    c.stride[i] = static_cast<int>(params.integer(4 * i));
    c.low[i] = static_cast<int>(params.integer(4 * i + 1));
    c.high[i] = static_cast<int>(params.integer(4 * i + 2));
    c.dilation[i] = static_cast<int>(params.integer(4 * i + 3));
  }
  c.groups = static_cast<int>(params.integer(8));
  c.tf32 = compute() == Compute::tf32;
  c.exact = exact();
  return c;
}
Params withOwn(const Params& from, std::initializer_list<double> own) {
  Params params;
  for (int i = 0; i < kOwn; i++) params.push(from.real(i));
  for (double v : own) params.push(v);
  return params;
}

Convolution checkedGeometry(const Arguments& args) {
  for (int i = 0; i < 2; i++) {
    wholeNumber(args, 4 * i, 1, kMaxWindow, "a stride");
    wholeNumber(args, 4 * i + 1, 0, kMaxWindow, "a padding");
    wholeNumber(args, 4 * i + 2, 0, kMaxWindow, "a padding");
    wholeNumber(args, 4 * i + 3, 1, kMaxWindow, "a dilation");
  }
  wholeNumber(args, 8, 1, kMaxWindow, "a number of groups");
  return geometry(args.params);
}

void requireRank4(const Arguments& args, const Spec& spec, const char* what, const char* axes) {
  if (spec.shape.rank() != 4) args.fail(std::string(what) + " of rank 4 (" + axes + ")", spec.shape.text());
}
void checkChannels(const Arguments& args, int64_t channels, const Shape& weights, int groups) {
  if (weights[1] < 1 || weights[2] < 1) args.fail("a kernel of at least 1 x 1", "weights " + weights.text());
  if (channels % groups != 0 || weights[0] % groups != 0) {
    args.fail("channels that " + std::to_string(groups) + " groups divide",
              std::to_string(channels) + " channels in and " + std::to_string(weights[0]) + " out");
  }
  if (weights[3] * groups != channels) {
    args.fail("weights [out, height, width, " + std::to_string(channels / groups) + "] for " +
                  std::to_string(channels) + " channels in " + std::to_string(groups) +
                  (groups == 1 ? " group" : " groups"),
              weights.text(), "Weights are laid out [out, height, width, in / groups].");
  }
}
// [n, oh, ow, o] of the convolution of an image with weights.
Shape convolved(const Arguments& args, const Shape& x, const Shape& weights, const Convolution& c) {
  return {x[0], windowPlaces(args, "height", x[1], weights[1], c.stride[0], c.low[0], c.high[0], c.dilation[0]),
          windowPlaces(args, "width", x[2], weights[2], c.stride[1], c.low[1], c.high[1], c.dilation[1]), weights[0]};
}

// --- conv2d: its own parameter is the activation (0 none, 1 ReLU)

Specs inferForward(const Arguments& args) {
  requireCount(args, 2, 3);
  const Spec &x = args.spec(0), &weights = args.spec(1);
  requireRank4(args, x, "images", "[n, height, width, channels]");
  requireRank4(args, weights, "weights", "[out, height, width, in / groups]");
  requireFloat(args, x);
  requireDType(args, x, weights);
  const Convolution c = checkedGeometry(args);
  wholeNumber(args, kOwn, 0, 1, "an activation");
  checkChannels(args, x.shape[3], weights.shape, c.groups);
  if (args.has(2)) {
    requireDType(args, x, args.spec(2));
    if (args.spec(2).shape != Shape{weights.shape[0]}) {
      args.fail("a bias [" + std::to_string(weights.shape[0]) + "]", args.spec(2).shape.text());
    }
  }
  return {{x.dtype, convolved(args, x.shape, weights.shape, c)}};
}
void forward(const Arguments& args, Tensors& out) {
  Convolution c = geometry(args.params);
  c.epilogue.bias = args.has(2);
  c.epilogue.activation = args.params.flag(kOwn) ? Activation::relu : Activation::none;
  Tensors in{args.in[0], args.in[1]};
  if (args.has(2)) in.push_back(args.in[2]);
  issue(Kernel::convolution, write(c), in, out);
}
Tensors backward(const History& h, const Tensors& gradients) {
  const Tensor g = h.params.flag(kOwn) ? applyRowGradient(Row::relu, h.out[0], gradients[0], h.graph) : gradients[0];
  const Shape &x = h.inSpecs[0].shape, &w = h.inSpecs[1].shape;
  const bool bias = h.wanted.size() > 2 && h.wanted[2];
  Tensors result(h.wanted.size(), Tensor());
  if (h.wanted[0]) {
    result[0] = apply1(convolutionDataOp, {g, h.in[1]},
                       withOwn(h.params, {static_cast<double>(x[1]), static_cast<double>(x[2])}));
  }
  if (h.wanted[1]) {
    const Params params = withOwn(h.params, {static_cast<double>(w[1]), static_cast<double>(w[2]), bias ? 1.0 : 0.0});
    const Tensors both = apply(convolutionWeightsOp, {g, h.in[0]}, params);
    result[1] = both[0];
    if (bias) result[2] = both[1];
  } else if (bias) {
    result[2] = sumTo(g, h.inSpecs[2].shape);
  }
  return result;
}

// --- convolutionData: its own parameters are the height and width of the image

Specs inferData(const Arguments& args) {
  requireCount(args, 2, 2);
  const Spec &g = args.spec(0), &weights = args.spec(1);
  requireRank4(args, g, "images", "[n, height, width, channels]");
  requireRank4(args, weights, "weights", "[in, height, width, out / groups]");
  requireFloat(args, g);
  requireDType(args, g, weights);
  const Convolution c = checkedGeometry(args);
  const int64_t height = wholeNumber(args, kOwn, 0, kMaxWindow, "a height"),
                width = wholeNumber(args, kOwn + 1, 0, kMaxWindow, "a width");
  const Shape x{g.shape[0], height, width, weights.shape[3] * c.groups};
  if (weights.shape[0] != g.shape[3]) {
    args.fail("weights [" + std::to_string(g.shape[3]) + ", height, width, out / groups] for " +
                  std::to_string(g.shape[3]) + " channels",
              weights.shape.text(), "The first axis of the weights are the channels that come in.");
  }
  checkChannels(args, x[3], weights.shape, c.groups);
  const Shape back = convolved(args, x, weights.shape, c);
  if (back != g.shape) {
    args.fail("an output size whose convolution is " + g.shape.text(),
              x.text() + ", whose convolution is " + back.text(), "See outputPadding: it is less than the stride.");
  }
  return {{g.dtype, x}};
}
void forwardData(const Arguments& args, Tensors& out) {
  issue(Kernel::convolutionData, write(geometry(args.params)), args.in, out);
}
Tensors backwardData(const History& h, const Tensors& gradients) {
  const Shape& w = h.inSpecs[1].shape;
  Tensors result(2, Tensor());
  if (h.wanted[0]) result[0] = apply1(conv2dOp, {gradients[0], h.in[1]}, withOwn(h.params, {0}));
  if (h.wanted[1]) {
    result[1] = apply1(convolutionWeightsOp, {h.in[0], gradients[0]},
                       withOwn(h.params, {static_cast<double>(w[1]), static_cast<double>(w[2]), 0}));
  }
  return result;
}

// --- convolutionWeights: its own parameters are the height and width of the kernel, and whether the bias' gradient
// comes too

Specs inferWeights(const Arguments& args) {
  requireCount(args, 2, 2);
  const Spec &g = args.spec(0), &x = args.spec(1);
  requireRank4(args, g, "a gradient", "[n, height, width, channels]");
  requireRank4(args, x, "images", "[n, height, width, channels]");
  requireFloat(args, g);
  requireDType(args, g, x);
  const Convolution c = checkedGeometry(args);
  const int64_t height = wholeNumber(args, kOwn, 1, kMaxWindow, "a height"),
                width = wholeNumber(args, kOwn + 1, 1, kMaxWindow, "a width");
  const bool bias = wholeNumber(args, kOwn + 2, 0, 1, "a flag") != 0;
  const Shape weights{g.shape[3], height, width, x.shape[3] / c.groups};
  checkChannels(args, x.shape[3], weights, c.groups);
  const Shape back = convolved(args, x.shape, weights, c);
  if (back != g.shape) args.fail("a gradient " + back.text(), g.shape.text());
  if (bias) return {{g.dtype, weights}, {g.dtype, {g.shape[3]}}};
  return {{g.dtype, weights}};
}
void forwardWeights(const Arguments& args, Tensors& out) {
  Convolution c = geometry(args.params);
  c.epilogue.bias = out.size() > 1;
  issue(Kernel::convolutionWeights, write(c), args.in, out);
}
Tensors backwardWeights(const History& h, const Tensors& gradients) {
  const Shape& x = h.inSpecs[1].shape;
  Tensors result(2, Tensor());
  const Tensor &dw = gradients[0], db = gradients.size() > 1 ? gradients[1] : Tensor();
  // dweights and dbias are linear in the gradient, with x's convolution as their transpose; dweights is linear in x.
  if (h.wanted[0] && dw) {
    Tensors in{h.in[1], dw};
    if (db) in.push_back(db);
    result[0] = apply1(conv2dOp, in, withOwn(h.params, {0}));
  } else if (h.wanted[0] && db) {
    result[0] = add(full(h.inSpecs[0], 0), db);
  }
  if (h.wanted[1] && dw) {
    result[1] = apply1(convolutionDataOp, {h.in[0], dw},
                       withOwn(h.params, {static_cast<double>(x[1]), static_cast<double>(x[2])}));
  }
  return result;
}

}  // namespace

const Op conv2dOp = {.name = "conv2d",
                     .infer = inferForward,
                     .forward = forward,
                     .backward = backward,
                     .saveInputs = save(0, 1),
                     .saveOutputs = save(0),
                     .casts = Casts::half};
const Op convolutionDataOp = {.name = "convolutionData",
                              .infer = inferData,
                              .forward = forwardData,
                              .backward = backwardData,
                              .saveInputs = save(0, 1),
                              .casts = Casts::half};
const Op convolutionWeightsOp = {.name = "convolutionWeights",
                                 .infer = inferWeights,
                                 .forward = forwardWeights,
                                 .backward = backwardWeights,
                                 .saveInputs = save(0, 1),
                                 .casts = Casts::half};

}  // namespace needletail
