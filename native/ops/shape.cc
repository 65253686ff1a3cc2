// Ops that lay values out anew: reshape (a view), permute, slice, pad, concat, broadcastTo.
#include <algorithm>
#include <limits>

#include "autograd.h"
#include "ops/check.h"
#include "ops/functions.h"
#include "ops/ops.h"

namespace needletail {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// The same memory seen with another shape, for a kernel call.
Tensor viewed(const Tensor& t, const Shape& shape) { return Tensor::make({t.dtype(), shape}, t.storage()); }

Params paramsOf(const Shape& shape) {
  Params params;
  for (int i = 0; i < shape.rank(); i++) params.push(static_cast<double>(shape[i]));
  return params;
}

// --- reshape. Parameters: the shape; one size may be -1.

Specs inferReshape(const Arguments& args) {
  requireTensors(args, 1);
  const Spec& in = args.spec(0);
  if (args.params.count() > kMaxRank)
    args.fail("a shape of at most 8 axes", std::to_string(args.params.count()) + " axes");
  Shape shape;
  std::string wish = "[";
  int unknown = -1;
  int64_t known = 1;
  bool fits = true;
  for (int i = 0; i < args.params.count(); i++) {
    const double d = args.params.real(i);
    wish += (i ? ", " : "") + numberText(d);
    if (d == -1 && unknown < 0) {
      unknown = i;
      shape.push(1);
      continue;
    }
    if (!(d >= 0 && d <= static_cast<double>(kMaxElements)) || d != std::floor(d)) {
      args.fail("sizes that are whole numbers from 0, one of them perhaps -1", numberText(d));
    }
    shape.push(static_cast<int64_t>(d));
    fits = fits && !__builtin_mul_overflow(known, static_cast<int64_t>(d), &known);
  }
  const int64_t n = in.elements();
  if (unknown >= 0) {
    fits = fits && known > 0 && n % known == 0;
    if (fits) shape[unknown] = n / known;
  } else {
    fits = fits && known == n;
  }
  if (!fits) args.fail("a shape of " + std::to_string(n) + " elements", wish + "]", "The tensor is " + in.text() + ".");
  return {{in.dtype, shape}};
}
void forwardReshape(const Arguments&, Tensors&) {}
Tensors backwardReshape(const History& h, const Tensors& gradients) {
  return {reshape(gradients[0], h.inSpecs[0].shape)};
}

// --- permute. Parameters: for each axis of the result the axis of x.

Specs inferPermute(const Arguments& args) {
  requireTensors(args, 1);
  const Spec& in = args.spec(0);
  const int rank = in.shape.rank();
  Shape shape;
  int seen = 0;
  if (args.params.count() != rank) {
    args.fail("an order of " + std::to_string(rank) + " axes", std::to_string(args.params.count()),
              "The tensor is " + in.text() + ".");
  }
  for (int i = 0; i < rank; i++) {
    const int axis = axisParam(args, i, rank);
    if (seen >> axis & 1) args.fail("each axis once", "axis " + std::to_string(axis) + " twice");
    seen |= 1 << axis;
    shape.push(in.shape[axis]);
  }
  return {{in.dtype, shape}};
}

// The order of a permute whose parameters have been checked.
SmallVector<int, 8> orderOf(const Params& params) {
  SmallVector<int, 8> order;
  for (int i = 0; i < params.count(); i++) {
    const int axis = static_cast<int>(params.real(i));
    order.push_back(axis < 0 ? axis + params.count() : axis);
  }
  return order;
}

void forwardPermute(const Arguments& args, Tensors& out) {
  Permute p;
  const auto order = orderOf(args.params);
  std::copy(order.begin(), order.end(), p.order);
  issue(Kernel::permute, write(p), args.in, out);
}

Tensors backwardPermute(const History& h, const Tensors& gradients) {
  const auto order = orderOf(h.params);
  SmallVector<int, 8> inverse(order.size());
  for (size_t i = 0; i < order.size(); i++) inverse[order[i]] = static_cast<int>(i);
  return {permute(gradients[0], inverse)};
}

// --- slice. Parameters: for each axis start, stop, step; NaN for start or stop: from the beginning, to the end.
// Negative ones count from the end, those outside are clamped, as in Python. A step of 0: the one index `start`, and
// the axis goes.

struct Range {
  int64_t start = 0, step = 1, size = 0;
  bool drop = false;
};

double bound(double v, double size, double low, double high, double none) {
  if (std::isnan(v)) return none;
  return std::clamp(v < 0 ? v + size : v, low, high);
}

Range rangeOf(const Params& params, int axis, int64_t axisSize) {
  Range r;
  if (3 * axis >= params.count()) {
    r.size = axisSize;
    return r;
  }
  const double n = static_cast<double>(axisSize);
  const double from = params.real(3 * axis), to = params.real(3 * axis + 1), step = params.real(3 * axis + 2);
  if (step == 0) {
    r = {static_cast<int64_t>(from < 0 ? from + n : from), 1, 1, true};
    return r;
  }
  const bool up = step > 0;
  const double start = up ? bound(from, n, 0, n, 0) : bound(from, n, -1, n - 1, n - 1);
  const double stop = up ? bound(to, n, 0, n, n) : bound(to, n, -1, n - 1, -1);
  r.step = static_cast<int64_t>(step);
  r.size = std::max<int64_t>(0, static_cast<int64_t>(std::ceil((stop - start) / step)));
  r.start = r.size > 0 ? static_cast<int64_t>(start) : 0;
  if (r.size <= 1) r.step = 1;  // a far step would point outside
  return r;
}

// The shape with the dropped axes as axes of size 1.
Shape fullShape(const Params& params, const Shape& in) {
  Shape shape;
  for (int i = 0; i < in.rank(); i++) shape.push(rangeOf(params, i, in[i]).size);
  return shape;
}

Specs inferSlice(const Arguments& args) {
  requireTensors(args, 1);
  const Spec& in = args.spec(0);
  if (args.params.count() % 3 != 0 || args.params.count() / 3 > in.shape.rank()) {
    args.fail("at most " + std::to_string(in.shape.rank()) + " selectors",
              std::to_string((args.params.count() + 2) / 3), "The tensor is " + in.text() + ".");
  }
  Shape shape;
  for (int i = 0; i < in.shape.rank(); i++) {
    const int64_t n = in.shape[i];
    if (3 * i < args.params.count()) {
      const double start = args.params.real(3 * i), stop = args.params.real(3 * i + 1),
                   step = args.params.real(3 * i + 2);
      for (double v : {start, stop}) {
        if (!std::isnan(v) && v != std::floor(v)) args.fail("whole numbers in a range", numberText(v));
      }
      if (!(std::abs(step) <= 9e15) || step != std::floor(step))
        args.fail("a step that is a whole number", numberText(step));
      if (step == 0 && !(start >= -static_cast<double>(n) && start < static_cast<double>(n))) {
        args.fail("an index in [" + std::to_string(-n) + ", " + std::to_string(n) + ") for axis " + std::to_string(i),
                  numberText(start), "The tensor is " + in.text() + ".");
      }
    }
    const Range r = rangeOf(args.params, i, n);
    if (!r.drop) shape.push(r.size);
  }
  return {{in.dtype, shape}};
}

void forwardSlice(const Arguments& args, Tensors& out) {
  const Shape& in = args.spec(0).shape;
  Slice s;
  for (int i = 0; i < in.rank(); i++) {
    const Range r = rangeOf(args.params, i, in[i]);
    s.start[i] = r.start;
    s.step[i] = r.step;
  }
  issue(Kernel::slice, write(s), args.in, {viewed(out[0], fullShape(args.params, in))});
}

// The gradient is laid where its elements came from: turned round on axes with a negative step, then spread by padding.
Tensors backwardSlice(const History& h, const Tensors& gradients) {
  const Shape& in = h.inSpecs[0].shape;
  Tensor g = reshape(gradients[0], fullShape(h.params, in));
  int turned = 0;
  Params params{0};
  for (int i = 0; i < in.rank(); i++) {
    const Range r = rangeOf(h.params, i, in[i]);
    const int64_t first = r.step < 0 ? r.start + (r.size - 1) * r.step : r.start, stride = std::abs(r.step);
    const int64_t covered = r.size > 0 ? (r.size - 1) * stride + 1 : 0;
    if (r.step < 0) turned |= 1 << i;
    params.push(static_cast<double>(first));
    params.push(static_cast<double>(in[i] - first - covered));
    params.push(static_cast<double>(stride - 1));
  }
  if (turned) g = flip(g, turned);
  return {apply1(padOp, {g}, params)};
}

// --- pad. Parameters: the value, then for each axis low, high, interior. Negative low and high cut.

struct Padding {
  int64_t low = 0, high = 0, interior = 0;
};
Padding paddingOf(const Params& params, int axis) {
  return {params.integer(1 + 3 * axis), params.integer(2 + 3 * axis), params.integer(3 + 3 * axis)};
}

Specs inferPad(const Arguments& args) {
  requireTensors(args, 1);
  const Spec& in = args.spec(0);
  const int rank = in.shape.rank();
  if (args.params.count() != 1 + 3 * rank) {
    args.fail("padding for " + std::to_string(rank) + " axes",
              std::to_string(std::max(0, (args.params.count() - 1) / 3)), "The tensor is " + in.text() + ".");
  }
  checkValue(args, args.params.real(0), in.dtype);
  Shape shape;
  for (int i = 0; i < rank; i++) {
    for (int k = 1; k < 3; k++) wholeParam(args, 3 * i + k, "padding", -kMaxElements, kMaxElements);
    wholeParam(args, 3 * i + 3, "interior padding", 0, kMaxElements);
    const Padding p = paddingOf(args.params, i);
    const int64_t n = in.shape[i];
    const double size = static_cast<double>(p.low) + static_cast<double>(p.high) +
                        (n > 0 ? static_cast<double>(n - 1) * (1.0 + static_cast<double>(p.interior)) + 1 : 0);
    if (!(size >= 0 && size <= static_cast<double>(kMaxElements))) {
      args.fail("padding that leaves a size of 0 or more on axis " + std::to_string(i), numberText(size),
                "The tensor is " + in.text() + ".");
    }
    shape.push(static_cast<int64_t>(size));
  }
  return {{in.dtype, shape}};
}

void forwardPad(const Arguments& args, Tensors& out) {
  Pad p;
  p.value = args.params.real(0);
  for (int i = 0; i < args.spec(0).shape.rank(); i++) {
    const Padding padding = paddingOf(args.params, i);
    p.low[i] = padding.low;
    p.interior[i] = padding.interior;
  }
  issue(Kernel::pad, write(p), args.in, out);
}

// Takes back what was laid out; where the padding cut, zeros come in first.
Tensors backwardPad(const History& h, const Tensors& gradients) {
  const Shape& in = h.inSpecs[0].shape;
  Params uncut{0}, ranges;
  bool cuts = false;
  for (int i = 0; i < in.rank(); i++) {
    const Padding p = paddingOf(h.params, i);
    for (int64_t v : {std::max<int64_t>(0, -p.low), std::max<int64_t>(0, -p.high), int64_t{0}}) {
      uncut.push(static_cast<double>(v));
      cuts = cuts || v != 0;
    }
    const int64_t start = std::max<int64_t>(0, p.low);
    ranges.push(static_cast<double>(start));
    ranges.push(static_cast<double>(in[i] > 0 ? start + (in[i] - 1) * (1 + p.interior) + 1 : start));
    ranges.push(static_cast<double>(1 + p.interior));
  }
  const Tensor g = cuts ? apply1(padOp, {gradients[0]}, uncut) : gradients[0];
  return {apply1(sliceOp, {g}, ranges)};
}

// --- concat. Parameters: the axis.

Specs inferConcat(const Arguments& args) {
  if (args.in.empty()) args.fail("at least one tensor", "none");
  requireTensors(args, static_cast<int>(args.in.size()));
  Spec out = args.spec(0);
  const int rank = out.shape.rank();
  if (rank == 0) args.fail("tensors of rank 1 or more", out.text(), "Use stack for scalars.");
  const int axis = axisParam(args, 0, rank);
  for (size_t i = 1; i < args.in.size(); i++) {
    const Spec& other = args.spec(static_cast<int>(i));
    bool fits = other.dtype == out.dtype && other.shape.rank() == rank;
    for (int a = 0; fits && a < rank; a++) fits = a == axis || other.shape[a] == out.shape[a];
    if (!fits) {
      args.fail("tensors of one dtype and of one shape but for axis " + std::to_string(axis),
                args.spec(0).text() + " and " + other.text());
    }
    out.shape[axis] += other.shape[axis];
  }
  return {out};
}
void forwardConcat(const Arguments& args, Tensors& out) {
  issue(Kernel::concat, write(Concat{axisParam(args, 0, out[0].rank())}), args.in, out);
}
Tensors backwardConcat(const History& h, const Tensors& gradients) {
  const int rank = h.outSpecs[0].shape.rank();
  const int axis = static_cast<int>(h.params.real(0) < 0 ? h.params.real(0) + rank : h.params.real(0));
  Tensors result;
  int64_t start = 0;
  for (size_t i = 0; i < h.inSpecs.size(); i++) {
    const int64_t stop = start + h.inSpecs[i].shape[axis];
    result.push_back(h.wanted[i] ? slice(gradients[0], axis, start, stop) : Tensor());
    start = stop;
  }
  return result;
}

// --- broadcastTo. Parameters: the shape.

Specs inferBroadcastTo(const Arguments& args) {
  requireTensors(args, 1);
  const Spec& in = args.spec(0);
  const Shape shape = shapeParam(args, 0);
  bool fits = shape.rank() >= in.shape.rank();
  for (int i = 1; fits && i <= in.shape.rank(); i++)
    fits = in.shape.fromEnd(i) == shape.fromEnd(i) || in.shape.fromEnd(i) == 1;
  if (!fits) {
    args.fail("a shape that " + in.shape.text() + " broadcasts to (from the last axis: equal, or 1 in the tensor)",
              shape.text());
  }
  return {{in.dtype, shape}};
}

// Issues the copy of `from` to the larger `to`.
void spread(const Tensor& from, const Tensor& to) {
  if (from.elements() == to.elements()) return issue(Kernel::copy, {}, {from}, {to});
  const int rank = to.rank();
  Shape shape;
  Slice s;
  for (int i = 0; i < rank; i++) {
    shape.push(from.shape().fromEnd(rank - i));
    s.step[i] = shape[i] == to.shape()[i] ? 1 : 0;
  }
  issue(Kernel::slice, write(s), {viewed(from, shape)}, {to});
}
void forwardBroadcastTo(const Arguments& args, Tensors& out) { spread(args.in[0], out[0]); }
Tensors backwardBroadcastTo(const History& h, const Tensors& gradients) {
  return {sumTo(gradients[0], h.inSpecs[0].shape)};
}

// --- assign: in: target, value (or a number). The value is broadcast to the target; no gradient flows.

Specs inferAssign(const Arguments& args) {
  requireTensors(args, 2);
  const Spec &target = args.spec(0), &value = args.spec(1);
  if (args.in[0].isImmediate()) args.fail("a tensor to assign to", "a number");
  if (const Ref<Node>& node = args.in[0].body()->node; node && (node->op || node->custom)) {
    args.fail("a target without history", "a result of " + std::string(node->name()),
              "Assign to a parameter, or to a tensor from detach() or copy().");
  }
  if (gradientMode() && args.in[1].requiresGradient()) {
    args.fail("a value without history", "one that a gradient flows through",
              "No gradient passes an assignment: use detach() or noGrad.");
  }
  if (args.in[1].isImmediate()) {
    checkValue(args, args.in[1].number(), target.dtype);
    return {target};
  }
  bool fits = value.dtype == target.dtype && value.shape.rank() <= target.shape.rank();
  for (int i = 1; fits && i <= value.shape.rank(); i++) {
    fits = value.shape.fromEnd(i) == target.shape.fromEnd(i) || value.shape.fromEnd(i) == 1;
  }
  if (!fits) args.fail("a value that broadcasts to " + target.text(), value.text());
  return {target};
}
void forwardAssign(const Arguments& args, Tensors& out) {
  if (args.in[1].isImmediate()) return issue(Kernel::fill, write(Fill{args.in[1].number()}), {}, out);
  spread(args.in[1], out[0]);
}

}  // namespace

const Op reshapeOp = {.name = "reshape",
                      .infer = inferReshape,
                      .forward = forwardReshape,
                      .backward = backwardReshape,
                      .alias = {1, 0, 0, 0}};
const Op permuteOp = {.name = "permute", .infer = inferPermute, .forward = forwardPermute, .backward = backwardPermute};
const Op sliceOp = {.name = "slice", .infer = inferSlice, .forward = forwardSlice, .backward = backwardSlice};
const Op padOp = {.name = "pad", .infer = inferPad, .forward = forwardPad, .backward = backwardPad};
const Op concatOp = {.name = "concat", .infer = inferConcat, .forward = forwardConcat, .backward = backwardConcat};
const Op broadcastToOp = {
    .name = "broadcastTo", .infer = inferBroadcastTo, .forward = forwardBroadcastTo, .backward = backwardBroadcastTo};
const Op assignOp = {.name = "assign",
                     .infer = inferAssign,
                     .forward = forwardAssign,
                     .alias = {1, 0, 0, 0},
                     .takesImmediates = true,
                     .casts = Casts::none};

Tensor reshape(const Tensor& t, const Shape& shape) {
  return t.shape() == shape ? t : apply1(reshapeOp, {t}, paramsOf(shape));
}
Tensor permute(const Tensor& t, const SmallVector<int, 8>& order) {
  Params params;
  for (int axis : order) params.push(axis);
  return apply1(permuteOp, {t}, params);
}
Tensor broadcastTo(const Tensor& t, const Shape& shape) {
  return t.shape() == shape ? t : apply1(broadcastToOp, {t}, paramsOf(shape));
}
Tensor slice(const Tensor& t, int axis, int64_t start, int64_t stop) {
  Params params;
  for (int i = 0; i < axis; i++) params.push(kNone), params.push(kNone), params.push(1);
  params.push(static_cast<double>(start)), params.push(static_cast<double>(stop)), params.push(1);
  return apply1(sliceOp, {t}, params);
}
Tensor flip(const Tensor& t, int axes) {
  Params params;
  for (int i = 0; i < t.rank(); i++) params.push(kNone), params.push(kNone), params.push(axes >> i & 1 ? -1 : 1);
  return apply1(sliceOp, {t}, params);
}
Tensor shift(const Tensor& t, int axis, int by) {
  Params params{0};
  for (int i = 0; i < t.rank(); i++) {
    params.push(i == axis ? by : 0), params.push(i == axis ? -by : 0), params.push(0);
  }
  return apply1(padOp, {t}, params);
}
Tensor concat(const Tensors& tensors, int axis) { return apply1(concatOp, tensors, {static_cast<double>(axis)}); }

}  // namespace needletail
