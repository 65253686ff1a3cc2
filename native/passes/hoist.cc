#include "device.h"
#include "passes/passes.h"

namespace needletail {

namespace {
constexpr size_t kMostBytes = size_t{1} << 20;  // memory that a constant keeps; beyond it, filling anew is cheap

bool isConstant(const Program& program, const Uses& uses, const Step& step, const std::vector<bool>& constants) {
  const size_t inputs = step.call.in.size();
  for (size_t k = 0; k < step.buffers.size(); k++) {
    const int b = step.buffers[k];
    if (k < inputs ? !constants[b] : !uses.isValue(b) || program.buffers[b].bytes > kMostBytes) return false;
  }
  return true;
}
}  // namespace

int hoistConstants(Program& program) {
  const Uses uses(program);
  std::vector<bool> constants(program.buffers.size());
  int count = 0;
  for (size_t i = 0; i < program.steps.size();) {
    const Step& step = program.steps[i];
    // Uses counts steps as they were before any was removed, which is all that isValue looks at.
    if (!isConstant(program, uses, step, constants)) {
      i++;
      continue;
    }
    SmallVector<void*, 16> addresses;
    for (size_t k = 0; k < step.buffers.size(); k++) {
      Buffer& buffer = program.buffers[step.buffers[k]];
      if (k >= step.call.in.size()) {
        buffer.kind = Buffer::external;
        buffer.held = Ref<Storage>(new Storage(*program.device, buffer.bytes));
        constants[step.buffers[k]] = true;
      }
      addresses.push_back(buffer.held->data);
    }
    const int inputs = static_cast<int>(step.call.in.size()), outputs = static_cast<int>(step.call.out.size());
    program.device->queue.push(*step.prepared, step.op, addresses.data(), inputs, outputs, 0);
    program.remove(i);
    count++;
  }
  return count;
}

}  // namespace needletail
