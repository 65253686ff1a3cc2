// permute, slice (and broadcasting), pad, concat: each one or a few strided copies.
#include <algorithm>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/strided.h"
#include "types.h"

namespace needletail {

namespace {

struct Strides {
  int64_t of[kMaxRank];
  explicit Strides(const Shape& shape) {
    for (int i = 0; i < shape.rank(); i++) of[i] = shape.product(i + 1, shape.rank());
  }
};

struct OneCopy final : Prepared {
  StridedCopy copy;
  void run(Stream&, void* const* buffers) override { copy.run(buffers[0], buffers[1]); }
  void plan(size_t elementSize) {
    copy.plan(elementSize);
    cost = copy.cost();
    threadBound = copy.parallel();
  }
};

struct PadRun final : Prepared {
  StridedCopy copy;
  bool fills;
  size_t elementSize;
  uint64_t bits;
  int64_t n;
  void run(Stream&, void* const* buffers) override {
    if (fills) fillElements(elementSize, bits, buffers[1], n);
    copy.run(buffers[0], buffers[1]);
  }
};

struct ConcatRun final : Prepared {
  std::vector<StridedCopy> copies;
  void run(Stream&, void* const* buffers) override {
    void* out = buffers[copies.size()];
    for (size_t i = 0; i < copies.size(); i++) copies[i].run(buffers[i], out);
  }
};

}  // namespace

std::unique_ptr<Prepared> preparePermute(const Call& call) {
  const auto params = read<Permute>(call.params);
  const Shape& out = call.out[0].shape;
  const Strides from(call.in[0].shape), to(out);
  auto run = std::make_unique<OneCopy>();
  for (int i = 0; i < out.rank(); i++) run->copy.axis(out[i], from.of[params.order[i]], to.of[i]);
  run->plan(size(call.out[0].dtype));
  return run;
}

std::unique_ptr<Prepared> prepareSlice(const Call& call) {
  const auto params = read<Slice>(call.params);
  const Shape& out = call.out[0].shape;
  const Strides from(call.in[0].shape), to(out);
  auto run = std::make_unique<OneCopy>();
  for (int i = 0; i < out.rank(); i++) {
    run->copy.fromOffset += params.start[i] * from.of[i];
    run->copy.axis(out[i], params.step[i] * from.of[i], to.of[i]);
  }
  run->plan(size(call.out[0].dtype));
  return run;
}

std::unique_ptr<Prepared> preparePad(const Call& call) {
  const auto params = read<Pad>(call.params);
  const Shape &in = call.in[0].shape, &out = call.out[0].shape;
  const Strides from(in), to(out);
  auto run = std::make_unique<PadRun>();
  int64_t copied = 1;
  for (int i = 0; i < out.rank(); i++) {
    // The elements that land in [0, out[i]).
    const int64_t step = 1 + params.interior[i], low = params.low[i];
    const int64_t first = low < 0 ? (-low + step - 1) / step : 0;
    const int64_t last = out[i] - 1 - low < 0 ? -1 : std::min(in[i] - 1, (out[i] - 1 - low) / step);
    const int64_t size = std::max<int64_t>(0, last - first + 1);
    copied *= size;
    run->copy.axis(size, from.of[i], step * to.of[i]);
    if (size == 0) continue;
    run->copy.fromOffset += first * from.of[i];
    run->copy.toOffset += (low + first * step) * to.of[i];
  }
  run->elementSize = size(call.out[0].dtype);
  run->bits = bitsOf(call.out[0].dtype, params.value);
  run->n = out.elements();
  run->fills = copied < run->n;
  run->copy.plan(run->elementSize);
  run->cost = run->copy.cost() + (run->fills ? call.out[0].bytes() * 0.1 : 0);
  run->threadBound = run->copy.parallel();
  return run;
}

std::unique_ptr<Prepared> prepareConcat(const Call& call) {
  const int axis = read<Concat>(call.params).axis;
  const Shape& out = call.out[0].shape;
  const int rank = out.rank();
  const int64_t outer = out.product(0, axis), row = out.product(axis, rank);
  auto run = std::make_unique<ConcatRun>();
  int64_t offset = 0;
  for (const Spec& in : call.in) {
    const int64_t width = in.shape.product(axis, rank);
    StridedCopy copy;
    copy.axis(outer, width, row);
    copy.axis(width, 1, 1);
    copy.toOffset = offset;
    copy.plan(size(in.dtype));
    offset += width;
    run->cost += copy.cost();
    run->threadBound = run->threadBound || copy.parallel();
    run->copies.push_back(copy);
  }
  return run;
}

}  // namespace needletail
