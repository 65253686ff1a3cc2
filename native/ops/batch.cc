// What feeds and watches a training loop: a batch made from stored pictures, and counts of right and wrong answers.
#include <cmath>

#include "ops/check.h"
#include "ops/ops.h"

namespace needletail {

namespace {

constexpr int64_t kMaxPixels = 1000000;

// Parameter `i`, a number in [low, high].
void requireWithin(const Arguments& args, int i, const char* what, double low, double high) {
  const double v = args.params.real(i);
  if (!(v >= low && v <= high)) {
    args.fail(std::string(what) + " in [" + numberText(low) + ", " + numberText(high) + "]", numberText(v));
  }
}

// The parameters in the order of Batch (params.h).
void checkAugmentation(const Arguments& args) {
  const Params& p = args.params;
  for (int i = 0; i < 2; i++) {
    if (!(p.real(i) >= 0 && p.real(i) < 9007199254740992.0 && std::floor(p.real(i)) == p.real(i))) {
      args.fail("a seed and an epoch that are integers in [0, 2^53)",
                numberText(p.real(0)) + " and " + numberText(p.real(1)));
    }
  }
  wholeParam(args, 2, "a fill", 0, 3);
  requireWithin(args, 3, "a probability of flipping", 0, 1);
  requireWithin(args, 4, "a probability of flipping top to bottom", 0, 1);
  wholeParam(args, 5, "a shift of whole pixels", 0, kMaxPixels);
  requireWithin(args, 6, "a probability of shifting", 0, 1);
  requireWithin(args, 7, "a rotation of degrees", 0, 180);
  requireWithin(args, 8, "a probability of rotating", 0, 1);
  requireWithin(args, 9, "a smallest scale", 0.01, 100);
  requireWithin(args, 10, "a largest scale", 0.01, 100);
  if (p.real(9) > p.real(10)) {
    args.fail("a smallest scale of at most the largest", numberText(p.real(9)) + " and " + numberText(p.real(10)));
  }
  requireWithin(args, 11, "a probability of scaling", 0, 1);
  requireWithin(args, 12, "a crop of a part of the area", 0.01, 1);
  requireWithin(args, 13, "a probability of cropping", 0, 1);
  requireWithin(args, 14, "a blur of pixels", 0, 100);
  requireWithin(args, 15, "a probability of blurring", 0, 1);
  requireWithin(args, 16, "a noise of a deviation", 0, 100);
  requireWithin(args, 17, "a probability of noise", 0, 1);
  wholeParam(args, 18, "a cutout of whole pixels", 0, kMaxPixels);
  requireWithin(args, 19, "a probability of cutting out", 0, 1);
}

Specs inferBatch(const Arguments& args) {
  const bool isPlaced = args.in.size() > 4;
  requireTensors(args, isPlaced ? 6 : 4);
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
  for (int i = 4; isPlaced && i < 6; i++) {
    if (args.spec(i) != Spec{DType::int32, {}}) {
      args.fail(i == 4 ? "the epoch as int32 []" : "the first of the indices as int32 []", args.spec(i).text());
    }
  }
  checkAugmentation(args);
  const int64_t listed = indices.shape[0];
  const int64_t count = wholeParam(args, 20, "a number of the indices", 0, isPlaced ? listed : 0);
  return {{DType::float32, {isPlaced ? count : listed, images.shape[1], images.shape[2], channels}}};
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
const Op countOp = {.name = "count", .infer = inferCount, .forward = forwardCount, .alias = {3}};

}  // namespace needletail
