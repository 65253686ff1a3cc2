// The numbers of the elementwise kernels: for each row of elementwise.def its value, then its derivatives.
#pragma once

namespace needletail {

enum class Row : int {
#define UNARY(name, dtypes, value, derivative, doc) name, name##_gradient,
#define BINARY(name, dtypes, value, derivativeA, derivativeB, doc) name, name##_gradientA, name##_gradientB,
#define TEST(name, dtypes, value, doc) name,
#define COMPARE(name, dtypes, value, doc) name,
#include "elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
  where,
  rows,
};

}  // namespace needletail
