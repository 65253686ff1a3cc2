// Batch normalisation (Ioffe and Szegedy 2015) over all axes but the last, and layer normalisation (Ba, Kiros and
// Hinton 2016) over the last axes. Both: y = (x - mean) / sqrt(variance + epsilon) * scale + offset, the variance being
// that of x (biased).
//
// With h = (x - mean) / deviation and s = g * scale:
//   dx = (s - mean(s) - h * mean(s * h)) / deviation,  dscale = sum(g * h),  doffset = sum(g)
#include <algorithm>

#include "ops/check.h"
#include "ops/elementwise_tensor.h"
#include "ops/ops.h"

namespace needletail {

namespace {

Tensor toFloat32(const Tensor& t) { return t.dtype() == DType::float32 ? t : cast(t, DType::float32); }
Tensor fromFloat32(const Tensor& t, DType dtype) { return dtype == DType::float32 ? t : cast(t, dtype); }

struct NormGradient {
  Tensor dx, dscale, doffset;
};
// The derivative in ops that have derivatives themselves. axes: bit i: axis i is normalised over; scale (broadcasts
// with x) may be empty; `outer`: the axes that scale and offset don't have.
NormGradient composite(const Tensor& gradient, const Tensor& image, const Tensor& scale, int axes, int outer,
                       double epsilon, const SmallVector<bool, 4>& wanted) {
  const DType dtype = image.dtype(), affine = scale ? scale.dtype() : dtype;
  const Tensor g = toFloat32(gradient), x = toFloat32(image);
  int64_t count = 1;
  for (int i = 0; i < x.rank(); i++) {
    if (axes >> i & 1) count *= x.shape()[i];
  }
  const double share = 1.0 / static_cast<double>(std::max<int64_t>(count, 1));
  auto mean = [&](const Tensor& t) { return sum(t, axes, true) * share; };
  const Tensor centred = x - mean(x);
  const Tensor inverse = rsqrt(mean(centred * centred) + epsilon);
  const Tensor h = centred * inverse;
  NormGradient result;
  if (wanted[0]) {
    const Tensor s = scale ? g * toFloat32(scale) : g;
    result.dx = fromFloat32((s - mean(s) - h * mean(s * h)) * inverse, dtype);
  }
  if (wanted.size() > 1 && wanted[1]) result.dscale = fromFloat32(sum(g * h, outer, false), affine);
  if (wanted.size() > 2 && wanted[2]) result.doffset = fromFloat32(sum(g, outer, false), affine);
  return result;
}

double epsilonParam(const Arguments& args, int i) {
  const double v = args.params.real(i);
  if (!(v >= 0 && v < 1e30)) args.fail("an epsilon from 0", numberText(v));
  return v;
}
void checkFloat(const Arguments& args, const Spec& spec) {
  if (!isFloat(spec.dtype)) args.fail("float32, bfloat16 or float16", spec.text(), "Use astype('float32').");
}
void checkInput(const Arguments& args, int i, const char* what, const Spec& wanted) {
  if (!(args.spec(i) == wanted)) args.fail(std::string(what) + " " + wanted.text(), args.spec(i).text());
}

// Scale and offset are of x's dtype, or of float32 as parameters are in mixed precision.
DType affineType(const Arguments& args, int i, DType x) {
  return args.spec(i).dtype == DType::float32 ? DType::float32 : x;
}

// --- batchNorm, in training: x, scale, offset, running mean, running variance -> y, mean, inverse deviation.
// The running statistics move in place. Parameters: epsilon, momentum.

// Checks the inputs, and gives the channels.
int64_t checkBatchNorm(const Arguments& args) {
  requireTensors(args, 5);
  const Spec& x = args.spec(0);
  if (x.shape.rank() < 2) args.fail("a tensor of rank 2 or more ([..., channels])", x.shape.text());
  checkFloat(args, x);
  const int64_t channels = x.shape.fromEnd(1);
  const DType dtype = affineType(args, 1, x.dtype);
  checkInput(args, 1, "a scale", {dtype, {channels}});
  checkInput(args, 2, "an offset", {dtype, {channels}});
  checkInput(args, 3, "a running mean", {DType::float32, {channels}});
  checkInput(args, 4, "a running variance", {DType::float32, {channels}});
  epsilonParam(args, 0);
  return channels;
}
BatchNorm batchNormParams(const Params& params, bool training) {
  BatchNorm p;
  p.training = training;
  p.epsilon = params.real(0);
  p.momentum = params.real(1);
  return p;
}
int allButLast(int rank) { return (1 << (rank - 1)) - 1; }

Specs inferTrain(const Arguments& args) {
  const int64_t channels = checkBatchNorm(args);
  const Spec& x = args.spec(0);
  const double momentum = args.params.real(1);
  if (!(momentum >= 0 && momentum <= 1)) args.fail("a momentum in [0, 1]", numberText(momentum));
  if (x.shape.product(0, x.shape.rank() - 1) == 1) {
    args.fail("more than one value per channel in training", x.shape.text(),
              "The variance of a single value is not known.");
  }
  return {x, {DType::float32, {channels}}, {DType::float32, {channels}}};
}
void forwardTrain(const Arguments& args, Tensors& out) {
  issue(Kernel::batchNorm, write(batchNormParams(args.params, true)), args.in,
        {out[0], out[1], out[2], args.in[3], args.in[4]});
}
Tensors backwardTrain(const History& h, const Tensors& gradients) {
  Tensors result(5, Tensor());
  if (!gradients[0]) return result;
  if (h.graph) {
    const int axes = allButLast(h.in[0].rank());
    const NormGradient d = composite(gradients[0], h.in[0], h.in[1], axes, axes, h.params.real(0), h.wanted);
    result[0] = d.dx, result[1] = d.dscale, result[2] = d.doffset;
    return result;
  }
  const Tensors d = apply(batchNormGradientOp, {gradients[0], h.in[0], h.in[1], h.out[1], h.out[2]}, h.params);
  for (int i = 0; i < 3; i++) result[i] = d[i];
  return result;
}

// The gradient as one kernel: gradient, x, scale, mean, inverse deviation -> dx, dscale, doffset.
Specs inferTrainGradient(const Arguments& args) {
  requireTensors(args, 5);
  const Spec &g = args.spec(0), &scale = args.spec(2);
  checkFloat(args, g);
  if (g.shape.rank() < 2) args.fail("a tensor of rank 2 or more ([..., channels])", g.shape.text());
  const int64_t channels = g.shape.fromEnd(1);
  checkInput(args, 1, "x", g);
  checkInput(args, 2, "a scale", {affineType(args, 2, g.dtype), {channels}});
  checkInput(args, 3, "a mean", {DType::float32, {channels}});
  checkInput(args, 4, "an inverse deviation", {DType::float32, {channels}});
  return {g, scale, scale};
}
void forwardTrainGradient(const Arguments& args, Tensors& out) {
  issue(Kernel::batchNormGradient, write(batchNormParams(args.params, true)), args.in, out);
}

// --- batchNorm, in use: the same inputs -> y, by the running statistics.

Specs inferUse(const Arguments& args) {
  checkBatchNorm(args);
  return {args.spec(0)};
}
void forwardUse(const Arguments& args, Tensors& out) {
  issue(Kernel::batchNorm, write(batchNormParams(args.params, false)), args.in, out);
}
Tensors backwardUse(const History& h, const Tensors& gradients) {
  const DType dtype = h.inSpecs[0].dtype, affine = h.inSpecs[1].dtype;
  const int outer = allButLast(h.inSpecs[0].shape.rank());
  const Tensor g = toFloat32(gradients[0]), inverse = rsqrt(h.in[4] + h.params.real(0));
  Tensors result(5, Tensor());
  if (h.wanted[0]) result[0] = fromFloat32(g * (toFloat32(h.in[1]) * inverse), dtype);
  if (h.wanted[1]) result[1] = fromFloat32(sum(g * ((toFloat32(h.in[0]) - h.in[3]) * inverse), outer, false), affine);
  if (h.wanted[2]) result[2] = fromFloat32(sum(g, outer, false), affine);
  return result;
}

// --- layerNorm: x, (scale, offset) -> y, mean, inverse deviation. Parameters: axes, epsilon.

LayerNorm layerNormParams(const Params& params, bool affine) {
  LayerNorm p;
  p.axes = static_cast<int>(params.integer(0));
  p.affine = affine;
  p.epsilon = params.real(1);
  return p;
}
// The shape of what is normalised together.
Shape checkedAxes(const Arguments& args, const Shape& x) {
  const int axes = static_cast<int>(wholeParam(args, 0, "a number of axes", 1, std::max(x.rank(), 1)));
  if (x.rank() < axes) args.fail("a tensor of rank " + std::to_string(axes) + " or more", x.text());
  epsilonParam(args, 1);
  Shape inner;
  for (int i = x.rank() - axes; i < x.rank(); i++) inner.push(x[i]);
  return inner;
}
Shape rowsOf(const Shape& x, int axes) {
  Shape rows;
  for (int i = 0; i < x.rank() - axes; i++) rows.push(x[i]);
  return rows;
}

Specs inferLayer(const Arguments& args) {
  if (args.in.size() != 1 && args.in.size() != 3)
    args.fail("x, or x, scale and offset", std::to_string(args.in.size()) + " tensors");
  requireTensors(args, static_cast<int>(args.in.size()));
  const Spec& x = args.spec(0);
  checkFloat(args, x);
  const Shape inner = checkedAxes(args, x.shape);
  if (args.in.size() == 3) {
    checkInput(args, 1, "a scale", {x.dtype, inner});
    checkInput(args, 2, "an offset", {x.dtype, inner});
  }
  const Spec rows{DType::float32, rowsOf(x.shape, inner.rank())};
  return {x, rows, rows};
}
void forwardLayer(const Arguments& args, Tensors& out) {
  issue(Kernel::layerNorm, write(layerNormParams(args.params, args.in.size() == 3)), args.in, out);
}
Tensors backwardLayer(const History& h, const Tensors& gradients) {
  Tensors result(h.wanted.size(), Tensor());
  if (!gradients[0]) return result;
  const bool affine = h.wanted.size() == 3;
  if (h.graph) {
    const int rank = h.in[0].rank(), outer = (1 << (rank - static_cast<int>(h.params.integer(0)))) - 1;
    const int axes = ((1 << rank) - 1) & ~outer;
    const NormGradient d =
        composite(gradients[0], h.in[0], affine ? h.in[1] : Tensor(), axes, outer, h.params.real(1), h.wanted);
    result[0] = d.dx;
    if (affine) result[1] = d.dscale, result[2] = d.doffset;
    return result;
  }
  Tensors in{gradients[0], h.in[0], h.out[1], h.out[2]};
  if (affine) in.push_back(h.in[1]);
  return apply(layerNormGradientOp, in, h.params);
}

// The gradient as one kernel: gradient, x, mean, inverse deviation, (scale) -> dx, (dscale, doffset).
Specs inferLayerGradient(const Arguments& args) {
  if (args.in.size() != 4 && args.in.size() != 5) args.fail("4 or 5 tensors", std::to_string(args.in.size()));
  requireTensors(args, static_cast<int>(args.in.size()));
  const Spec& g = args.spec(0);
  checkFloat(args, g);
  const Shape inner = checkedAxes(args, g.shape);
  const Spec rows{DType::float32, rowsOf(g.shape, inner.rank())};
  checkInput(args, 1, "x", g);
  checkInput(args, 2, "a mean", rows);
  checkInput(args, 3, "an inverse deviation", rows);
  if (args.in.size() == 4) return {g};
  checkInput(args, 4, "a scale", {g.dtype, inner});
  return {g, args.spec(4), args.spec(4)};
}
void forwardLayerGradient(const Arguments& args, Tensors& out) {
  issue(Kernel::layerNormGradient, write(layerNormParams(args.params, args.in.size() == 5)), args.in, out);
}

}  // namespace

const Op batchNormOp = {.name = "batchNorm",
                        .infer = inferTrain,
                        .forward = forwardTrain,
                        .backward = backwardTrain,
                        .saveInputs = save(0, 1),
                        .saveOutputs = save(1, 2),
                        .casts = Casts::none};
const Op batchNormGradientOp = {
    .name = "batchNormGradient", .infer = inferTrainGradient, .forward = forwardTrainGradient, .casts = Casts::none};
const Op batchNormInferenceOp = {.name = "batchNormInference",
                                 .infer = inferUse,
                                 .forward = forwardUse,
                                 .backward = backwardUse,
                                 .saveInputs = save(0, 1, 3, 4),
                                 .casts = Casts::none};
const Op layerNormOp = {.name = "layerNorm",
                        .infer = inferLayer,
                        .forward = forwardLayer,
                        .backward = backwardLayer,
                        .saveInputs = save(0, 1),
                        .saveOutputs = save(1, 2),
                        .casts = Casts::float32};
const Op layerNormGradientOp = {
    .name = "layerNormGradient", .infer = inferLayerGradient, .forward = forwardLayerGradient, .casts = Casts::none};

}  // namespace needletail
