#include "passes/passes.h"

namespace needletail {

int dropDead(Program& program) {
  std::vector<bool> needed(program.buffers.size());
  for (const Program::Port& port : program.results) needed[port.buffer] = true;
  int count = 0;
  for (size_t i = program.steps.size(); i-- > 0;) {
    const Step& step = program.steps[i];
    const size_t inputs = step.call.in.size();
    bool used = false;
    for (size_t k = inputs; k < step.buffers.size(); k++) {
      used = used || needed[step.buffers[k]] || program.buffers[step.buffers[k]].kind != Buffer::temporary;
    }
    if (!used) {
      program.remove(i);
      count++;
      continue;
    }
    for (size_t k = 0; k < inputs; k++) needed[step.buffers[k]] = true;
  }
  for (size_t i = program.prologue.size(); i-- > 0;) {
    const Program::Keeping& keeping = program.prologue[i];
    bool used = false;
    for (size_t k = keeping.inputs(); k < keeping.step.buffers.size(); k++)
      used = used || needed[keeping.step.buffers[k]];
    for (size_t k = 0; used && k < keeping.inputs(); k++) needed[keeping.step.buffers[k]] = true;
    if (used) continue;
    program.forget(i);
    count++;
  }
  return count;
}

}  // namespace needletail
