// y = relu(batchNorm(x) [+ residual]) as one kernel, and its gradient, with the sum that its incoming gradient is.
#include <algorithm>

#include "ops/elementwise_rows.h"
#include "params.h"
#include "passes/passes.h"

namespace needletail {

namespace {

// The step that makes the value that step `at` alone reads as its input `k`, if it is a batch norm without more; else
// -1.
int normOf(const Program& program, const Uses& uses, int at, int k) {
  const int value = program.steps[at].buffers[k];
  if (!uses.isFor(value, at)) return -1;
  const int made = uses.of(value).writers[0];
  const Step& norm = program.steps[made];
  if (norm.call.kernel != Kernel::batchNorm || norm.buffers[norm.call.in.size()] != value) return -1;
  const auto p = read<BatchNorm>(norm.call.params);
  return p.relu || p.residual ? -1 : made;
}

bool fuseForward(Program& program, int at) {
  if (!isRow(program.steps[at], Row::relu)) return false;
  const Uses uses(program);
  const int result = program.steps[at].buffers[1];
  int norm = normOf(program, uses, at, 0), sum = -1, residual = -1;
  if (norm < 0 && uses.isFor(program.steps[at].buffers[0], at)) {
    sum = uses.of(program.steps[at].buffers[0]).writers[0];
    if (!isRow(program.steps[sum], Row::add)) return false;
    // Of two batch norms the later: what it doesn't make is there already.
    const int left = normOf(program, uses, sum, 0), right = normOf(program, uses, sum, 1);
    norm = std::max(left, right);
    residual = program.steps[sum].buffers[norm == left ? 1 : 0];
  }
  if (norm < 0 || (residual >= 0 && uses.isWrittenBetween(residual, sum, at))) return false;
  Step fused = program.steps[norm];
  if (!uses.canWait(norm, at, sum)) return false;
  auto params = read<BatchNorm>(fused.call.params);
  params.relu = true;
  params.residual = residual >= 0;
  fused.call.params = write(params);
  SmallVector<int, 8> buffers;
  const size_t inputs = fused.call.in.size();
  for (size_t k = 0; k < inputs; k++) buffers.push_back(fused.buffers[k]);
  if (residual >= 0) {
    buffers.push_back(residual);
    fused.call.in.push_back(fused.call.in[0]);
  }
  buffers.push_back(result);
  for (size_t k = inputs + 1; k < fused.buffers.size(); k++) buffers.push_back(fused.buffers[k]);
  if (!program.replace(at, std::move(fused.call), fused.op, std::move(buffers))) return false;
  if (sum >= 0) program.remove(sum);
  program.remove(norm);
  return true;
}

// relu'(y, g) whose result goes to a batch norm's gradient, and perhaps to others: the norm's gradient makes it.
bool fuseBackward(Program& program, int at) {
  if (!isRow(program.steps[at], Row::relu_gradient, 1)) return false;  // operands x (unused), y and g
  const Uses uses(program);
  const int y = program.steps[at].buffers[0], incoming = program.steps[at].buffers[1],
            through = program.steps[at].buffers[2];
  if (!uses.isValue(through)) return false;
  for (int reader : uses.of(through).readers) {
    const Step& norm = program.steps[reader];
    if (norm.call.kernel != Kernel::batchNormGradient || norm.buffers[0] != through) continue;
    auto params = read<BatchNorm>(norm.call.params);
    if (params.relu) continue;
    // It moves to where the ReLU's gradient was.
    bool early = true;
    for (size_t k = 1; k < norm.buffers.size(); k++) {
      const Use& use = uses.of(norm.buffers[k]);
      if (k >= norm.call.in.size()) {
        early = early && use.writers.size() == 1 && program.buffers[norm.buffers[k]].kind == Buffer::temporary;
      } else {
        early = early && !uses.isWrittenBetween(norm.buffers[k], at, reader) && norm.buffers[k] != through;
        for (int writer : use.writers) early = early && writer != at;
      }
    }
    if (!early) continue;
    params.relu = true;
    params.residual = uses.of(through).readers.size() > 1;
    Call call = norm.call;
    call.params = write(params);
    SmallVector<int, 8> buffers;
    buffers.push_back(incoming);
    for (size_t k = 1; k < norm.call.in.size(); k++) buffers.push_back(norm.buffers[k]);
    buffers.push_back(y);
    call.in.push_back(call.in[0]);
    for (size_t k = norm.call.in.size(); k < norm.buffers.size(); k++) buffers.push_back(norm.buffers[k]);
    if (params.residual) {
      buffers.push_back(through);
      call.out.push_back(call.in[0]);
    }
    const char* op = norm.op;
    if (!program.replace(at, std::move(call), op, std::move(buffers))) return false;
    program.remove(reader);
    return true;
  }
  return false;
}

// The gradient of a norm with a residual looks at what comes in once; so a sum of two gradients may be made there.
bool fuseSum(Program& program, int at) {
  const Step& norm = program.steps[at];
  if (norm.call.kernel != Kernel::batchNormGradient) return false;
  auto params = read<BatchNorm>(norm.call.params);
  const Uses uses(program);
  if (!params.residual || params.added || !uses.isFor(norm.buffers[0], at)) return false;
  const int made = uses.of(norm.buffers[0]).writers[0];
  const Step& sum = program.steps[made];
  if (!isRow(sum, Row::add) || !uses.canRepeat(made, at)) return false;
  params.added = true;
  Call call = norm.call;
  call.params = write(params);
  SmallVector<int, 8> buffers(norm.buffers.begin(), norm.buffers.begin() + call.in.size());
  buffers[0] = sum.buffers[0];
  buffers.push_back(sum.buffers[1]);
  call.in.push_back(call.in[0]);
  for (size_t k = norm.call.in.size(); k < norm.buffers.size(); k++) buffers.push_back(norm.buffers[k]);
  if (!program.replace(at, std::move(call), norm.op, std::move(buffers))) return false;
  program.remove(made);
  return true;
}

}  // namespace

int fuseNorms(Program& program) {
  return atEachStep(program,
                    [](Program& p, int at) { return fuseForward(p, at) || fuseBackward(p, at) || fuseSum(p, at); });
}

}  // namespace needletail
