// Losses and their gradient for the logits as one call, which looks at the logits once.
#include "params.h"
#include "passes/passes.h"

namespace needletail {

namespace {

// What the gradient at step `at` reads beside the losses' gradient: logits, labels, (weights).
bool areOf(const Step& losses, const Step& gradient) {
  if (losses.call.kernel != Kernel::softmaxCrossEntropy || !(losses.call.params == gradient.call.params)) return false;
  for (size_t k = 0; k < losses.call.in.size(); k++) {
    if (losses.buffers[k] != gradient.buffers[k + 1] || !(losses.call.in[k] == gradient.call.in[k + 1])) return false;
  }
  return true;
}

bool fuse(Program& program, int at) {
  const Step& gradient = program.steps[at];
  if (gradient.call.kernel != Kernel::softmaxCrossEntropyGradient) return false;
  const Uses uses(program);
  for (int reader : uses.of(gradient.buffers[1]).readers) {
    const Step& losses = program.steps[reader];
    if (reader >= at || !areOf(losses, gradient) || !uses.canHurry(at, reader)) continue;
    auto params = read<CrossEntropy>(gradient.call.params);
    params.losses = true;
    Call call = gradient.call;
    call.params = write(params);
    call.out.push_back(losses.call.out[0]);
    SmallVector<int, 8> buffers = gradient.buffers;
    buffers.push_back(losses.buffers[losses.call.in.size()]);
    if (!program.replace(reader, std::move(call), losses.op, std::move(buffers))) continue;
    program.remove(at);
    return true;
  }
  return false;
}

}  // namespace

int joinCrossEntropy(Program& program) { return atEachStep(program, fuse); }

}  // namespace needletail
