// Casts of mixed precision that needn't be.
#include <algorithm>
#include <map>
#include <vector>

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

// Whether the convolution at step `at` now reads its image as it was before it was cast to half precision.
bool readImage(Program& program, int at) {
  const Step& step = program.steps[at];
  const bool forward = step.call.kernel == Kernel::convolution;
  if (!forward && step.call.kernel != Kernel::convolutionWeights) return false;
  const Uses uses(program);
  const int image = forward ? 0 : 1;
  if (!uses.isValue(step.buffers[image])) return false;
  const int made = uses.of(step.buffers[image]).writers[0];
  const Step& maker = program.steps[made];
  if (maker.call.kernel != Kernel::cast || maker.call.in.size() != 1 || maker.call.in[0].dtype != DType::float32 ||
      uses.isWrittenBetween(maker.buffers[0], made, at))
    return false;
  Call call = step.call;
  SmallVector<int, 8> buffers = step.buffers;
  call.in[image] = maker.call.in[0];
  buffers[image] = maker.buffers[0];
  return program.replace(at, std::move(call), step.op, std::move(buffers));
}

// A cast of what is there when the program begins.
bool isEarly(const Program& program, const Uses& uses, int at) {
  const Step& step = program.steps[at];
  return step.call.kernel == Kernel::cast && step.call.in.size() == 1 && uses.isValue(step.buffers[1]) &&
         program.buffers[step.buffers[0]].kind != Buffer::temporary && !uses.isWrittenBetween(step.buffers[0], -1, at);
}

}  // namespace

int shareCasts(Program& program) {
  int count = 0;
  for (int at = 0; at < static_cast<int>(program.steps.size()); at++) {
    const int same = sameCast(program, Uses(program), at);
    if (same < 0) continue;
    const int own = program.steps[at].buffers[1], other = program.steps[same].buffers[1];
    program.remove(at--);
    program.redirect(own, other);
    count++;
  }
  return count;
}

int readUncastGradients(Program& program) {
  int count = 0;
  for (int at = 0; at < static_cast<int>(program.steps.size()); at++) count += readGradients(program, at);
  return count;
}

int readUncastImages(Program& program) { return atEachStep(program, readImage); }

int gatherCasts(Program& program) {
  const Uses uses(program);
  std::map<std::pair<DType, DType>, std::vector<int>> groups;
  for (int at = 0; at < static_cast<int>(program.steps.size()); at++) {
    if (!isEarly(program, uses, at)) continue;
    const Call& call = program.steps[at].call;
    groups[{call.in[0].dtype, call.out[0].dtype}].push_back(at);
  }
  int count = 0;
  std::vector<int> gone;
  for (const auto& [dtypes, group] : groups) {
    if (group.size() < 2) continue;
    const Step& first = program.steps[group[0]];
    Call call{Kernel::cast, first.call.params, {}, {}};
    SmallVector<int, 8> from, to;
    for (int at : group) {
      const Step& step = program.steps[at];
      call.in.push_back(step.call.in[0]), call.out.push_back(step.call.out[0]);
      from.push_back(step.buffers[0]), to.push_back(step.buffers[1]);
    }
    for (int buffer : to) from.push_back(buffer);
    if (!program.replace(group[0], std::move(call), first.op, std::move(from))) continue;
    gone.insert(gone.end(), group.begin() + 1, group.end());
    count += static_cast<int>(group.size());
  }
  std::sort(gone.begin(), gone.end());
  for (size_t i = gone.size(); i-- > 0;) program.remove(gone[i]);
  return count;
}

}  // namespace needletail
