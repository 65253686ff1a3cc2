// permute, slice (and broadcasting), pad, concat: each one or a few strided copies.
#include <vector>

#include "cpu/kernels.h"
#include "cpu/strided.h"
#include "geometry.h"
#include "types.h"

namespace needletail {

namespace {

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
  auto run = std::make_unique<OneCopy>();
  layPermute(call, run->copy);
  run->plan(size(call.out[0].dtype));
  return run;
}

std::unique_ptr<Prepared> prepareSlice(const Call& call) {
  auto run = std::make_unique<OneCopy>();
  laySlice(call, run->copy);
  run->plan(size(call.out[0].dtype));
  return run;
}

std::unique_ptr<Prepared> preparePad(const Call& call) {
  const Spec& out = call.out[0];
  auto run = std::make_unique<PadRun>();
  run->n = out.elements();
  run->fills = layPad(call, run->copy) < run->n;
  run->elementSize = size(out.dtype);
  run->bits = bitsOf(out.dtype, read<Pad>(call.params).value);
  run->copy.plan(run->elementSize);
  run->cost = run->copy.cost() + (run->fills ? out.bytes() * 0.1 : 0);
  run->threadBound = run->copy.parallel();
  return run;
}

std::unique_ptr<Prepared> prepareConcat(const Call& call) {
  auto run = std::make_unique<ConcatRun>();
  int64_t offset = 0;
  for (size_t k = 0; k < call.in.size(); k++) {
    StridedCopy copy;
    offset = layConcat(call, static_cast<int>(k), offset, copy);
    copy.plan(size(call.in[k].dtype));
    run->cost += copy.cost();
    run->threadBound = run->threadBound || copy.parallel();
    run->copies.push_back(copy);
  }
  return run;
}

}  // namespace needletail
