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
extern const Op conv2dOp, convolutionDataOp, convolutionWeightsOp;

// pool.cc
extern const Op maxPoolOp, maxPoolGradientOp, maxPoolTakeOp, averagePoolOp, averagePoolGradientOp;

// norm.cc
extern const Op batchNormOp, batchNormGradientOp, batchNormInferenceOp, layerNormOp, layerNormGradientOp;

// resize.cc
extern const Op resizeOp, resizeGradientOp;

// reduce.cc
extern const Op sumOp, meanOp, prodOp, maxOp, minOp, anyOp, allOp, argmaxOp, argminOp;

// cumulate.cc
extern const Op cumsumOp, cumprodOp, linearScanOp;

// shape.cc
extern const Op reshapeOp, permuteOp, sliceOp, padOp, concatOp, broadcastToOp, assignOp;
// convert.cc
extern const Op castOp, iotaOp;

// index.cc
extern const Op gatherOp, scatterAddOp;

// sort.cc
extern const Op sortOp, topKOp;

// softmax.cc
extern const Op softmaxOp, softmaxGradientOp, softmaxCrossEntropyOp, softmaxCrossEntropyGradientOp;

// random.cc
extern const Op randomOp;

// optimizer.cc
extern const Op optimizerOp;

// batch.cc
extern const Op batchOp, countOp;

}  // namespace needletail
