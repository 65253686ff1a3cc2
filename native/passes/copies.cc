// Weights that the optimizer changes, in half precision: the copies that the products read are kept, and the optimizer
// writes them beside the weights.
#include <algorithm>
#include <functional>
#include <vector>

#include "params.h"
#include "passes/passes.h"

namespace needletail {

namespace {

// The step that makes a half-precision copy of a parameter which nobody but the optimizer at step `at` changes, for
// steps before that; -1: none.
int copyOf(const Program& program, const Uses& uses, int parameter, int at) {
  if (program.buffers[parameter].kind != Buffer::external || uses.of(parameter).writers.size() != 1) return -1;
  for (int reader : uses.of(parameter).readers) {
    const Step& step = program.steps[reader];
    if (step.call.kernel != Kernel::cast || step.call.in.size() != 1 || !uses.isValue(step.buffers[1])) continue;
    if (size(step.call.out[0].dtype) != 2 || !isFloat(step.call.out[0].dtype)) continue;
    if (reader < at && std::ranges::all_of(uses.of(step.buffers[1]).readers, [at](int i) { return i < at; }))
      return reader;
  }
  return -1;
}

int keepCopies(Program& program, int at) {
  const Step& step = program.steps[at];
  if (step.call.kernel != Kernel::optimizer) return 0;
  auto p = read<Optimizer>(step.call.params);
  if (p.copies > 0) return 0;
  const Uses uses(program);
  const int reads = 2 + p.slots(), writes = 1 + p.slots();
  const int inputs = static_cast<int>(step.call.in.size());
  // The parameters with copies come first.
  std::vector<int> order, copies;
  for (bool first : {true, false}) {
    for (int k = 0; k < p.count; k++) {
      const int from = Optimizer::kScalars + k * reads;
      const int copy = step.call.in[from].dtype == DType::float32 ? copyOf(program, uses, step.buffers[from], at) : -1;
      if ((copy >= 0) != first) continue;
      order.push_back(k);
      if (first) copies.push_back(copy);
    }
  }
  if (copies.empty()) return 0;
  p.copies = static_cast<int>(copies.size());
  Call call{Kernel::optimizer, write(p), {}, {}};
  SmallVector<int, 8> buffers;
  for (int i = 0; i < Optimizer::kScalars; i++) {
    call.in.push_back(step.call.in[i]);
    buffers.push_back(step.buffers[i]);
  }
  for (int k : order) {
    for (int i = Optimizer::kScalars + k * reads; i < Optimizer::kScalars + (k + 1) * reads; i++) {
      call.in.push_back(step.call.in[i]);
      buffers.push_back(step.buffers[i]);
    }
  }
  for (int k : order) {
    for (int i = k * writes; i < (k + 1) * writes; i++) {
      call.out.push_back(step.call.out[i]);
      buffers.push_back(step.buffers[inputs + i]);
    }
  }
  for (int copy : copies) {
    call.out.push_back(program.steps[copy].call.out[0]);
    buffers.push_back(program.steps[copy].buffers[1]);
  }
  if (!program.replace(at, std::move(call), step.op, std::move(buffers))) return 0;
  std::ranges::sort(copies, std::greater());
  for (int copy : copies) program.keep(copy);
  return p.copies;
}

}  // namespace

int keepOptimizerCopies(Program& program) {
  int count = 0;
  for (int at = static_cast<int>(program.steps.size()) - 1; at >= 0; at--) count += keepCopies(program, at);
  return count;
}

}  // namespace needletail
