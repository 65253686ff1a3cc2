// The table of all ops. A line here and one in ops.h make an op known to JavaScript.
#include "ops/ops.h"

#include <string_view>
#include <unordered_map>

namespace needletail {

const std::vector<const Op*>& allOps() {
  static const std::vector<const Op*> ops = [] {
    std::vector<const Op*> list;
    for (int i = 0; i < elementwiseOps(); i++) list.push_back(&elementwiseOp(i));
    const Op* others[] = {
        &whereOp,
        &matmulOp,
        &identityOp,
        &copyOp,
        &fillOp,
        // convolution
        &conv2dOp,
        &convolutionDataOp,
        &convolutionWeightsOp,

        // pool
        &maxPoolOp,
        &maxPoolGradientOp,
        &maxPoolTakeOp,
        &averagePoolOp,
        &averagePoolGradientOp,

        // norm
        &batchNormOp,
        &batchNormGradientOp,
        &batchNormInferenceOp,
        &layerNormOp,
        &layerNormGradientOp,

        // resize
        &resizeOp,
        &resizeGradientOp,

        // reduce
        &sumOp,
        &meanOp,
        &prodOp,
        &maxOp,
        &minOp,
        &anyOp,
        &allOp,
        &argmaxOp,
        &argminOp,

        // cumulate
        &cumsumOp,
        &cumprodOp,
        &linearScanOp,

        // shape
        &reshapeOp,
        &permuteOp,
        &sliceOp,
        &padOp,
        &concatOp,
        &broadcastToOp,
        &assignOp,
        &castOp,
        &iotaOp,

        // index
        &gatherOp,
        &scatterAddOp,

        // sort
        &sortOp,
        &topKOp,

        // softmax
        &softmaxOp,
        &softmaxGradientOp,
        &softmaxCrossEntropyOp,
        &softmaxCrossEntropyGradientOp,

        // random
        &randomOp,

        // optimizer
        &optimizerOp,

        // batch
        &batchOp,
        &countOp,

    };
    list.insert(list.end(), std::begin(others), std::end(others));
    return list;
  }();
  return ops;
}

}  // namespace needletail
