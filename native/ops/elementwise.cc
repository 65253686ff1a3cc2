// The elementwise ops, made from elementwise.def: argument checks, the kernel call, the derivative.
#include "ops/elementwise_tensor.h"

#include <cmath>
#include <string_view>

#include "ops/ops.h"

namespace needletail {

namespace {

enum class Kinds { floats, numbers, any, bools };

struct RowInfo {
  const char* name;
  Row row;
  Kinds kinds;
  int operands;
  bool boolean;  // the result is bool
  const char* derivatives[2];
  bool saves(char variable) const;
};

const RowInfo kRows[] = {
#define UNARY(name, dtypes, value, derivative, doc) {#name, Row::name, Kinds::dtypes, 1, false, {#derivative, ""}},
#define BINARY(name, dtypes, value, derivativeA, derivativeB, doc) \
  {#name, Row::name, Kinds::dtypes, 2, false, {#derivativeA, #derivativeB}},
#define TEST(name, dtypes, value, doc) {#name, Row::name, Kinds::dtypes, 1, true, {"", ""}},
#define COMPARE(name, dtypes, value, doc) {#name, Row::name, Kinds::dtypes, 2, true, {"", ""}},
#include "elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
};
constexpr int kCount = sizeof(kRows) / sizeof(kRows[0]);

const RowInfo& infoOf(const Op& op) { return kRows[&op - &elementwiseOp(0)]; }

// Whether a derivative's text mentions a variable.
bool mentions(std::string_view text, char variable) {
  auto isWord = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == variable && (i == 0 || !isWord(text[i - 1])) && (i + 1 == text.size() || !isWord(text[i + 1])))
      return true;
  }
  return false;
}
bool RowInfo::saves(char variable) const {
  return mentions(derivatives[0], variable) || mentions(derivatives[1], variable);
}

bool accepts(Kinds kinds, DType dtype) {
  switch (kinds) {
    case Kinds::floats: return isFloat(dtype);
    case Kinds::numbers: return dtype != DType::boolean;
    case Kinds::any: return true;
    case Kinds::bools: return dtype == DType::boolean;
  }
  return false;
}
const char* describe(Kinds kinds) {
  switch (kinds) {
    case Kinds::floats: return "float32, bfloat16 or float16";
    case Kinds::numbers: return "a dtype of numbers";
    case Kinds::any: return "any dtype";
    case Kinds::bools: return "bool";
  }
  return "";
}

std::string numberText(double v) {
  char buffer[32];
  snprintf(buffer, sizeof buffer, "%.17g", v);
  return buffer;
}

void checkImmediate(const Arguments& args, double value, DType dtype) {
  if (isFloat(dtype)) return;
  const bool whole = std::floor(value) == value;
  const double low = dtype == DType::int32 ? -2147483648.0 : dtype == DType::int64 ? -9007199254740991.0 : 0;
  const double high = dtype == DType::int32   ? 2147483647.0
                      : dtype == DType::int64 ? 9007199254740991.0
                      : dtype == DType::uint8 ? 255
                                              : 1;
  if (!whole || value < low || value > high) {
    args.fail(std::string("a number that ") + name(dtype) + " can hold", numberText(value),
              "Use astype('float32') first.");
  }
}

// The shape that two broadcast to; sizes are aligned from the last axis.
Shape broadcast(const Arguments& args, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape out;
  for (int i = rank; i > 0; i--) {
    const int64_t x = a.fromEnd(i), y = b.fromEnd(i);
    if (x != y && x != 1 && y != 1) {
      args.fail("shapes that broadcast (from the last axis: equal, or 1)", a.text() + " and " + b.text());
    }
    out.push(x == 1 ? y : x);
  }
  return out;
}

void require(const Arguments& args, int count) {
  if (static_cast<int>(args.in.size()) != count)
    args.fail(std::to_string(count) + " tensors", std::to_string(args.in.size()));
  for (const Tensor& t : args.in) {
    if (!t) args.fail("a tensor", "nothing");
  }
}

Specs infer(const Arguments& args) {
  const RowInfo& info = infoOf(args.op);
  require(args, info.operands);
  Spec out = args.spec(0);
  if (!accepts(info.kinds, out.dtype)) args.fail(describe(info.kinds), out.text(), "Use astype.");
  if (info.operands == 2) {
    if (args.spec(1).dtype != out.dtype) {
      args.fail("tensors of one dtype", std::string(name(out.dtype)) + " and " + name(args.spec(1).dtype),
                "Use astype.");
    }
    out.shape = broadcast(args, args.spec(0).shape, args.spec(1).shape);
  }
  for (const Tensor& t : args.in) {
    if (t.isImmediate()) checkImmediate(args, t.number(), out.dtype);
  }
  if (info.boolean) out.dtype = DType::boolean;
  return {out};
}

// One kernel call: numbers go into the parameters, tensors into the buffers.
void issueRow(Row row, const Tensors& operands, const Params& numbers, const Tensor& out) {
  Elementwise e;
  e.row = static_cast<int>(row);
  e.operands = static_cast<int>(operands.size());
  e.p = numbers.real(0);
  e.q = numbers.real(1);
  Tensors in;
  for (size_t i = 0; i < operands.size(); i++) {
    const Tensor& t = operands[i];
    // A kernel knows its operands' dtype from a buffer, which a comparison's bool result is not: one operand must have
    // one.
    const bool last = i + 1 == operands.size() && in.empty() && t.dtype() != out.dtype();
    if (t.isImmediate() && !last) {
      e.immediates |= 1 << i;
      e.values[i] = t.number();
    } else {
      in.push_back(t.isImmediate() ? full({t.dtype(), {}}, t.number()) : t);
    }
  }
  issue(Kernel::elementwise, write(e), in, {out});
}

void forward(const Arguments& args, Tensors& out) { issueRow(infoOf(args.op).row, args.in, args.params, out[0]); }

// The derivative as one kernel, where no graph of it is asked for.
Tensor fused(const RowInfo& info, int which, const Tensors& variables, const Tensor& g, const Params& params) {
  const std::string_view text = info.derivatives[which];
  if (text == "g") return g;
  Tensors operands;
  const char* names = info.operands == 1 ? "xy" : "aby";
  for (size_t i = 0; i < variables.size(); i++) {
    operands.push_back(variables[i] && mentions(text, names[i]) ? variables[i] : like(g, 0));
  }
  operands.push_back(g);
  Tensor out = empty(g.spec());
  issueRow(static_cast<Row>(static_cast<int>(info.row) + 1 + which), operands, params, out);
  return out;
}

// The graph of each derivative: its expression over tensors.
Tensor graphOf(Row row, int which, const Tensor& a, const Tensor& b, const Tensor& y, const Tensor& g, double p,
               double q) {
  using namespace rows;
  const Tensor& x = a;
  (void)x, (void)b, (void)y, (void)p, (void)q, (void)which;
  switch (row) {
#define UNARY(name, dtypes, value, derivative, doc) \
  case Row::name: return derivative;
#define BINARY(name, dtypes, value, derivativeA, derivativeB, doc) \
  case Row::name:                                                  \
    if (which == 0) return derivativeA;                            \
    return derivativeB;
#define TEST(name, dtypes, value, doc)
#define COMPARE(name, dtypes, value, doc)
#include "elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
    default: return Tensor();
  }
}

Tensors backward(const History& h, const Tensors& gradients) {
  const RowInfo& info = infoOf(h.op);
  const Tensor& g = gradients[0];
  Tensors result;
  for (int i = 0; i < info.operands; i++) {
    if (!h.wanted[i]) {
      result.push_back(Tensor());
      continue;
    }
    Tensor d;
    if (h.graph) {
      d = graphOf(info.row, i, h.in[0], info.operands == 2 ? h.in[1] : Tensor(), h.out[0], g, h.params.real(0),
                  h.params.real(1));
    } else {
      Tensors variables = h.in;
      variables.push_back(h.out[0]);
      d = fused(info, i, variables, g, h.params);
    }
    result.push_back(sumTo(d, h.inSpecs[i].shape));
  }
  return result;
}

Specs inferWhere(const Arguments& args) {
  require(args, 3);
  if (args.spec(0).dtype != DType::boolean)
    args.fail("a bool condition", args.spec(0).text(), "Compare, or use astype('bool').");
  if (args.spec(1).dtype != args.spec(2).dtype) {
    args.fail("values of one dtype", std::string(name(args.spec(1).dtype)) + " and " + name(args.spec(2).dtype),
              "Use astype.");
  }
  for (int i = 1; i < 3; i++) {
    if (args.in[i].isImmediate()) checkImmediate(args, args.in[i].number(), args.spec(i).dtype);
  }
  return {{args.spec(1).dtype,
           broadcast(args, broadcast(args, args.spec(0).shape, args.spec(1).shape), args.spec(2).shape)}};
}

void forwardWhere(const Arguments& args, Tensors& out) { issueRow(Row::where, args.in, {}, out[0]); }

Tensors backwardWhere(const History& h, const Tensors& gradients) {
  const Tensor& g = gradients[0];
  Tensors result(3, Tensor());
  if (h.wanted[1]) result[1] = sumTo(select(h.in[0], g, 0), h.inSpecs[1].shape);
  if (h.wanted[2]) result[2] = sumTo(select(h.in[0], 0, g), h.inSpecs[2].shape);
  return result;
}

// Rows whose results pass the range or the digits of half precision: those that PyTorch's autocast computes in float32.
bool needsFloat32(Row row) {
  switch (row) {
    case Row::exp:
    case Row::expm1:
    case Row::log:
    case Row::log1p:
    case Row::log2:
    case Row::pow:
    case Row::reciprocal:
    case Row::rsqrt:
    case Row::softplus:
    case Row::tan: return true;
    default: return false;
  }
}

Op makeOp(const RowInfo& info) {
  Op op{info.name, infer, forward};
  op.takesImmediates = true;
  if (needsFloat32(info.row)) op.casts = Casts::float32;
  if (info.boolean) return op;
  op.backward = backward;
  if (info.operands == 1) {
    if (info.saves('x')) op.saveInputs = save(0);
  } else {
    if (info.saves('a')) op.saveInputs |= save(0);
    if (info.saves('b')) op.saveInputs |= save(1);
  }
  if (info.saves('y')) op.saveOutputs = save(0);
  return op;
}

const std::vector<Op>& elementwiseTable() {
  static const std::vector<Op> table = [] {
    std::vector<Op> ops;
    for (const RowInfo& info : kRows) ops.push_back(makeOp(info));
    return ops;
  }();
  return table;
}

const Op& opOf(Row row) {
  static const std::vector<const Op*> byRow = [] {
    std::vector<const Op*> table(static_cast<int>(Row::rows), nullptr);
    for (int i = 0; i < kCount; i++) table[static_cast<int>(kRows[i].row)] = &elementwiseTable()[i];
    return table;
  }();
  return *byRow[static_cast<int>(row)];
}

}  // namespace

const Op& elementwiseOp(int index) { return elementwiseTable()[index]; }
int elementwiseOps() { return kCount; }

extern const Op whereOp;
const Op whereOp = {.name = "where",
                    .infer = inferWhere,
                    .forward = forwardWhere,
                    .backward = backwardWhere,
                    .saveInputs = save(0),
                    .takesImmediates = true};

Tensor applyRow(Row row, const Tensor& a, double p, double q) { return apply1(opOf(row), {a}, {p, q}); }
Tensor applyRow(Row row, const Tensor& a, const Tensor& b) { return apply1(opOf(row), {a, b}); }
Tensor applyRowGradient(Row row, const Tensor& y, const Tensor& g, bool graph) {
  if (graph) return graphOf(row, 0, Tensor(), Tensor(), y, g, 0, 0);
  return fused(infoOf(opOf(row)), 0, {Tensor(), y}, g, {});
}
Tensor add(const Tensor& a, const Tensor& b) { return applyRow(Row::add, a, b); }
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) { return apply1(whereOp, {condition, a, b}); }

}  // namespace needletail
