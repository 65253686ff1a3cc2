// dx = relu'(y) * k(...), where k is a kernel that takes an activation: one kernel makes dx (and k's other results),
// and what k alone would have made of it is neither written nor read.
#include "ops/elementwise_rows.h"
#include "params.h"
#include "passes/passes.h"

namespace needletail {

namespace {

template <class Params>
bool extend(Call& call) {
  auto params = read<Params>(call.params);
  if (params.epilogue.activation != Activation::none) return false;
  params.epilogue.activation = Activation::reluGradient;
  call.params = write(params);
  return true;
}
// The call makes what it made times the gradient of the ReLU whose values are the last input.
bool withActivation(Call& call) {
  switch (call.kernel) {
    case Kernel::convolutionData:
    case Kernel::convolutionGradients: return extend<Convolution>(call);
    case Kernel::matmul: return extend<Matmul>(call);
    case Kernel::poolGradient: {
      auto params = read<Pool>(call.params);
      if (params.reluGradient || !params.maximum) return false;
      params.reluGradient = true;
      call.params = write(params);
      return true;
    }
    default: return false;
  }
}

// Of a maximum's gradient: the pooled values, if `image` is what was pooled. A place that won has the pooled value, and
// no other place gets a gradient: the smaller tensor tells as much as the image.
int pooledOf(const Program& program, const Uses& uses, int positions, int image) {
  if (!uses.isValue(positions)) return -1;
  const Step& pool = program.steps[uses.of(positions).writers[0]];
  if (pool.call.kernel != Kernel::pool || pool.buffers[0] != image || pool.buffers.size() != 3) return -1;
  const int pooled = pool.buffers[1];
  return uses.isMadeOnce(pooled) ? pooled : -1;
}

bool fuse(Program& program, int at) {
  const Step& step = program.steps[at];
  if (!isRow(step, Row::relu_gradient, 1)) return false;  // operands x (unused), y and g
  const Uses uses(program);
  int y = step.buffers[0];
  const int gradient = step.buffers[1], result = step.buffers[2];
  if (y == gradient || !uses.isFor(gradient, at)) return false;
  const int made = uses.of(gradient).writers[0];
  const Step& maker = program.steps[made];
  const size_t inputs = maker.call.in.size();
  if (maker.buffers[inputs] != gradient || maker.call.out[0].elements() != step.call.in[0].elements()) return false;
  // What comes about runs in the place of the later step, unless what else the earlier one makes is read in between.
  const bool later = uses.canWait(made, at);
  if (!later && !(uses.isValue(result) && !uses.isWrittenBetween(y, made, at))) return false;
  Call call = maker.call;
  if (!withActivation(call)) return false;
  if (call.kernel == Kernel::poolGradient) {
    y = pooledOf(program, uses, maker.buffers[1], y);
    if (y < 0 || uses.isWrittenBetween(y, made, at)) return false;
    call.in.push_back(call.in[0]);
  } else {
    call.in.push_back(call.out[0]);
  }
  SmallVector<int, 8> buffers;
  for (size_t k = 0; k < inputs; k++) buffers.push_back(maker.buffers[k]);
  buffers.push_back(y);
  buffers.push_back(result);
  for (size_t k = inputs + 1; k < maker.buffers.size(); k++) buffers.push_back(maker.buffers[k]);
  if (!program.replace(later ? at : made, std::move(call), maker.op, std::move(buffers))) return false;
  program.remove(later ? made : at);
  return true;
}

}  // namespace

int fuseActivationGradients(Program& program) { return atEachStep(program, fuse); }

}  // namespace needletail
