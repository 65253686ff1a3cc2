// Where the elements lie that a result is made of: what kernels of every device derive from a call's parameters and
// shapes. Compiled by the host's compiler and by nvcc.
#pragma once
#include <algorithm>

#include "backend.h"
#include "inline.h"

namespace needletail {

// What an elementwise call computes, whether of one part or of several.
inline ElementwiseParts partsOf(const Call& call) {
  if (call.kernel == Kernel::elementwiseRun) return read<ElementwiseParts>(call.params);
  ElementwiseParts parts;
  parts.add(read<Elementwise>(call.params), call.out[0].dtype);
  return parts;
}

// n images [h, w, c] and [oh, ow, o], a kernel [kh, kw] of `inner` = c / groups channels; outer = o / groups. Where it
// is pooled, [ph, pw, o] is what [oh, ow, o] becomes.
struct ConvolutionShape {
  Kernel kernel;
  Convolution params;
  DType dtype, imageType;  // the image alone may be of another, wider one, and is rounded as it is read
  int64_t n, h, w, c, oh, ow, o, kh, kw, inner, outer, ph, pw;
  bool positions = false;  // of what is pooled: are those of the winners results?
  explicit ConvolutionShape(const Call& call) : kernel(call.kernel), params(read<Convolution>(call.params)) {
    const Spec& x = image(call);
    const Spec& weights = kernel == Kernel::convolutionWeights     ? call.out[0]
                          : kernel == Kernel::convolutionGradients ? call.in[2]
                                                                   : call.in[1];
    const Spec& last = kernel == Kernel::convolution ? call.out[0] : call.in[0];
    dtype = (kernel == Kernel::convolution ? call.out[0] : call.in[0]).dtype;
    imageType = x.dtype;
    n = x.shape[0], h = x.shape[1], w = x.shape[2], c = x.shape[3];
    ph = oh = last.shape[1], pw = ow = last.shape[2], o = last.shape[3];
    kh = weights.shape[1], kw = weights.shape[2];
    inner = c / params.groups, outer = o / params.groups;
    if (params.pooled) {
      positions = call.out.size() > 1;
      oh = places(0, h, kh);
      ow = places(1, w, kw);
    }
  }
  bool hasBias() const { return params.epilogue.bias; }
  bool isMixed() const { return imageType != dtype; }
  double products() const { return static_cast<double>(n) * oh * ow * o * kh * kw * inner; }

 private:
  static const Spec& image(const Call& call) {
    return call.kernel == Kernel::convolution       ? call.in[0]
           : call.kernel == Kernel::convolutionData ? call.out[0]
                                                    : call.in[1];
  }
  int64_t places(int axis, int64_t size, int64_t kernel) const {
    const Convolution& p = params;
    return (size + p.low[axis] + p.high[axis] - (kernel - 1) * p.dilation[axis] - 1) / p.stride[axis] + 1;
  }
};

// n images [h, w, c], pooled to [oh, ow, c].
struct PoolShape {
  Pool p;
  DType dtype;
  int64_t n, h, w, c, oh, ow;
  PoolShape(const Call& call, const Spec& image, const Spec& pooled)
      : p(read<Pool>(call.params)),
        dtype(image.dtype),
        n(image.shape[0]),
        h(image.shape[1]),
        w(image.shape[2]),
        c(image.shape[3]),
        oh(pooled.shape[1]),
        ow(pooled.shape[2]) {}
  explicit PoolShape(const ConvolutionShape& s)
      : p(s.params.pool), dtype(s.dtype), n(s.n), h(s.oh), w(s.ow), c(s.o), oh(s.ph), ow(s.pw) {}
  struct Range {
    int64_t first, last;
  };
  // The part of window `i` that lies inside an axis: [first, last).
  NT_INLINE Range range(int axis, int64_t i) const {
    const int64_t start = i * p.stride[axis] - p.low[axis], size = axis == 0 ? h : w;
    const int64_t end = start + p.size[axis];
    return {start < 0 ? 0 : start, end < size ? end : size};
  }
  // What the sum over a window is taken times for its mean.
  NT_INLINE float scale(Range rows, Range columns) const {
    const int64_t places = p.countPadding ? static_cast<int64_t>(p.size[0]) * p.size[1]
                                          : (rows.last - rows.first) * (columns.last - columns.first);
    return 1.0f / static_cast<float>(places);
  }
};

// An axis of an image of `size`, resized to `places`.
struct ResizeAxis {
  Resize r;
  int64_t size, places;
  // Which two places of the image a place of the result lies between, and how far towards the second.
  struct Source {
    int64_t first, second;
    float part;
  };
  NT_INLINE Source at(int64_t i) const {
    if (r.method == Interpolation::nearest) {
      // Half-pixel centres: floor((i + 1/2) * size / places); corners: i * (size - 1) / (places - 1) to the nearest.
      int64_t first = !r.alignCorners ? (2 * i + 1) * size / (2 * places)
                      : places > 1    ? (2 * i * (size - 1) + places - 1) / (2 * (places - 1))
                                      : 0;
      if (first > size - 1) first = size - 1;
      return {first, first, 0};
    }
    const double n = static_cast<double>(size), m = static_cast<double>(places), k = static_cast<double>(i);
    double at = r.alignCorners ? (places > 1 ? k * (n - 1) / (m - 1) : 0) : (k + 0.5) * n / m - 0.5;
    if (at < 0) at = 0;
    int64_t first = static_cast<int64_t>(at);
    if (first > size - 1) first = size - 1;
    const int64_t second = first + 1 < size ? first + 1 : size - 1;
    return {first, second, static_cast<float>(at - static_cast<double>(first))};
  }
};

// gather and scatterAdd: the tensor seen as [outer, size, inner], the indices as [m] or, along the axis, as
// [outer, m, inner].
struct Indexing {
  bool along = false, wide = false;  // wide: int64 indices
  int64_t outer = 1, size = 1, inner = 1, m = 1, count = 1;
  Indexing() = default;
  Indexing(const Spec& whole, const Spec& indices, const Gather& params)
      : along(params.along), wide(indices.dtype == DType::int64) {
    outer = whole.shape.product(0, params.axis);
    size = whole.shape[params.axis];
    inner = whole.shape.product(params.axis + 1, whole.shape.rank());
    count = indices.elements();
    m = along ? indices.shape[params.axis] : count;
  }
};

// permute, slice, pad and concat as copies between strided layouts. A Copy takes axes from the outermost to the
// innermost, axis(size, stride in the source, stride in the result), and has fromOffset and toOffset, where the first
// element lies.
struct Strides {
  int64_t of[kMaxRank];
  explicit Strides(const Shape& shape) {
    for (int i = 0; i < shape.rank(); i++) of[i] = shape.product(i + 1, shape.rank());
  }
};

template <class Copy>
void layPermute(const Call& call, Copy& copy) {
  const auto params = read<Permute>(call.params);
  const Shape& out = call.out[0].shape;
  const Strides from(call.in[0].shape), to(out);
  for (int i = 0; i < out.rank(); i++) copy.axis(out[i], from.of[params.order[i]], to.of[i]);
}

template <class Copy>
void laySlice(const Call& call, Copy& copy) {
  const auto params = read<Slice>(call.params);
  const Shape& out = call.out[0].shape;
  const Strides from(call.in[0].shape), to(out);
  for (int i = 0; i < out.rank(); i++) {
    copy.fromOffset += params.start[i] * from.of[i];
    copy.axis(out[i], params.step[i] * from.of[i], to.of[i]);
  }
}

// Gives how many elements are copied; the others of the result are the padding.
template <class Copy>
int64_t layPad(const Call& call, Copy& copy) {
  const auto params = read<Pad>(call.params);
  const Shape &in = call.in[0].shape, &out = call.out[0].shape;
  const Strides from(in), to(out);
  int64_t copied = 1;
  for (int i = 0; i < out.rank(); i++) {
    // The elements that land in [0, out[i]).
    const int64_t step = 1 + params.interior[i], low = params.low[i];
    const int64_t first = low < 0 ? (-low + step - 1) / step : 0;
    const int64_t last = out[i] - 1 - low < 0 ? -1 : std::min(in[i] - 1, (out[i] - 1 - low) / step);
    const int64_t size = std::max<int64_t>(0, last - first + 1);
    copied *= size;
    copy.axis(size, from.of[i], step * to.of[i]);
    if (size == 0) continue;
    copy.fromOffset += first * from.of[i];
    copy.toOffset += (low + first * step) * to.of[i];
  }
  return copied;
}

// Lays input `k` of a concat at `offset` along the result's rows; gives where the next begins.
template <class Copy>
int64_t layConcat(const Call& call, int k, int64_t offset, Copy& copy) {
  const int axis = read<Concat>(call.params).axis;
  const Shape& out = call.out[0].shape;
  const int64_t width = call.in[k].shape.product(axis, out.rank());
  copy.axis(out.product(0, axis), width, out.product(axis, out.rank()));
  copy.axis(width, 1, 1);
  copy.toOffset = offset;
  return offset + width;
}

}  // namespace needletail
