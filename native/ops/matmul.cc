// matmul: batched, with transposes, and an epilogue (bias, ReLU).
#include "ops/elementwise_tensor.h"
#include "ops/ops.h"

namespace needletail {

namespace {

// Parameters as the op takes them: transposeA, transposeB, activation. in: a, b, (bias).
Matmul parameters(const Arguments& args) {
  Matmul m;
  m.transposeA = args.params.flag(0);
  m.transposeB = args.params.flag(1);
  m.epilogue.bias = args.has(2);
  m.epilogue.activation = args.params.flag(2) ? Activation::relu : Activation::none;
  m.tf32 = compute() == Compute::tf32;
  return m;
}

Specs infer(const Arguments& args) {
  if (args.in.size() < 2 || args.in.size() > 3 || !args.has(0) || !args.has(1)) {
    args.fail("two tensors and perhaps a bias", std::to_string(args.in.size()) + " arguments");
  }
  const Shape &a = args.spec(0).shape, &b = args.spec(1).shape;
  const std::string both = a.text() + " and " + b.text();
  if (a.rank() < 2 || b.rank() < 2)
    args.fail("tensors of rank 2 or more", both, "Reshape a vector to [1, n] or [n, 1].");
  const DType dtype = args.spec(0).dtype;
  if (dtype != args.spec(1).dtype) {
    args.fail("tensors of one dtype", std::string(name(dtype)) + " and " + name(args.spec(1).dtype), "Use astype.");
  }
  if (!isFloat(dtype)) args.fail("float32, bfloat16 or float16", name(dtype), "Use astype('float32').");
  const Matmul m = parameters(args);
  const int64_t rows = a.fromEnd(m.transposeA ? 1 : 2), inner = a.fromEnd(m.transposeA ? 2 : 1);
  const int64_t innerB = b.fromEnd(m.transposeB ? 1 : 2), columns = b.fromEnd(m.transposeB ? 2 : 1);
  if (inner != innerB) {
    args.fail("inner sizes that agree ([..., m, k] and [..., k, n])", both,
              "k is " + std::to_string(inner) + " on the left and " + std::to_string(innerB) +
                  " on the right; see transposeA and transposeB.");
  }
  Shape out;
  for (int i = std::max(a.rank(), b.rank()); i > 2; i--) {
    const int64_t x = i <= a.rank() ? a[a.rank() - i] : 1, y = i <= b.rank() ? b[b.rank() - i] : 1;
    if (x != y && x != 1 && y != 1) args.fail("batch sizes that broadcast", both);
    out.push(x == 1 ? y : x);
  }
  out.push(rows);
  out.push(columns);
  if (args.has(2)) {
    const Spec& bias = args.spec(2);
    if (bias.dtype != dtype || bias.shape != Shape{columns}) {
      args.fail("a bias of " + std::string(name(dtype)) + " [" + std::to_string(columns) + "]", bias.text());
    }
  }
  return {{dtype, out}};
}

void forward(const Arguments& args, Tensors& out) { issue(Kernel::matmul, write(parameters(args)), args.in, out); }

Tensors backward(const History& h, const Tensors& gradients) {
  const bool tA = h.params.flag(0), tB = h.params.flag(1);
  Tensor g = gradients[0];
  if (h.params.flag(2)) g = applyRowGradient(Row::relu, h.out[0], g, h.graph);
  const Tensor &a = h.in[0], &b = h.in[1];
  Tensors result(h.wanted.size(), Tensor());
  // y = A B, A = a or its transpose: dA = g B^T, dB = A^T g; each written so that no operand is copied to be
  // transposed.
  if (h.wanted[0]) result[0] = sumTo(tA ? matmul(b, g, tB, true) : matmul(g, b, false, !tB), h.inSpecs[0].shape);
  if (h.wanted[1]) result[1] = sumTo(tB ? matmul(g, a, true, tA) : matmul(a, g, !tA, false), h.inSpecs[1].shape);
  if (h.wanted.size() > 2 && h.wanted[2]) result[2] = sumTo(g, h.inSpecs[2].shape);
  return result;
}

}  // namespace

const Op matmulOp = {.name = "matmul",
                     .infer = infer,
                     .forward = forward,
                     .backward = backward,
                     .saveInputs = save(0, 1),
                     .saveOutputs = save(0),
                     .casts = Casts::half};

Tensor matmul(const Tensor& a, const Tensor& b, bool transposeA, bool transposeB) {
  return apply1(matmulOp, {a, b}, {static_cast<double>(transposeA), static_cast<double>(transposeB), 0});
}

}  // namespace needletail
