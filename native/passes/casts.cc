// Casts of mixed precision that needn't be.
#include "params.h"
#include "passes/passes.h"

namespace needletail {

namespace {

// An earlier cast whose result is what the cast at step `at` makes; -1: none.
int sameCast(const Program& program, const Uses& uses, int at) {
  const Step& step = program.steps[at];
  if (step.call.kernel != Kernel::cast || !uses.isValue(step.buffers[1])) return -1;
  for (int reader : uses.of(step.buffers[0]).readers) {
    if (reader >= at) break;
    const Step& other = program.steps[reader];
    if (other.call.kernel == Kernel::cast && other.call.in[0].dtype == step.call.in[0].dtype &&
        other.call.out[0].dtype == step.call.out[0].dtype && other.call.out[0].bytes() == step.call.out[0].bytes() &&
        uses.isValue(other.buffers[1]) && !uses.isWrittenBetween(step.buffers[0], reader, at))
      return reader;
  }
  return -1;
}

// How many gradients the optimizer at step `at` now reads as they were before they were cast.
int readGradients(Program& program, int at) {
  const Step& step = program.steps[at];
  if (step.call.kernel != Kernel::optimizer) return 0;
  const auto p = read<Optimizer>(step.call.params);
  const Uses uses(program);
  Call call = step.call;
  SmallVector<int, 8> buffers = step.buffers;
  int count = 0;
  for (int k = 0; k < p.count; k++) {
    const int gradient = Optimizer::kScalars + k * (2 + p.slots()) + 1;
    if (!uses.isValue(buffers[gradient])) continue;
    const int made = uses.of(buffers[gradient]).writers[0];
    const Step& maker = program.steps[made];
    const Spec& before = maker.call.in[0];
    if (maker.call.kernel != Kernel::cast || !isFloat(before.dtype) ||
        uses.isWrittenBetween(maker.buffers[0], made, at))
      continue;
    call.in[gradient].dtype = before.dtype;
    buffers[gradient] = maker.buffers[0];
    count++;
  }
  return count > 0 && program.replace(at, std::move(call), step.op, std::move(buffers)) ? count : 0;
}

}  // namespace

int shareCasts(Program& program) {
  int count = 0;
  for (int at = 0; at < static_cast<int>(program.steps.size()); at++) {
    const int same = sameCast(program, Uses(program), at);
    if (same < 0) continue;
    const int own = program.steps[at].buffers[1], other = program.steps[same].buffers[1];
    program.remove(at--);
    for (Step& step : program.steps) {
      for (int& buffer : step.buffers) {
        if (buffer == own) buffer = other;
      }
    }
    count++;
  }
  return count;
}

int readUncastGradients(Program& program) {
  int count = 0;
  for (int at = 0; at < static_cast<int>(program.steps.size()); at++) count += readGradients(program, at);
  return count;
}

}  // namespace needletail
