// Convolutions as graphs of cuDNN. What it fuses is one graph; of what it doesn't, the convolution is, and the rest are
// the backend's own kernels.
#include "cuda/convolution.h"
#include "cuda/cudnn.h"
#include "cuda/kernels.h"
#include "cuda/plans.h"
#include "cuda/sequence.h"
#include "geometry.h"
#include "ops/elementwise_rows.h"

namespace needletail::cuda {

namespace {

using fe::PointwiseMode_t;

// Windows, as the attributes of all three convolutions take them.
template <class Attributes>
Attributes attributesOf(const Convolution& c) {
  return Attributes()
      .set_pre_padding({c.low[0], c.low[1]})
      .set_post_padding({c.high[0], c.high[1]})
      .set_stride({c.stride[0], c.stride[1]})
      .set_dilation({c.dilation[0], c.dilation[1]});
}

// Draws a call; cuDNN knows the groups by the channels of x and of the weights.
void draw(const Call& call, const Convolution& c, CallGraph& graph) {
  const Operand a = graph.input(0), b = graph.input(1);
  Operand result;
  switch (call.kernel) {
    case Kernel::convolutionWeights:  // a: gradient, b: x
      result = graph.conv_wgrad(a, b, attributesOf<fe::graph::Conv_wgrad_attributes>(c));
      return graph.output(result, 2);
    case Kernel::convolutionData:  // a: gradient, b: weights
      result = graph.conv_dgrad(a, b, attributesOf<fe::graph::Conv_dgrad_attributes>(c));
      break;
    default:  // a: x, b: weights
      result = graph.conv_fprop(a, b, attributesOf<fe::graph::Conv_fprop_attributes>(c));
  }
  const Epilogue& epilogue = c.epilogue;
  const int out = epilogue.outputAt();
  graph.shapeAs(result, out);
  // The residual before the bias: the order of cuDNN's ready-made fusion.
  if (epilogue.residual) result = graph.pointwise(PointwiseMode_t::ADD, result, graph.input(2 + epilogue.bias));
  if (epilogue.bias) result = graph.pointwise(PointwiseMode_t::ADD, result, graph.input(2));
  switch (epilogue.activation) {
    case Activation::none: break;
    case Activation::relu: result = graph.pointwise(PointwiseMode_t::RELU_FWD, result); break;
    case Activation::gelu: result = graph.pointwise(PointwiseMode_t::GELU_FWD, result); break;
    case Activation::reluGradient:  // times the derivative at the values
      result = graph.pointwise(PointwiseMode_t::RELU_BWD, result, graph.input(out - 1));
  }
  graph.output(result, out);
}

std::unique_ptr<Prepared> prepareGraph(const Call& call, const Convolution& c, Rival* rival = nullptr) {
  const Demands demands{call.in[0].dtype == DType::float32 && !c.tf32, c.exact};
  return preparePlan(call, demands, [&](CallGraph& graph) { draw(call, c, graph); }, rival);
}

Call elementwise(Row row, int operands, std::initializer_list<Spec> in) {
  Elementwise e;
  e.row = static_cast<int>(row), e.operands = operands;
  Call call{Kernel::elementwise, write(e), {}, {}};
  for (const Spec& spec : in) call.in.push_back(spec);
  call.out.push_back(call.in[0]);
  return call;
}

// The convolution alone by cuDNN, and its epilogue in place by elementwise kernels.
std::unique_ptr<Prepared> prepareInParts(const Call& call, Convolution c) {
  const Epilogue epilogue = c.epilogue;
  c.epilogue = {};
  const Call plain{call.kernel, write(c), {call.in[0], call.in[1]}, {call.out[0]}};
  const int out = static_cast<int>(call.in.size());
  const Spec& y = call.out[0];
  auto sequence = std::make_unique<Sequence>();
  bool whole = sequence->add(prepareGraph(plain, c), {0, 1, out});
  int extra = 2;
  for (int terms = epilogue.bias + epilogue.residual; whole && terms > 0; terms--, extra++) {
    whole = sequence->add(prepareElementwise(elementwise(Row::add, 2, {y, call.in[extra]})), {out, extra, out});
  }
  if (whole && epilogue.activation == Activation::reluGradient) {
    Call gradient = elementwise(Row::relu_gradient, 3, {y, y});
    auto row = read<Elementwise>(gradient.params);
    row.immediates = 1;  // x, which this derivative doesn't use
    gradient.params = write(row);
    whole = sequence->add(prepareElementwise(gradient), {extra, out, out});
  } else if (whole && epilogue.activation != Activation::none) {
    const Row row = epilogue.activation == Activation::relu ? Row::relu : Row::gelu;
    whole = sequence->add(prepareElementwise(elementwise(row, 1, {y})), {out, out});
  }
  return whole ? std::move(sequence) : nullptr;
}

}  // namespace

std::unique_ptr<Prepared> convolutionByCudnn(const Call& call, std::unique_ptr<Prepared> own) {
  Rival rival{"own tensor cores", std::move(own)};
  if (rival.prepared && !measuring() && outdoesCudnn(call)) return rival.take(call);
  const auto c = read<Convolution>(call.params);
  const bool follows = call.in.size() > 2 || c.epilogue.activation != Activation::none;
  // What follows a data gradient of a stride is fused by engines that take many seconds to compile.
  const bool slow = follows && call.kernel == Kernel::convolutionData && (c.stride[0] > 1 || c.stride[1] > 1);
  if (!slow) {
    if (auto prepared = prepareGraph(call, c, &rival)) return prepared;
  }
  if (rival.prepared) return rival.take(call);  // rather than parts
  auto parts = follows ? prepareInParts(call, c) : nullptr;
  notePlan(call, parts ? "parts" : "own kernels");
  return parts;
}

}  // namespace needletail::cuda
