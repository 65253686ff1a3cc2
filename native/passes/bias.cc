// The gradient of a bias, the gradient's sum over all places, apart from that of the weights: where calls run side by
// side, nobody waits for one of them behind the other.
#include "device.h"
#include "params.h"
#include "passes/passes.h"

namespace needletail {

namespace {

bool part(Program& program, int at) {
  const Step& step = program.steps[at];
  if (step.call.kernel != Kernel::convolutionWeights) return false;
  auto c = read<Convolution>(step.call.params);
  if (!c.epilogue.bias || c.pooled) return false;  // of what was pooled one kernel makes both
  c.epilogue.bias = false;
  const int gradient = step.buffers[0], image = step.buffers[1], weights = step.buffers[2], bias = step.buffers[3];
  const Specs in = step.call.in, out = step.call.out;
  const char* op = step.op;
  const Call sum{Kernel::reduce, write(Reduce{Reduction::sum, 0b111, 1}), {in[0]}, {out[1]}};
  return program.replace(at, {Kernel::convolutionWeights, write(c), in, {out[0]}}, op, {gradient, image, weights}) &&
         program.insert(at, sum, op, {gradient, bias});
}

}  // namespace

int partBiasGradients(Program& program) { return program.device->backend.stream ? atEachStep(program, part) : 0; }

}  // namespace needletail
