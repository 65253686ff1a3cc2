#include "passes/passes.h"

#include <algorithm>
#include <cstdlib>
#include <ranges>
#include <string>
#include <string_view>

#include "params.h"

namespace needletail {

namespace {
constexpr Pass kPasses[] = {
    {"casts shared", shareCasts},
    {"kept", keepSettled},
    {"copies left to the optimizer", keepOptimizerCopies},
    {"made in place", makeInPlace},
    {"losses joined with their gradient", joinCrossEntropy},
    {"losses joined with the last layer", joinLinearCrossEntropy},
    {"pairs of convolution gradients joined", joinConvolutionGradients},
    {"activation gradients fused", fuseActivationGradients},
    {"batch norms fused", fuseNorms},
    {"epilogues fused", fuseEpilogues},
    {"pools fused", fusePools},
    {"bias gradients parted", partBiasGradients},
    {"gradients not cast", readUncastGradients},
    {"images not cast", readUncastImages},
    {"casts gathered", gatherCasts},
    {"dropped", dropDead},
    {"elementwise rows joined", fuseElementwise},
    {"packed inputs kept", keepPackedInputs},
};

// The passes that NEEDLETAIL_PASSES_OFF leaves out: their names, with commas between.
bool isOff(const Pass& pass) {
  static const std::vector<std::string> off = [] {
    std::vector<std::string> names;
    const char* variable = std::getenv("NEEDLETAIL_PASSES_OFF");
    for (const auto& part : std::views::split(std::string_view(variable ? variable : ""), ',')) {
      const std::string name(part.begin(), part.end());
      if (name.empty()) continue;
      if (std::ranges::none_of(kPasses, [&](const Pass& known) { return known.name == name; })) {
        std::string all;
        for (const Pass& known : kPasses) all += (all.empty() ? "" : ", ") + std::string(known.name);
        throw expected("compile", "NEEDLETAIL_PASSES_OFF to name passes", "'" + name + "'", "There are " + all + ".");
      }
      names.push_back(name);
    }
    return names;
  }();
  return std::ranges::find(off, pass.name) != off.end();
}
}  // namespace

Uses::Uses(const Program& program) : program_(program), uses_(program.buffers.size()) {
  for (size_t i = 0; i < program.steps.size(); i++) {
    const Step& step = program.steps[i];
    for (size_t k = 0; k < step.buffers.size(); k++) {
      Use& use = uses_[step.buffers[k]];
      (k < step.call.in.size() ? use.readers : use.writers).push_back(static_cast<int>(i));
    }
  }
  for (const Program::Port& port : program.results) uses_[port.buffer].result = true;
}

bool Uses::isMadeOnce(int buffer) const {
  return program_.buffers[buffer].kind == Buffer::temporary && uses_[buffer].writers.size() == 1;
}

bool Uses::isValue(int buffer) const { return isMadeOnce(buffer) && !uses_[buffer].result; }

bool Uses::isFor(int buffer, int reader) const {
  return isValue(buffer) && uses_[buffer].readers.size() == 1 && uses_[buffer].readers[0] == reader;
}

bool Uses::isWrittenBetween(int buffer, int first, int last) const {
  for (int writer : uses_[buffer].writers) {
    if (writer > first && writer < last) return true;
  }
  return false;
}

bool Uses::canRepeat(int at, int place) const {
  const Step& step = program_.steps[at];
  for (size_t k = 0; k < step.call.in.size(); k++) {
    if (isWrittenBetween(step.buffers[k], at, place)) return false;
  }
  return true;
}

bool Uses::canWait(int at, int until, int gone) const {
  const Step& step = program_.steps[at];
  if (!canRepeat(at, until)) return false;
  for (size_t k = step.call.in.size(); k < step.buffers.size(); k++) {
    if (isWrittenBetween(step.buffers[k], at, until)) return false;
    for (int reader : uses_[step.buffers[k]].readers) {
      if (reader > at && reader < until && reader != gone) return false;
    }
  }
  return true;
}

bool Uses::canHurry(int at, int place, int given) const {
  const Step& step = program_.steps[at];
  for (size_t k = 0; k < step.buffers.size(); k++) {
    const int buffer = step.buffers[k];
    if (buffer == given) continue;
    if (k >= step.call.in.size() ? !isMadeOnce(buffer) : isWrittenBetween(buffer, place - 1, at)) return false;
  }
  return true;
}

bool isRow(const Step& step, Row row, int immediates) {
  if (step.call.kernel != Kernel::elementwise) return false;
  const auto params = read<Elementwise>(step.call.params);
  if (params.row != static_cast<int>(row) || params.immediates != immediates) return false;
  for (const Spec& spec : step.call.in) {
    if (!(spec == step.call.out[0])) return false;
  }
  return true;
}

int atEachStep(Program& program, bool (*fuse)(Program&, int)) {
  int count = 0;
  for (int at = 0; at < static_cast<int>(program.steps.size()); at++) {
    const size_t before = program.steps.size();
    if (!fuse(program, at)) continue;
    count++;
    at = std::max(-1, at - static_cast<int>(before - program.steps.size()));
  }
  return count;
}

void runPasses(Program& program) {
  for (const Pass& pass : kPasses) {
    if (isOff(pass)) continue;
    if (const int count = pass.run(program)) program.changes.push_back({pass.name, count});
  }
}

}  // namespace needletail
