// Reverse-mode differentiation: ops record themselves as nodes, `backward` walks them from the youngest to the oldest.
#pragma once
#include <functional>
#include <vector>

#include "op.h"
#include "tensor.h"

namespace needletail {

struct Saved {
  Tensor tensor;  // detached when it is an output of its own node (a cycle would never be freed)
  uint64_t version = 0;
};

using CustomBackward = std::function<Tensors(const Tensors& gradients)>;

struct Node final : Pooled<Node> {
  const Op* op = nullptr;  // none: a leaf, or a custom op
  CustomBackward custom;
  Params params;
  SmallVector<Ref<Node>, 4> inputs;  // the node of each input, empty where no gradient flows
  SmallVector<int, 4> inputOutputs;  // which result of that node the input is
  Specs inSpecs, outSpecs;
  SmallVector<Saved, 4> in, out;
  bool freed = false;
  const char* name() const { return op ? op->name : custom ? customName.c_str() : "leaf"; }
  std::string customName;
  uint64_t number;  // order of creation
  Node();
  ~Node();
};

// Whether ops record themselves now (per thread).
bool gradientMode();
void setGradientMode(bool on);
struct GradientMode {
  explicit GradientMode(bool on);
  ~GradientMode();
  bool before;
};

// A tensor that shares `source`'s memory and collects a gradient. If `source` has a history, that is kept through an
// identity.
Tensor leaf(const Tensor& source);
// Marks a tensor as a leaf in place (a parameter).
void requireGradient(Tensor& tensor);
// Puts results of a custom op on the tape.
void recordCustom(const char* name, const Tensors& in, Tensors& out, CustomBackward backward);

// Gradients of the scalar `output` (or of any output, weighted by `seed`) with respect to `targets`; an empty tensor
// where a target does not take part. With `graph`, the gradients have a history of their own and the tape is kept. With
// `keep` alone, the tape is kept for another backward.
Tensors backward(const Tensor& output, const Tensor& seed, const Tensors& targets, bool graph, bool keep);
// Puts an op's results on the tape (called by `apply`).
void record(const Op& op, const Tensors& in, const Params& params, Tensors& out);

}  // namespace needletail
