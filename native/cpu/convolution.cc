// Chooses how a convolution is computed.
#include "cpu/convolution.h"

#include <algorithm>
#include <vector>

#include "cpu/dtype.h"
#include "ops/elementwise_rows.h"

namespace needletail {

namespace {

// A library's primitive costs some microseconds to start, and the team of threads more: small work is done in place.
constexpr double kSmallProducts = 5e5;

// Whether the kernel has such an epilogue. A gradient has that of the bias, which comes with the weights', and that of
// a ReLU that made the input.
bool hasEpilogue(const ConvolutionShape& shape) {
  const Epilogue& epilogue = shape.params.epilogue;
  const bool reluGradient = epilogue.activation == Activation::reluGradient;
  if (shape.kernel == Kernel::convolution) return !reluGradient;
  if (epilogue.residual || (epilogue.bias && shape.kernel == Kernel::convolutionData)) return false;
  return epilogue.activation == Activation::none || (reluGradient && shape.kernel != Kernel::convolutionWeights);
}

// Whether every way computes it: one result, not pooled, gradients as they are.
bool isPlain(const ConvolutionShape& shape) {
  if (shape.params.pooled || shape.kernel == Kernel::convolutionGradients) return false;
  return shape.params.epilogue.activation != Activation::reluGradient;
}

// In the dtype that it has; null where no way computes in that.
std::unique_ptr<Prepared> prepareAsItIs(const ConvolutionShape& shape) {
  if (auto prepared = convolutionByDirect(shape)) return prepared;
  const bool isSmall = shape.products() < kSmallProducts;
  if (!isSmall && !shape.params.exact) {
    if (auto prepared = convolutionByWinograd(shape)) return prepared;
  }
  if (!isPlain(shape)) return nullptr;
  if (!isSmall) {
    if (auto prepared = convolutionByProducts(shape)) return prepared;
    if (auto prepared = convolutionByOneDnn(shape)) return prepared;
  }
  return shape.dtype == DType::float32 ? convolutionByLoops(shape) : nullptr;
}

// Half types where the processor doesn't compute with them: in float32, all operands converted before and the results
// after.
struct ConvertedConvolution final : Prepared {
  DType dtype;
  std::unique_ptr<Prepared> inner;
  int inputs;
  std::vector<int64_t> elements;  // of each buffer; 0: it stays as it is
  std::vector<size_t> offsets;  // of its float32 copy in scratch memory, in bytes

  ConvertedConvolution(const Call& call, DType half, std::unique_ptr<Prepared> prepared)
      : dtype(half), inner(std::move(prepared)), inputs(static_cast<int>(call.in.size())) {
    workspace = (inner->workspace + 63) / 64 * 64;
    int64_t total = 0;
    auto place = [&](const Spec& spec) {
      elements.push_back(spec.dtype == dtype ? spec.elements() : 0);
      offsets.push_back(workspace);
      workspace += (elements.back() * sizeof(float) + 63) / 64 * 64;
      total += elements.back();
    };
    for (const Spec& spec : call.in) place(spec);
    for (const Spec& spec : call.out) place(spec);
    cost = inner->cost + static_cast<double>(total) * 0.3;
    threadBound = inner->threadBound || worthParallel(cost);
  }

  void run(Stream& stream, void* const* buffers) override {
    SmallVector<void*, 8> copies;
    for (size_t i = 0; i < elements.size(); i++) {
      copies.push_back(elements[i] == 0 ? buffers[i] : static_cast<char*>(stream.workspace) + offsets[i]);
    }
    for (int i = 0; i < inputs; i++) {
      each(elements[i], [&](int64_t first, int64_t n) {
        halfToFloat(dtype, static_cast<const uint16_t*>(buffers[i]) + first, static_cast<float*>(copies[i]) + first, n);
      });
    }
    inner->run(stream, copies.data());
    for (size_t i = inputs; i < elements.size(); i++) {
      each(elements[i], [&](int64_t first, int64_t n) {
        floatToHalf(dtype, static_cast<const float*>(copies[i]) + first, static_cast<uint16_t*>(buffers[i]) + first, n);
      });
    }
  }
  // Parts of n elements, by the team where there is one.
  template <class F>
  void each(int64_t n, F f) const {
    const int parts = threadBound && worthParallel(static_cast<double>(n) * 0.3) ? threads() : 1;
#pragma omp parallel for schedule(static) num_threads(parts) if (parts > 1)
    for (int part = 0; part < parts; part++) f(n * part / parts, n * (part + 1) / parts - n * part / parts);
  }
};

// The gradient of the input as it is, and then that of the ReLU which made the input, in place.
struct ThenReluGradient final : Prepared {
  std::unique_ptr<Prepared> gradient, relu;
  ThenReluGradient(std::unique_ptr<Prepared> first, const Spec& dx) : gradient(std::move(first)) {
    Elementwise row;
    row.row = static_cast<int>(Row::relu_gradient), row.operands = 3;
    row.immediates = 1;  // x, which this derivative doesn't use
    relu = prepareElementwise({Kernel::elementwise, write(row), {dx, dx}, {dx}});
    workspace = std::max(gradient->workspace, relu->workspace);
    cost = gradient->cost + relu->cost;
    threadBound = gradient->threadBound || relu->threadBound;
  }
  void run(Stream& stream, void* const* buffers) override {
    void *values = buffers[2], *dx = buffers[3];
    void* const plain[] = {buffers[0], buffers[1], dx};
    void* const masked[] = {values, dx, dx};
    gradient->run(stream, plain);
    relu->run(stream, masked);
  }
};

std::unique_ptr<Prepared> prepareInOneWay(const Call& call, const ConvolutionShape& shape) {
  if (auto prepared = prepareAsItIs(shape)) return prepared;
  if (shape.dtype == DType::float32) return nullptr;
  ConvolutionShape wide = shape;
  wide.dtype = DType::float32;
  // Winograd's is left out of what is fused: oneDNN may be who computes the parts, in the half type.
  auto prepared = isPlain(shape) ? prepareAsItIs(wide) : convolutionByDirect(wide);
  return prepared ? std::make_unique<ConvertedConvolution>(call, shape.dtype, std::move(prepared)) : nullptr;
}

std::unique_ptr<Prepared> prepare(const Call& call) {
  const ConvolutionShape shape(call);
  if (!hasEpilogue(shape) || !isFloat(shape.dtype) || shape.isMixed()) return nullptr;
  auto prepared = prepareInOneWay(call, shape);
  auto params = shape.params;
  const bool masked = params.epilogue.activation == Activation::reluGradient && !params.pooled;
  if (prepared || shape.kernel != Kernel::convolutionData || !masked) return prepared;
  params.epilogue.activation = Activation::none;
  prepared = prepare({call.kernel, write(params), {call.in[0], call.in[1]}, call.out});
  return prepared ? std::make_unique<ThenReluGradient>(std::move(prepared), call.out[0]) : nullptr;
}

}  // namespace

std::unique_ptr<Prepared> prepareConvolution(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionData(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionWeights(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareConvolutionGradients(const Call& call) { return prepare(call); }

}  // namespace needletail
