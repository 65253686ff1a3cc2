#include "passes/passes.h"

namespace needletail {

namespace {

// Whether the kernel may write where it reads: each element depends on that element alone.
bool toleratesInPlace(const Call& call, int input) {
  return call.kernel == Kernel::elementwise && call.in[input].elements() == call.out[0].elements() &&
         size(call.in[input].dtype) == size(call.out[0].dtype);
}

// The copy at step `at` is of a value that could be made in its place.
bool applies(const Program& program, const Uses& uses, int at) {
  const Step& copy = program.steps[at];
  if (copy.call.kernel != Kernel::copy) return false;
  const int value = copy.buffers[0], place = copy.buffers[1];
  if (value == place || !uses.isValue(value) || program.buffers[place].kind != Buffer::external ||
      program.buffers[place].bytes != program.buffers[value].bytes ||
      copy.call.in[0].bytes() != program.buffers[value].bytes)
    return false;
  const int made = uses.of(value).writers[0];
  const Step& maker = program.steps[made];
  for (size_t k = 0; k < maker.call.in.size(); k++) {
    if (maker.buffers[k] == place && !toleratesInPlace(maker.call, static_cast<int>(k))) return false;
  }
  // The old value is not read after that, and the new one is not overwritten while it is.
  for (int reader : uses.of(place).readers) {
    if (reader > made && reader < at) return false;
  }
  if (uses.isWrittenBetween(place, made, at)) return false;
  for (int reader : uses.of(value).readers) {
    if (reader > at && uses.isWrittenBetween(place, at, reader)) return false;
  }
  return true;
}

}  // namespace

int makeInPlace(Program& program) {
  int count = 0;
  for (int at = 0; at < static_cast<int>(program.steps.size()); at++) {
    const Uses uses(program);
    if (!applies(program, uses, at)) continue;
    const int value = program.steps[at].buffers[0], place = program.steps[at].buffers[1];
    program.remove(at--);
    program.redirect(value, place);
    count++;
  }
  return count;
}

}  // namespace needletail
