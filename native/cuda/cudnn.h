// cuDNN through cudnn-frontend's graphs: a call as a graph over its buffers, and the plan that cuDNN makes of it.
// The frontend's headers take half a minute to compile: cudnn.cc and convolution_cudnn.cc alone include this.
#pragma once
#include <cudnn_frontend.h>

#include <functional>
#include <memory>
#include <vector>

#include "backend.h"

namespace needletail::cuda {

namespace fe = cudnn_frontend;
using Operand = std::shared_ptr<fe::graph::Tensor_attributes>;

// To cuDNN an image is [n, c, h, w] whose strides say that it is stored as [n, h, w, c]; so are weights, and a vector
// of channels is [1, c, 1, 1]. A tensor's uid is the number of its buffer among the call's inputs, then outputs, + 1.
class CallGraph : public fe::graph::Graph {
 public:
  explicit CallGraph(const Call& call);
  Operand input(int buffer);
  void output(const Operand& result, int buffer);
  // What cuDNN can't derive itself: a virtual tensor of the buffer's shape.
  void shapeAs(const Operand& tensor, int buffer) const;
  Operand pointwise(fe::PointwiseMode_t mode, const Operand& a);
  Operand pointwise(fe::PointwiseMode_t mode, const Operand& a, const Operand& b);
  // The buffers of input() and output().
  const std::vector<int64_t>& used() const { return used_; }

  // For plans. `handle` is null where the device is only described by `properties`.
  fe::error_t lower(cudnnHandle_t handle, std::shared_ptr<const fe::DeviceProperties> properties);
  // Ways to compute it, the one that cuDNN thinks fastest first.
  fe::error_t engines(fe::EngineConfigList& list);
  std::string tag() const { return operation_graph->getTag(); }

 private:
  const Spec& spec(int buffer) const;
  const Call& call_;
  std::vector<int64_t> used_;
};

// What an engine must not do.
struct Demands {
  bool noTensorCores = false;  // they round float32 to TF32
  bool noWinograd = false;
};
// Another way to compute a call.
struct Rival {
  std::string name;
  std::unique_ptr<Prepared> prepared;  // null: there is none
  std::unique_ptr<Prepared> take(const Call& call);  // and notes that it is taken
};
// The call, computed by the graph that `draw` draws for it; null where cuDNN has no engine that will do. An engine that
// does is deterministic, accumulates in float32, and meets the demands. Where plans are measured, so is the rival,
// which is given if it is faster.
std::unique_ptr<Prepared> preparePlan(const Call& call, const Demands& demands,
                                      const std::function<void(CallGraph&)>& draw, Rival* rival = nullptr);

}  // namespace needletail::cuda
