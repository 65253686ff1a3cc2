// What follows from tensors outside of the program alone, which it doesn't change, stays from one replay to the next:
// constants, weights in another dtype, weights packed as a kernel wants them.
#include <algorithm>

#include "passes/passes.h"

namespace needletail {

namespace {
// What may be kept however little it is made from; beyond it, making a constant anew is cheap.
constexpr size_t kMostBytes = size_t{1} << 20;

// Whether the buffer has the same value in a replay as in the last one, unless somebody else has changed it.
bool isSettled(const Program& program, const Uses& uses, int buffer) {
  const Buffer::Kind kind = program.buffers[buffer].kind;
  return (kind == Buffer::external || kind == Buffer::kept) && uses.of(buffer).writers.empty();
}

bool canBeKept(const Program& program, const Uses& uses, const Step& step) {
  const size_t inputs = step.call.in.size();
  size_t from = 0, made = 0;
  for (size_t k = 0; k < step.buffers.size(); k++) {
    const int b = step.buffers[k];
    if (k < inputs ? !isSettled(program, uses, b) : !uses.isValue(b)) return false;
    (k < inputs ? from : made) += program.buffers[b].bytes;
  }
  return made <= std::max(from, kMostBytes);
}

bool keep(Program& program, int at) {
  if (!canBeKept(program, Uses(program), program.steps[at])) return false;
  program.keep(at);
  return true;
}

bool keepPacked(Program& program, int at) {
  const Step& step = program.steps[at];
  const Prepared::Packing& packing = step.prepared->packing;
  if (packing.input < 0 || step.part != Prepared::Part::whole) return false;
  if (!isSettled(program, Uses(program), step.buffers[packing.input])) return false;
  program.keepPacked(at);
  return true;
}
}  // namespace

int keepSettled(Program& program) { return atEachStep(program, keep); }
int keepPackedInputs(Program& program) { return atEachStep(program, keepPacked); }

}  // namespace needletail
