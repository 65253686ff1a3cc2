// What is done to a Program between recording and planning its memory: each pass is one file, and leaves the program's
// results as they were.
#pragma once
#include "ops/elementwise_rows.h"
#include "passes/uses.h"
#include "program.h"

namespace needletail {

struct Pass {
  const char* name;
  // Gives how many places it changed.
  int (*run)(Program& program);
};

// keep.cc: what follows from tensors outside of the program alone is kept from one replay to the next; so is the packed
// form of weights, after all other passes: they choose the calls.
int keepSettled(Program& program);
int keepPackedInputs(Program& program);
// copies.cc: half-precision copies of weights that the optimizer changes are kept, and it writes them.
int keepOptimizerCopies(Program& program);
// in_place.cc: a value that is only made to be copied is made where the copy goes.
int makeInPlace(Program& program);
// cross_entropy.cc: losses and their gradient become one call.
int joinCrossEntropy(Program& program);
// linear_cross_entropy.cc: so do the product that makes the logits, and the gradient of what it is made of.
int joinLinearCrossEntropy(Program& program);
// convolution_gradients.cc: the two gradients of a convolution become one call.
int joinConvolutionGradients(Program& program);
// activation_gradient.cc: the gradient of a ReLU goes into the kernel that makes what it multiplies.
int fuseActivationGradients(Program& program);
// norm.cc: a ReLU, and the addition before it, go into the batch norm that they follow; their gradient into its
// gradient.
int fuseNorms(Program& program);
// epilogue.cc: a ReLU or GELU, and the addition before it, go into the convolution or matmul that they follow.
int fuseEpilogues(Program& program);
// pool.cc: a maximum over windows goes into the convolution before it, and its gradient into the convolution's.
int fusePools(Program& program);
// bias.cc: where calls run side by side, the gradients of weights and bias become two.
int partBiasGradients(Program& program);
// elementwise.cc: elementwise rows that follow from each other become one loop.
int fuseElementwise(Program& program);
// casts.cc: a value that is cast twice to one dtype is cast once; the optimizer reads gradients as they were before a
// cast, a convolution its image where it can round it itself; what is there when the program begins, as weights are, is
// cast by one call.
int shareCasts(Program& program);
int readUncastGradients(Program& program);
int readUncastImages(Program& program);
int gatherCasts(Program& program);
// dead.cc: what nobody reads isn't computed.
int dropDead(Program& program);

// Whether the step is that row of elementwise.def over whole tensors, none of them broadcast, and the operands whose
// bits are in `immediates` numbers.
bool isRow(const Step& step, Row row, int immediates = 0);

// Tries to fuse each step with those before it, which go away where it can; gives how often it could.
int atEachStep(Program& program, bool (*fuse)(Program& program, int at));

// All, in order; what they did is kept in the program for its text.
void runPasses(Program& program);

}  // namespace needletail
