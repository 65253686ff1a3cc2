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
extern const Op identityOp, copyOp, assignOp, fillOp;
// convolution.cc

// pool.cc

// norm.cc

// resize.cc

// reduce.cc
extern const Op sumOp;
extern const Op meanOp;
extern const Op prodOp;
extern const Op maxOp;
extern const Op minOp;
extern const Op anyOp;
extern const Op allOp;
extern const Op argmaxOp;
extern const Op argminOp;

// cumulate.cc
extern const Op cumsumOp;
extern const Op cumprodOp;
extern const Op linearScanOp;

// shape.cc
extern const Op reshapeOp;
extern const Op permuteOp;
extern const Op sliceOp;
extern const Op padOp;
extern const Op concatOp;
extern const Op broadcastToOp;
extern const Op assignOp;
// convert.cc
extern const Op castOp;
extern const Op iotaOp;

// index.cc

// sort.cc

// softmax.cc
extern const Op softmaxOp, softmaxGradientOp, softmaxCrossEntropyOp, softmaxCrossEntropyGradientOp;

// random.cc
extern const Op randomOp;

// optimizer.cc
extern const Op optimizerOp;

// batch.cc
extern const Op batchOp, countOp;

}  // namespace needletail
