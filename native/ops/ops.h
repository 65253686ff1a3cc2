// All ops, a line each; ops.cc lists them. Elementwise ops come from elementwise.def.
#pragma once
#include "op.h"

namespace needletail {

// elementwise.cc
extern const Op whereOp;
const Op& elementwiseOp(int index);  // in the order of elementwise.def
int elementwiseOps();
// matmul.cc
extern const Op matmulOp;
// memory.cc
extern const Op identityOp, copyOp, fillOp;
// convolution.cc

// pool.cc

// norm.cc

// resize.cc

// reduce.cc

// cumulate.cc

// shape.cc

// index.cc

// sort.cc

// softmax.cc

// random.cc

// optimizer.cc

// batch.cc

}  // namespace needletail
