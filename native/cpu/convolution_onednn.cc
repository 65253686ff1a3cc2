// Convolutions by oneDNN: images stay in their plain layout; weights are brought into the layout that the primitive
// prefers on each call (they are small), in scratch memory, unless a Program keeps them so.
#include <unordered_map>

#include "cpu/convolution.h"
#include "cpu/onednn.h"

namespace needletail {

namespace {

using namespace onednn;
using Dims = Memory::dims;

Memory::data_type typeOf(DType dtype) {
  return dtype == DType::bfloat16 ? Memory::data_type::bf16 : Memory::data_type::f32;
}
size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

struct OneDnnConvolution final : Prepared {
  dnnl::primitive primitive;
  std::unordered_map<int, Memory> arguments;
  // Which buffer of the call is which argument (0: no argument).
  static constexpr int kBuffers = 5;
  int buffers[kBuffers] = {};
  int weightsBuffer = -1;  // set where the weights need another layout
  dnnl::reorder reorder;  // into the primitive's layout, or, for a gradient, out of it
  Memory plainWeights, weights, scratchpad;
  int weightsArgument = 0;
  bool gradient = false;  // the weights are a result
  size_t scratchpadOffset = 0;

  void run(Stream& stream, void* const* memory) override {
    if (packing.input >= 0) pack(stream, memory[weightsBuffer], stream.workspace);
    execute(stream, memory, stream.workspace);
    if (weightsBuffer < 0 || !gradient) return;
    plainWeights.set_data_handle(memory[weightsBuffer]);
    reorder.execute(onednn::stream(), weights, plainWeights);
    onednn::stream().wait();
  }
  void pack(Stream&, const void* input, void* packed) override {
    useThreads();
    plainWeights.set_data_handle(const_cast<void*>(input));
    weights.set_data_handle(packed);
    reorder.execute(onednn::stream(), plainWeights, weights);
    onednn::stream().wait();
  }
  void runPacked(Stream& stream, void* const* memory) override { execute(stream, memory, memory[weightsBuffer]); }
  // With the weights in the primitive's layout where that is another.
  void execute(Stream& stream, void* const* memory, void* ownWeights) {
    useThreads();
    for (int i = 0; i < kBuffers; i++) {
      if (buffers[i] != 0 && i != weightsBuffer) arguments[buffers[i]].set_data_handle(memory[i]);
    }
    if (weightsBuffer >= 0) weights.set_data_handle(ownWeights);
    scratchpad.set_data_handle(static_cast<char*>(stream.workspace) + scratchpadOffset);
    primitive.execute(onednn::stream(), arguments);
    onednn::stream().wait();
  }

  void bind(int buffer, int argument, const Memory::desc& desc) {
    buffers[buffer] = argument;
    arguments.emplace(argument, onednn::memory(desc));
  }
  void bindWeights(int buffer, int argument, const Memory::desc& plain, const Memory::desc& wanted) {
    if (plain == wanted) return bind(buffer, argument, plain);
    weightsBuffer = buffer;
    if (!gradient) packing = {buffer, wanted.get_size()};
    buffers[buffer] = argument;
    plainWeights = onednn::memory(plain);
    weights = onednn::memory(wanted);
    arguments.emplace(argument, weights);
    scratchpadOffset = aligned(wanted.get_size());
    dnnl::primitive_attr attr = attributes();
    reorder = dnnl::reorder(gradient ? dnnl::reorder::primitive_desc(engine(), wanted, engine(), plain, attr)
                                     : dnnl::reorder::primitive_desc(engine(), plain, engine(), wanted, attr));
  }
  void finish(const Memory::desc& scratch) {
    scratchpad = onednn::memory(scratch);
    arguments.emplace(DNNL_ARG_SCRATCHPAD, scratchpad);
    workspace = scratchpadOffset + scratch.get_size();
  }
};

std::unique_ptr<Prepared> prepare(const ConvolutionShape& s) {
  useThreads();
  const Memory::data_type type = typeOf(s.dtype);
  const Convolution& p = s.params;
  const Memory::desc x(Dims{s.n, s.c, s.h, s.w}, type, Layout::nhwc), y(Dims{s.n, s.o, s.oh, s.ow}, type, Layout::nhwc);
  // OHWI, with the groups as an axis of their own where there are several.
  const bool grouped = p.groups > 1;
  const Dims sizes = grouped ? Dims{p.groups, s.outer, s.inner, s.kh, s.kw} : Dims{s.o, s.c, s.kh, s.kw};
  const int64_t row = s.kw * s.inner, filter = s.kh * row;
  const Dims strides = grouped ? Dims{s.outer * filter, filter, 1, row, s.inner} : Dims{filter, 1, row, s.inner};
  const Memory::desc plain(sizes, type, strides), any(sizes, type, Layout::any);
  const Memory::desc bias = s.hasBias() ? Memory::desc(Dims{s.o}, type, Layout::x) : Memory::desc();
  const Dims stride{p.stride[0], p.stride[1]}, dilation{p.dilation[0] - 1, p.dilation[1] - 1};
  // oneDNN's own formula for the output's size has no remainder: what the last window doesn't reach is cut off.
  auto reached = [](int64_t places, int64_t step, int64_t kernel, int64_t spread, int64_t size, int64_t low) {
    return (places - 1) * step + (kernel - 1) * spread + 1 - size - low;
  };
  const Dims low{p.low[0], p.low[1]};
  const Dims high{reached(s.oh, p.stride[0], s.kh, p.dilation[0], s.h, p.low[0]),
                  reached(s.ow, p.stride[1], s.kw, p.dilation[1], s.w, p.low[1])};
  const auto direct = dnnl::algorithm::convolution_direct;
  auto made = std::make_unique<OneDnnConvolution>();

  // The bias is the convolution's own; the rest of the epilogue follows it.
  const Epilogue& epilogue = p.epilogue;
  dnnl::primitive_attr forwardAttributes = attributes();
  dnnl::post_ops ops;
  if (epilogue.residual) ops.append_binary(dnnl::algorithm::binary_add, y);
  if (epilogue.activation == Activation::relu) append(ops, dnnl::algorithm::eltwise_relu);
  if (epilogue.activation == Activation::gelu) append(ops, dnnl::algorithm::eltwise_gelu_erf);
  forwardAttributes.set_post_ops(ops);
  auto forward = describe<dnnl::convolution_forward>(
      forwardAttributes,
      s.kernel == Kernel::convolution ? dnnl::prop_kind::forward_inference : dnnl::prop_kind::forward_training, direct,
      x, any, bias, y, stride, dilation, low, high);
  if (s.kernel == Kernel::convolution) {
    while (!usable(forward))
      if (!forward.get(true) || !forward.next_impl()) return nullptr;
    made->bind(0, DNNL_ARG_SRC, x);
    made->bindWeights(1, DNNL_ARG_WEIGHTS, plain, forward.weights_desc());
    if (s.hasBias()) made->bind(2, DNNL_ARG_BIAS, bias);
    if (epilogue.residual) {
      made->bind(epilogue.outputAt() - 1, DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, y);
    }
    made->bind(epilogue.outputAt(), DNNL_ARG_DST, y);
    made->primitive = dnnl::convolution_forward(forward);
    made->finish(forward.scratchpad_desc());
  } else if (!forward.get(true)) {
    return nullptr;  // the gradients need its description as a hint, whatever implements it
  } else if (s.kernel == Kernel::convolutionData) {
    auto data = describeBackward<dnnl::convolution_backward_data>(attributes(), forward, direct, x, any, y, stride,
                                                                  dilation, low, high);
    while (!usable(data))
      if (!data.get(true) || !data.next_impl()) return nullptr;
    made->bind(0, DNNL_ARG_DIFF_DST, y);
    made->bindWeights(1, DNNL_ARG_WEIGHTS, plain, data.weights_desc());
    made->bind(2, DNNL_ARG_DIFF_SRC, x);
    made->primitive = dnnl::convolution_backward_data(data);
    made->finish(data.scratchpad_desc());
  } else {
    made->gradient = true;
    auto weights = describeBackward<dnnl::convolution_backward_weights>(attributes(), forward, direct, x, any, bias, y,
                                                                        stride, dilation, low, high);
    while (!usable(weights))
      if (!weights.get(true) || !weights.next_impl()) return nullptr;
    made->bind(0, DNNL_ARG_DIFF_DST, y);
    made->bind(1, DNNL_ARG_SRC, x);
    made->bindWeights(2, DNNL_ARG_DIFF_WEIGHTS, plain, weights.diff_weights_desc());
    if (s.hasBias()) made->bind(3, DNNL_ARG_DIFF_BIAS, bias);
    made->primitive = dnnl::convolution_backward_weights(weights);
    made->finish(weights.scratchpad_desc());
  }
  made->cost = 5000 + s.products() * 0.02;
  made->threadBound = true;
  return made;
}

}  // namespace

std::unique_ptr<Prepared> convolutionByOneDnn(const ConvolutionShape& s) {
  if (s.dtype == DType::float16 || s.products() == 0) return nullptr;
  try {
    return prepare(s);
  } catch (const dnnl::error&) {
    return nullptr;
  }
}

}  // namespace needletail
