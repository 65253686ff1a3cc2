// The parameter layouts of the kernels: each struct lists its fields once, `write` packs them into Params, `read`
// unpacks. Kernels see images as [n, h, w, c] only; a 1-d convolution or pooling is one of height 1.
#pragma once
#include <type_traits>

#include "spec.h"

namespace needletail {

template <class T>
T read(const Params& params) {
  T t;
  int i = 0;
  t.fields([&](auto& field) { field = static_cast<std::remove_reference_t<decltype(field)>>(params.real(i++)); });
  return t;
}
template <class T>
Params write(const T& t) {
  Params params;
  // A list of fields serves reading and writing; here nothing is written.
  const_cast<T&>(t).fields([&](auto& field) { params.push(static_cast<double>(field)); });
  return params;
}

constexpr int kMaxOperands = 4;

// in: up to 4 operands that broadcast to the output's shape (an immediate has no buffer; its value is here). out: 1.
// All operands have one dtype (`where`: the first is bool); a comparison's output is bool.
struct Elementwise {
  int row = 0;  // Row of elementwise.def (native/ops/elementwise_rows.h)
  int operands = 0;  // how many the row takes
  int immediates = 0;  // bit i: operand i is the number values[i]
  double values[kMaxOperands] = {0, 0, 0, 0};
  double p = 0, q = 0;  // the row's own numbers (a slope, a bound)
  template <class F>
  void fields(F f) {
    f(row), f(operands), f(immediates);
    for (double& v : values) f(v);
    f(p), f(q);
  }
};

// elementwiseRun: rows over one shape in one loop. in: the tensors that the parts read, which broadcast to the results'
// shape; out: the results of those parts that are kept. A result may be written where an operand of its size is read.
struct ElementwiseParts {
  static constexpr int kMost = 8;
  struct Part : Elementwise {
    int from[kMaxOperands] = {0, 0, 0, 0};  // each operand's: input i, or -1 - k: the result of part k
    int dtype = 0;  // of its result, a DType
    bool kept = true;
  };
  int count = 0;
  Part parts[kMost];
  // A part whose operands are the next inputs, one after the other.
  void add(const Elementwise& row, DType dtype, int inputs = 0) {
    Part& part = parts[count++];
    static_cast<Elementwise&>(part) = row;
    part.dtype = static_cast<int>(dtype);
    for (int i = 0; i < row.operands; i++) part.from[i] = row.immediates >> i & 1 ? 0 : inputs++;
  }
  template <class F>
  void fields(F f) {
    f(count);
    for (int k = 0; k < count; k++) {
      parts[k].Elementwise::fields(f);
      for (int i = 0; i < parts[k].operands; i++) f(parts[k].from[i]);
      f(parts[k].dtype), f(parts[k].kept);
    }
  }
};

// cast: in: any number of tensors of one dtype; out: as many of another.

// fill: value. No inputs.
struct Fill {
  double value = 0;
  template <class F>
  void fields(F f) {
    f(value);
  }
};

// iota: out[i] = start + i * step. No inputs.
struct Iota {
  double start = 0, step = 1;
  template <class F>
  void fields(F f) {
    f(start), f(step);
  }
};

enum class Reduction { sum, product, maximum, minimum, any, all };
// in: x. out: the reduced tensor (with or without axes of size 1), times `scale` (mean: 1 / n). Sums of float16 and
// bfloat16 accumulate in float32; sums of bool and uint8 come out as int32.
struct Reduce {
  Reduction kind = Reduction::sum;
  int axes = 0;  // bit i: axis i of the input is reduced
  double scale = 1;
  template <class F>
  void fields(F f) {
    f(kind), f(axes), f(scale);
  }
};

// in: x. out: int32 index of the first largest (smallest) element along `axis`; a NaN wins, as in PyTorch.
struct ArgReduce {
  bool minimum = false;
  int axis = 0;
  template <class F>
  void fields(F f) {
    f(minimum), f(axis);
  }
};

// in: x, (factors). out: running sum (product) along `axis`; with factors, of x's shape: out[i] = x[i] + factors[i] *
// out[i - 1].
struct Cumulate {
  bool product = false, exclusive = false, reverse = false;
  int axis = 0;
  template <class F>
  void fields(F f) {
    f(product), f(exclusive), f(reverse), f(axis);
  }
};

// softmax: in: x, out: y. softmaxGradient: in: gradient, y; out: dx.
struct Softmax {
  bool log = false;
  int axis = 0;
  template <class F>
  void fields(F f) {
    f(log), f(axis);
  }
};

// softmaxCrossEntropy: in: logits [n, c], labels int32 or int64 [n], weights [c] if `weighted`; out: losses float32
// [n]: (1 - smoothing) * weight[label] * -log p[label] + smoothing * mean over classes of weight[c] * -log p[c], as
// PyTorch's. softmaxCrossEntropyGradient: in: gradient [n], logits, labels, (weights); out: [n, c]. A label outside [0,
// c) is a failure in the queue. With `losses` the gradient's second result are the losses.
struct CrossEntropy {
  double smoothing = 0;
  bool weighted = false, losses = false;
  template <class F>
  void fields(F f) {
    f(smoothing), f(weighted), f(losses);
  }
};

// linearCrossEntropyGradient, a classifier's last layer and its loss, there and back: in: gradient [n] of the losses, x
// [n, k], w [c, k], (bias [c]), labels, (weights of classes), (factors [n, k], of a dropout). logits = (x * factors) wᵀ
// + bias; out: the logits' gradient [n, c], losses [n], the gradient of x [n, k], times that of the ReLU whose values x
// is if `relu`, logits [n, c], (x * factors).
struct LinearCrossEntropy {
  CrossEntropy entropy;
  bool bias = false, factors = false, relu = false;
  template <class F>
  void fields(F f) {
    entropy.fields(f), f(bias), f(factors), f(relu);
  }
};

// reluGradient: times the gradient of a ReLU (1 where its values are positive, else 0), whose values are one more
// input.
enum class Activation { none, relu, gelu, reluGradient };
// What a convolution or matmul does to its sums before writing them: + bias, + residual, activation. These inputs
// follow its two operands in this order: bias, of the result's channels; residual, and the values of a reluGradient, of
// the result's shape. All have the result's dtype.
struct Epilogue {
  bool bias = false, residual = false;
  Activation activation = Activation::none;
  // Where the result stands among the buffers of the call.
  int outputAt() const { return 2 + bias + residual + (activation == Activation::reluGradient); }
  template <class F>
  void fields(F f) {
    f(bias), f(residual), f(activation);
  }
};

// in: a [..., m, k] (or [..., k, m] when transposed), b [..., k, n] (or [..., n, k]), (bias [n]), (residual); batches
// broadcast.
struct Matmul {
  bool transposeA = false, transposeB = false;
  Epilogue epilogue;
  bool tf32 = false;  // float32 operands may be rounded to TF32 (10 bits of mantissa) where a device multiplies so
  template <class F>
  void fields(F f) {
    f(transposeA), f(transposeB), epilogue.fields(f), f(tf32);
  }
};

// pool: in: x; out: y and, for a maximum, int32 positions h * width + w of the winners in the input plane.
// poolGradient: in: gradient, (positions), (the pooled values, if the gradient of a ReLU that made what was pooled is
// multiplied in; of a maximum alone); out: dx. gather of a maximum's gradient is op-level work.
struct Pool {
  bool maximum = true;
  int size[2] = {1, 1}, stride[2] = {1, 1}, low[2] = {0, 0}, high[2] = {0, 0};
  bool countPadding = false;  // averages: do padded places count in the divisor
  bool reluGradient = false;  // of poolGradient
  template <class F>
  void fields(F f) {
    f(maximum);
    for (int i = 0; i < 2; i++) f(size[i]), f(stride[i]), f(low[i]), f(high[i]);
    f(countPadding), f(reluGradient);
  }
};

// convolution: in: x [n, h, w, c], weights [o, kh, kw, c / groups], (bias [o]), (residual); out: y.
// convolutionData: in: gradient, weights, (the values of a reluGradient); out: dx.
// convolutionWeights: in: gradient, x; out: dw, (db if epilogue.bias).
// convolutionGradients, the two in one: in: gradient, x, weights, (the values of a reluGradient); out: dx, dw, (db if
// epilogue.bias). The reluGradient is dx's.
// Where it is pooled, a maximum over windows of y follows. The convolution's results are then the pool's: pooled values
// and, unless nobody asks for them, positions. The gradient is that of the pooled values, and after the other inputs
// come positions and, if pool.reluGradient, pooled values; the values of dx's reluGradient stay the last.
struct Convolution {
  int stride[2] = {1, 1}, low[2] = {0, 0}, high[2] = {0, 0}, dilation[2] = {1, 1};
  int groups = 1;
  Epilogue epilogue;
  bool tf32 = false;  // as Matmul's
  bool exact = false;  // no algorithm that rounds more than the sums do, as Winograd's
  bool pooled = false;
  Pool pool;  // where it is pooled
  // Whether neighbours of the image follow each other under the kernel, and from place to place.
  bool hasUnitSteps() const { return stride[0] == 1 && stride[1] == 1 && dilation[0] == 1 && dilation[1] == 1; }
  template <class F>
  void fields(F f) {
    for (int i = 0; i < 2; i++) f(stride[i]), f(low[i]), f(high[i]), f(dilation[i]);
    f(groups), epilogue.fields(f), f(exact), f(pooled);
    if (pooled) pool.fields(f);
    f(tf32);
  }
};

// batchNorm over all axes but the last.
// train: in: x, scale, offset, running mean, running variance, (residual); out: y, mean, inverse deviation, and the two
// running statistics in place (momentum: the share of the new one; the variance is the unbiased one).
// use: in: the same; out: y.
// The residual, of x's shape and dtype, is added to y, rounded to that dtype; then comes the ReLU, if any.
// batchNormGradient: in: gradient, x, scale, mean, inverse deviation, (y, if there was a ReLU), (what is added to the
// gradient, rounded to its dtype); out: dx, dscale, doffset, (the gradient of the residual: the gradient that came
// through the ReLU).
struct BatchNorm {
  bool training = true;
  double epsilon = 1e-5, momentum = 0.1;
  bool residual = false, relu = false, added = false;
  template <class F>
  void fields(F f) {
    f(training), f(epsilon), f(momentum), f(residual), f(relu), f(added);
  }
};

// layerNorm over the last `axes` axes. in: x, (scale, offset if `affine`); out: y, mean, inverse deviation (float32).
// layerNormGradient: in: gradient, x, mean, inverse deviation, (scale); out: dx, (dscale, doffset).
struct LayerNorm {
  int axes = 1;
  bool affine = true;
  double epsilon = 1e-5;
  template <class F>
  void fields(F f) {
    f(axes), f(affine), f(epsilon);
  }
};

// in: x; out axis i is input axis order[i].
struct Permute {
  int order[kMaxRank] = {0, 1, 2, 3, 4, 5, 6, 7};
  template <class F>
  void fields(F f) {
    for (int& o : order) f(o);
  }
};

// out[i...] = x[start + i * step ...]; a step may be negative, or 0 (x is broadcast along the axis). Sizes are the
// output's.
struct Slice {
  int64_t start[kMaxRank] = {}, step[kMaxRank] = {1, 1, 1, 1, 1, 1, 1, 1};
  template <class F>
  void fields(F f) {
    for (int i = 0; i < kMaxRank; i++) f(start[i]), f(step[i]);
  }
};

// out = value, with x laid at low + i * (1 + interior); places outside the output (a negative low) are cut.
struct Pad {
  int64_t low[kMaxRank] = {}, interior[kMaxRank] = {};
  double value = 0;
  template <class F>
  void fields(F f) {
    for (int i = 0; i < kMaxRank; i++) f(low[i]), f(interior[i]);
    f(value);
  }
};

// in: any number of tensors; out: laid one after the other along `axis`.
struct Concat {
  int axis = 0;
  template <class F>
  void fields(F f) {
    f(axis);
  }
};

// gather: in: x, indices (int32 or int64). along = false: out = x.shape[:axis] + indices.shape + x.shape[axis + 1:]
// (embedding, index select). along = true: indices has x's rank, out[i.., j, ..] = x[i.., indices[i.., j, ..], ..].
// scatterAdd: in: indices, updates (shaped as gather's output); out: zeros with the updates added, in a fixed order.
// An index outside [0, size) is a failure in the queue.
struct Gather {
  int axis = 0;
  bool along = false;
  template <class F>
  void fields(F f) {
    f(axis), f(along);
  }
};

// sort: in: x; out: values, int32 indices; stable; NaN is the largest. topK: the same, first k of the order.
struct Sort {
  int axis = 0;
  bool descending = false;
  template <class F>
  void fields(F f) {
    f(axis), f(descending);
  }
};

enum class Interpolation { nearest, bilinear };
// in: x [n, h, w, c]; half-pixel centres, or corners aligned. resizeGradient: in: gradient; out: dx.
struct Resize {
  Interpolation method = Interpolation::bilinear;
  bool alignCorners = false;
  template <class F>
  void fields(F f) {
    f(method), f(alignCorners);
  }
};

enum class Distribution { bits, uniform, normal, integers, bernoulli, permutation };
// Philox 4x32-10. With `seeded`: key = seed, counter from 0; no inputs. Else in: state int64 [2] (seed, next counter),
// and the state is also the second output, in place, moved on by the numbers used. uniform: [a, b); normal: mean a,
// deviation b; integers: [a, b); bernoulli: `b` with probability a, else 0.
struct Random {
  Distribution distribution = Distribution::uniform;
  bool seeded = false;
  double seed = 0, a = 0, b = 1;
  // How many blocks of random words n numbers take: four words each, of which integers and places take two.
  int64_t blocks(int64_t n) const {
    const bool two = distribution == Distribution::integers || distribution == Distribution::permutation;
    return two ? (n + 1) / 2 : (n + 3) / 4;
  }
  template <class F>
  void fields(F f) {
    f(distribution), f(seeded), f(seed), f(a), f(b);
  }
};

enum class OptimizerKind { sgd, adam, adamw };
// One call for all parameters. in: learning rate float32 [], step float32 [] (the number of this step, from 1), factor
// float32 [] (gradients are taken times it; 0: the step is left out, nothing changes), then for each of `count`
// parameters: parameter, gradient, slots...; out, in place: for each: parameter, slots... SGD has one slot (velocity)
// when momentum != 0, else none; Adam and AdamW have two (first and second moment). Slots are float32, whatever the
// parameter; a gradient may be of any floating dtype. After these outputs come half-precision copies of the first
// `copies` parameters, which are float32 then; a step that is left out leaves the copies as they are.
struct Optimizer {
  OptimizerKind kind = OptimizerKind::sgd;
  int count = 0;
  double momentum = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0;
  bool nesterov = false;
  int copies = 0;
  static constexpr int kScalars = 3;  // the inputs before those of the parameters
  int slots() const { return kind != OptimizerKind::sgd ? 2 : momentum != 0 ? 1 : 0; }
  template <class F>
  void fields(F f) {
    f(kind), f(count), f(momentum), f(beta1), f(beta2), f(epsilon), f(weightDecay), f(nesterov), f(copies);
  }
};

// What comes in from outside of a picture: the mean (0 after normalising), pixel 0, the nearest pixel, or the pixels
// mirrored at the outermost ones (which aren't doubled).
enum class BatchFill { mean, black, edge, reflect };
// The batch op. in: images uint8 [n, h, w, c], indices int32 [b], mean float32 [c], deviation float32 [c] (in units of
// 0..1); out: float32 [b, h, w, c]. A picture is normalised, (pixel / 255 - mean) / deviation, then changed as
// augmentation.h says. Each change has a probability of its own; where it is 0 the other numbers don't matter.
// With two more inputs, int32 scalars, one program makes all batches: the epoch, in place of the number, and the first
// of the `count` indices that are taken.
struct Batch {
  double seed = 0, epoch = 0;
  BatchFill fill = BatchFill::mean;
  double flip = 0, flipVertical = 0;  // probabilities
  int shift = 0;  // pixels
  double shiftProbability = 0;
  double rotate = 0, rotateProbability = 0;  // degrees
  double scaleLow = 1, scaleHigh = 1, scaleProbability = 0;
  double crop = 1, cropProbability = 0;  // the least part of the area
  double blur = 0, blurProbability = 0;  // the largest sigma, in pixels
  double noise = 0, noiseProbability = 0;  // a deviation, in units of 0..1
  int cutout = 0;  // pixels
  double cutoutProbability = 0;
  int64_t count = 0;
  template <class F>
  void fields(F f) {
    f(seed), f(epoch), f(fill), f(flip), f(flipVertical), f(shift), f(shiftProbability), f(rotate),
        f(rotateProbability);
    f(scaleLow), f(scaleHigh), f(scaleProbability), f(crop), f(cropProbability), f(blur), f(blurProbability);
    f(noise), f(noiseProbability), f(cutout), f(cutoutProbability), f(count);
  }
};

// in: predictions, labels (int32 [n]), counts int32 [c, c]; out: counts in place: counts[label][prediction] += 1.
struct Count {
  int unused = 0;
  template <class F>
  void fields(F f) {
    f(unused);
  }
};

}  // namespace needletail
