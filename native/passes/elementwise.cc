// Elementwise rows over one shape, of which one reads what another makes, as one loop: what they alone read of each
// other stays in the cache.
#include "geometry.h"
#include "passes/passes.h"

namespace needletail {

namespace {

bool isElementwise(const Step& step) {
  return step.call.kernel == Kernel::elementwise || step.call.kernel == Kernel::elementwiseRun;
}

// A run that is put together: the call and its buffers.
struct Builder {
  ElementwiseParts parts;
  Specs in, out;
  SmallVector<int, 8> inputs, outputs;
  int made[ElementwiseParts::kMost];  // by each part: the buffer that has its result

  // The parts of a step follow; false where there are too many, or one reads another's result in another shape.
  bool take(const Step& step) {
    const ElementwiseParts own = partsOf(step.call);
    const int before = parts.count;
    if (before + own.count > ElementwiseParts::kMost) return false;
    int output = static_cast<int>(step.call.in.size());
    for (int k = 0; k < own.count; k++) {
      ElementwiseParts::Part part = own.parts[k];
      for (int i = 0; i < part.operands; i++) {
        if (part.immediates >> i & 1) continue;
        if (part.from[i] < 0)
          part.from[i] -= before;
        else if (!find(step.call.in[part.from[i]], step.buffers[part.from[i]], before, part.from[i]))
          return false;
      }
      made[before + k] = part.kept ? step.buffers[output++] : -1;
      parts.parts[parts.count++] = part;
    }
    return true;
  }
  // Where an operand comes from: a part of those before, or an input.
  bool find(const Spec& spec, int buffer, int before, int& from) {
    for (int k = before - 1; k >= 0; k--) {
      if (made[k] != buffer) continue;
      from = -1 - k;
      return spec.shape == shape && spec.dtype == static_cast<DType>(parts.parts[k].dtype);
    }
    for (size_t i = 0; i < inputs.size(); i++) {
      if (inputs[i] != buffer || !(in[i] == spec)) continue;
      from = static_cast<int>(i);
      return true;
    }
    from = static_cast<int>(inputs.size());
    inputs.push_back(buffer);
    in.push_back(spec);
    return true;
  }
  Shape shape;
};

// The step at `at` and the one that makes something it reads become one.
bool fuseWith(Program& program, const Uses& uses, int made, int at) {
  const Step &first = program.steps[made], &last = program.steps[at];
  if (!isElementwise(first) || !uses.canWait(made, at, at)) return false;
  Builder run;
  run.shape = last.call.out[0].shape;
  if (first.call.out[0].shape != run.shape || !run.take(first) || !run.take(last)) return false;
  for (int k = 0; k < run.parts.count; k++) {
    if (run.made[k] < 0) continue;
    ElementwiseParts::Part& part = run.parts.parts[k];
    part.kept = !uses.isFor(run.made[k], at);
    if (!part.kept) continue;
    run.outputs.push_back(run.made[k]);
    run.out.push_back({static_cast<DType>(part.dtype), run.shape});
  }
  // An operand that is read again and again must not change on the way.
  for (size_t i = 0; i < run.inputs.size(); i++) {
    for (int output : run.outputs) {
      if (run.inputs[i] == output && run.in[i].shape != run.shape) return false;
    }
  }
  for (int output : run.outputs) run.inputs.push_back(output);
  const char* op = last.op;
  Call call{Kernel::elementwiseRun, write(run.parts), run.in, run.out};
  if (!program.replace(at, std::move(call), op, std::move(run.inputs))) return false;
  program.remove(made);
  return true;
}

bool fuse(Program& program, int at) {
  const Step& step = program.steps[at];
  if (!isElementwise(step)) return false;
  const Uses uses(program);
  for (size_t k = 0; k < step.call.in.size(); k++) {
    const Use& use = uses.of(step.buffers[k]);
    int made = -1;  // the last to write it before
    for (int writer : use.writers) {
      if (writer < at) made = writer;
    }
    if (made >= 0 && fuseWith(program, uses, made, at)) return true;
  }
  return false;
}

}  // namespace

int fuseElementwise(Program& program) { return atEachStep(program, fuse); }

}  // namespace needletail
