// y = activation(product [+ residual]), where the product is a convolution or a matmul (whose bias is in it already),
// as one kernel: what the product alone would have made is neither written nor read.
#include "ops/elementwise_rows.h"
#include "params.h"
#include "passes/passes.h"

namespace needletail {

namespace {

// The call that does this to its sums as well; false where it has done something already that comes after it.
template <class Params>
bool extend(Call& call, bool residual, Activation activation) {
  auto params = read<Params>(call.params);
  if (params.epilogue.activation != Activation::none || (residual && params.epilogue.residual)) return false;
  if (residual) {
    params.epilogue.residual = true;
    call.in.push_back(call.out[0]);
  }
  params.epilogue.activation = activation;
  call.params = write(params);
  return true;
}
bool withEpilogue(Call& call, bool residual, Activation activation) {
  // A half type's sums would be rounded once less, which a ReLU alone doesn't notice.
  if (call.out[0].dtype != DType::float32 && (residual || activation != Activation::relu)) return false;
  switch (call.kernel) {
    case Kernel::convolution:
    case Kernel::convolutionData: return extend<Convolution>(call, residual, activation);
    case Kernel::matmul: return extend<Matmul>(call, residual, activation);
    default: return false;
  }
}

// Step `at` goes into the step that makes its input `k`.
bool fuseInto(Program& program, int at, int k, bool residual, Activation activation) {
  const Uses uses(program);
  const Step& step = program.steps[at];
  if (!uses.isFor(step.buffers[k], at)) return false;
  const int made = uses.of(step.buffers[k]).writers[0];
  const Step& maker = program.steps[made];
  const size_t inputs = maker.call.in.size();
  if (!uses.canRepeat(made, at)) return false;
  Call call = maker.call;
  if (!withEpilogue(call, residual, activation)) return false;
  SmallVector<int, 8> buffers(maker.buffers.begin(), maker.buffers.begin() + inputs);
  if (residual) buffers.push_back(step.buffers[1 - k]);
  buffers.push_back(step.buffers[step.call.in.size()]);
  if (!program.replace(at, std::move(call), maker.op, std::move(buffers))) return false;
  program.remove(made);
  return true;
}

bool fuse(Program& program, int at) {
  const Step& step = program.steps[at];
  if (isRow(step, Row::relu)) return fuseInto(program, at, 0, false, Activation::relu);
  if (isRow(step, Row::gelu)) return fuseInto(program, at, 0, false, Activation::gelu);
  if (!isRow(step, Row::add)) return false;
  return fuseInto(program, at, 0, true, Activation::none) || fuseInto(program, at, 1, true, Activation::none);
}

}  // namespace

int fuseEpilogues(Program& program) { return atEachStep(program, fuse); }

}  // namespace needletail
