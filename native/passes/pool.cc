// y = maximum over windows of convolution(...) as one kernel, and the convolution's gradients from y's: neither what
// was pooled nor its gradient is written or read.
#include "device.h"
#include "params.h"
#include "passes/passes.h"

namespace needletail {

namespace {

// The pool at step `at` goes into the convolution before it.
bool fuseForward(Program& program, int at) {
  const Step& pool = program.steps[at];
  const auto window = read<Pool>(pool.call.params);
  const Uses uses(program);
  if (!window.maximum || !uses.isFor(pool.buffers[0], at)) return false;
  const int made = uses.of(pool.buffers[0]).writers[0];
  const Step& maker = program.steps[made];
  if (maker.call.kernel != Kernel::convolution || !uses.canWait(made, at)) return false;
  auto params = read<Convolution>(maker.call.params);
  if (params.pooled) return false;
  params.pooled = true;
  params.pool = window;
  Call call{Kernel::convolution, write(params), maker.call.in, {pool.call.out[0]}};
  SmallVector<int, 8> buffers(maker.buffers.begin(), maker.buffers.begin() + maker.call.in.size());
  buffers.push_back(pool.buffers[1]);
  for (size_t k = 1; k < pool.call.out.size(); k++) {  // the positions, where somebody asks for them
    const Use& positions = uses.of(pool.buffers[k + 1]);
    if (!positions.result && positions.readers.empty()) continue;
    call.out.push_back(pool.call.out[k]);
    buffers.push_back(pool.buffers[k + 1]);
  }
  if (!program.replace(at, std::move(call), maker.op, std::move(buffers))) return false;
  program.remove(made);
  return true;
}

// The pool's gradient goes into the gradients of the convolution before it, at step `at`. Where calls run side by side
// that of the image needn't wait for what others read, too.
bool fuseBackward(Program& program, int at) {
  const Step& step = program.steps[at];
  const Uses uses(program);
  const bool isAlone = uses.isFor(step.buffers[0], at);
  if (!uses.isMadeOnce(step.buffers[0]) || (!isAlone && step.call.kernel != Kernel::convolutionData)) return false;
  const int made = uses.of(step.buffers[0]).writers[0];
  const Step& maker = program.steps[made];
  if (maker.call.kernel != Kernel::poolGradient) return false;
  if (isAlone ? !uses.canWait(made, at) : !uses.canRepeat(made, at)) return false;
  auto params = read<Convolution>(step.call.params);
  const auto window = read<Pool>(maker.call.params);
  if (params.pooled || !window.maximum) return false;
  params.pooled = true;
  params.pool = window;
  Call call{step.call.kernel, write(params), {}, step.call.out};
  SmallVector<int, 8> buffers;
  auto take = [&](const Step& from, size_t first, size_t last) {
    for (size_t k = first; k < last; k++) {
      call.in.push_back(from.call.in[k]);
      buffers.push_back(from.buffers[k]);
    }
  };
  // The pooled gradient in the gradient's place, positions and pooled values before the values of dx's ReLU.
  const size_t inputs = step.call.in.size();
  const size_t own = inputs - (params.epilogue.activation == Activation::reluGradient ? 1 : 0);
  take(maker, 0, 1);
  take(step, 1, own);
  take(maker, 1, maker.call.in.size());
  take(step, own, inputs);
  for (size_t k = inputs; k < step.buffers.size(); k++) buffers.push_back(step.buffers[k]);
  if (!program.replace(at, std::move(call), step.op, std::move(buffers))) return false;
  if (isAlone) program.remove(made);
  return true;
}

bool fuse(Program& program, int at) {
  switch (program.steps[at].call.kernel) {
    case Kernel::pool: return fuseForward(program, at);
    case Kernel::convolutionData: return program.device->backend.stream && fuseBackward(program, at);
    case Kernel::convolutionWeights:
    case Kernel::convolutionGradients: return fuseBackward(program, at);
    default: return false;
  }
}

}  // namespace

int fusePools(Program& program) { return atEachStep(program, fuse); }

}  // namespace needletail
