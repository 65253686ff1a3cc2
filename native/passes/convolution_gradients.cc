// dx = convolutionData(g, w) and dw = convolutionWeights(g, x) of one convolution as one kernel, which looks at g once.
#include <algorithm>

#include "params.h"
#include "passes/passes.h"

namespace needletail {

namespace {

// The convolutionData that belongs to the convolutionWeights at step `at`; -1: none.
int dataOf(const Program& program, const Uses& uses, int at) {
  const Step& weights = program.steps[at];
  Convolution geometry = read<Convolution>(weights.call.params);
  geometry.epilogue.bias = false;
  const Params params = write(geometry);
  for (int reader : uses.of(weights.buffers[0]).readers) {
    const Step& data = program.steps[reader];
    if (data.call.kernel == Kernel::convolutionData && data.buffers[0] == weights.buffers[0] &&
        data.call.params == params && data.call.in[0] == weights.call.in[0] && data.call.in[1] == weights.call.out[0] &&
        data.call.out[0] == weights.call.in[1])
      return reader;
  }
  return -1;
}

bool join(Program& program, int at) {
  const Step& weights = program.steps[at];
  if (weights.call.kernel != Kernel::convolutionWeights) return false;
  const Uses uses(program);
  const int other = dataOf(program, uses, at);
  if (other < 0) return false;
  const int first = std::min(at, other), last = std::max(at, other);
  if (!uses.canWait(first, last)) return false;
  const Step& data = program.steps[other];
  Call call{Kernel::convolutionGradients, weights.call.params, weights.call.in, data.call.out};
  call.in.push_back(data.call.in[1]);
  SmallVector<int, 8> buffers{weights.buffers[0], weights.buffers[1], data.buffers[1], data.buffers[2]};
  for (size_t k = 0; k < weights.call.out.size(); k++) {
    call.out.push_back(weights.call.out[k]);
    buffers.push_back(weights.buffers[2 + k]);
  }
  if (!program.replace(last, std::move(call), weights.op, std::move(buffers))) return false;
  program.remove(first);
  return true;
}

}  // namespace

int joinConvolutionGradients(Program& program) { return atEachStep(program, join); }

}  // namespace needletail
