// What the expressions of elementwise.def may use, over tensors: arithmetic that broadcasts and records itself.
// A number takes the dtype of its partner.
#pragma once
#include "ops/elementwise_rows.h"
#include "ops/functions.h"

namespace needletail {

Tensor applyRow(Row row, const Tensor& a, double p = 0, double q = 0);
Tensor applyRow(Row row, const Tensor& a, const Tensor& b);
// The gradient of a row that is known by its result (ReLU), for epilogues.
Tensor applyRowGradient(Row row, const Tensor& y, const Tensor& g, bool graph);
inline Tensor like(const Tensor& t, double number) { return Tensor::immediate(number, t.dtype()); }

#define UNARY(name, dtypes, value, derivative, doc) \
  inline Tensor name(const Tensor& x, double p = 0, double q = 0) { return applyRow(Row::name, x, p, q); }
#define BINARY(name, dtypes, value, derivativeA, derivativeB, doc)                             \
  inline Tensor name(const Tensor& a, const Tensor& b) { return applyRow(Row::name, a, b); }   \
  inline Tensor name(const Tensor& a, double b) { return applyRow(Row::name, a, like(a, b)); } \
  inline Tensor name(double a, const Tensor& b) { return applyRow(Row::name, like(b, a), b); }
#define TEST(name, dtypes, value, doc) \
  inline Tensor name(const Tensor& x) { return applyRow(Row::name, x); }
#define COMPARE(name, dtypes, value, doc) BINARY(name, dtypes, value, , , doc)
namespace rows {
#include "elementwise.def"
}
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
using rows::abs, rows::sign, rows::square, rows::sqrt, rows::rsqrt, rows::exp, rows::log, rows::sin, rows::cos,
    rows::tanh, rows::erf, rows::sigmoid, rows::pow, rows::maximum, rows::minimum, rows::floorDiv, rows::equal,
    rows::relu;

#define NT_OPERATOR(symbol, row)                                                              \
  inline Tensor operator symbol(const Tensor& a, const Tensor& b) { return rows::row(a, b); } \
  inline Tensor operator symbol(const Tensor& a, double b) { return rows::row(a, b); }        \
  inline Tensor operator symbol(double a, const Tensor& b) { return rows::row(a, b); }
NT_OPERATOR(+, add)
NT_OPERATOR(-, sub)
NT_OPERATOR(*, mul)
NT_OPERATOR(/, div)
NT_OPERATOR(==, equal)
NT_OPERATOR(!=, notEqual)
NT_OPERATOR(<, less)
NT_OPERATOR(<=, lessEqual)
NT_OPERATOR(>, greater)
NT_OPERATOR(>=, greaterEqual)
#undef NT_OPERATOR
inline Tensor operator-(const Tensor& x) { return rows::neg(x); }
inline Tensor select(const Tensor& c, const Tensor& a, const Tensor& b) { return where(c, a, b); }
inline Tensor select(const Tensor& c, const Tensor& a, double b) { return where(c, a, like(a, b)); }
inline Tensor select(const Tensor& c, double a, const Tensor& b) { return where(c, like(b, a), b); }

}  // namespace needletail
