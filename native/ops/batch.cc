// What feeds and watches a training loop: a batch made from stored pictures, and counts of right and wrong answers.
#include <cmath>

#include "ops/check.h"
#include "ops/ops.h"

namespace needletail {

namespace {

Specs inferBatch(const Arguments& args) {
  requireTensors(args, 4);
  const Spec& images = args.spec(0);
  const Spec& indices = args.spec(1);
  if (images.dtype != DType::uint8 || images.shape.rank() != 4) {
    args.fail("images uint8 [n, height, width, channels]", images.text());
  }
  if (indices.dtype != DType::int32 || indices.shape.rank() != 1) args.fail("indices int32 [batch]", indices.text());
  const int64_t channels = images.shape[3];
  for (int i = 2; i < 4; i++) {
    if (args.spec(i) != Spec{DType::float32, {channels}}) {
      args.fail((i == 2 ? "means float32 [" : "deviations float32 [") + std::to_string(channels) + "], one per channel",
                args.spec(i).text());
    }
  }
  const Params& p = args.params;
  const double flip = p.real(0), shift = p.real(1), seed = p.real(2), epoch = p.real(3);
  if (!(flip >= 0 && flip <= 1)) args.fail("a probability of flipping in [0, 1]", numberText(flip));
  if (!(shift >= 0 && shift <= 1e6 && std::floor(shift) == shift))
    args.fail("a shift of whole pixels from 0", numberText(shift));
  for (double v : {seed, epoch}) {
    if (!(v >= 0 && v < 9007199254740992.0 && std::floor(v) == v)) {
      args.fail("a seed and an epoch that are integers in [0, 2^53)", numberText(seed) + " and " + numberText(epoch));
    }
  }
  return {{DType::float32, {indices.shape[0], images.shape[1], images.shape[2], channels}}};
}

void forwardBatch(const Arguments& args, Tensors& out) { issue(Kernel::batch, args.params, args.in, out); }

Specs inferCount(const Arguments& args) {
  requireTensors(args, 3);
  for (int i = 0; i < 2; i++) {
    if (args.spec(i).dtype != DType::int32 || args.spec(i).shape.rank() != 1) {
      args.fail(i == 0 ? "predictions int32 [n]" : "labels int32 [n]", args.spec(i).text(),
                i == 0 ? "Use argmax." : "");
    }
  }
  if (args.spec(0) != args.spec(1)) {
    args.fail("as many labels as predictions", args.spec(1).shape.text() + " and " + args.spec(0).shape.text());
  }
  const Spec& counts = args.spec(2);
  if (counts.dtype != DType::int32 || counts.shape.rank() != 2 || counts.shape[0] != counts.shape[1]) {
    args.fail("counts int32 [classes, classes]", counts.text());
  }
  for (int i = 0; i < 2; i++) {
    if (args.in[i].storage() == args.in[2].storage())
      args.fail("counts with memory of their own", "the predictions or labels");
  }
  return {counts};
}

void forwardCount(const Arguments& args, Tensors& out) {
  if (args.in[0].elements() > 0) issue(Kernel::count, write(Count{}), args.in, out);
}

}  // namespace

const Op batchOp = {.name = "batch", .infer = inferBatch, .forward = forwardBatch};

// The result shares the counts' memory.
const Op countOp = {.name = "count", .infer = inferCount, .forward = forwardCount, .alias = {3}, .changesAlias = true};

}  // namespace needletail
