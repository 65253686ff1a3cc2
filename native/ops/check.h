// Checks of arguments that ops share. Parameters come from JavaScript as plain numbers: anything may be in them.
#pragma once
#include <cmath>
#include <cstdio>
#include <string>

#include "op.h"

namespace needletail {

// Shapes whose product of sizes (zeros left out) passes this are refused, so that products of sizes never overflow.
constexpr int64_t kMaxElements = int64_t{1} << 46;

inline std::string numberText(double v) {
  char buffer[32];
  snprintf(buffer, sizeof buffer, "%.17g", v);
  return buffer;
}

inline void requireTensors(const Arguments& args, int count) {
  if (static_cast<int>(args.in.size()) != count) {
    args.fail(std::to_string(count) + (count == 1 ? " tensor" : " tensors"), std::to_string(args.in.size()));
  }
  for (const Tensor& t : args.in) {
    if (!t) args.fail("a tensor", "nothing");
  }
}

// Parameter `i`, a whole number in [low, high].
inline int64_t wholeParam(const Arguments& args, int i, const char* what, int64_t low, int64_t high) {
  const double v = args.params.real(i);
  if (!(v >= static_cast<double>(low) && v <= static_cast<double>(high)) || v != std::floor(v)) {
    args.fail(std::string(what) + " in [" + std::to_string(low) + ", " + std::to_string(high) + "]", numberText(v));
  }
  return static_cast<int64_t>(v);
}

// Parameter `i`, an axis of a tensor of rank `rank`; negative: from the end.
inline int axisParam(const Arguments& args, int i, int rank) {
  const double v = args.params.real(i);
  if (!(v >= -rank && v < rank) || v != std::floor(v)) {
    args.fail(rank == 0 ? "no axis (the tensor is a scalar)"
                        : "an axis in [" + std::to_string(-rank) + ", " + std::to_string(rank) + ")",
              numberText(v), args.in.empty() || !args.in[0] ? "" : "The tensor is " + args.spec(0).text() + ".");
  }
  return static_cast<int>(v < 0 ? v + rank : v);
}

inline DType dtypeParam(const Arguments& args, int i) {
  const double v = args.params.real(i);
  if (!(v >= 0 && v < kDTypes) || v != std::floor(v)) args.fail("a dtype", numberText(v));
  return static_cast<DType>(static_cast<int>(v));
}

// The parameters from `first` on as a shape.
inline Shape shapeParam(const Arguments& args, int first) {
  if (args.params.count() - first > kMaxRank) {
    args.fail("a shape of at most 8 axes", std::to_string(args.params.count() - first) + " axes");
  }
  Shape shape;
  int64_t elements = 1;
  for (int i = first; i < args.params.count(); i++) {
    const double d = args.params.real(i);
    if (!(d >= 0 && d <= static_cast<double>(kMaxElements)) || d != std::floor(d)) {
      args.fail("sizes that are whole numbers from 0", numberText(d));
    }
    shape.push(static_cast<int64_t>(d));
    if (d > 0 && (__builtin_mul_overflow(elements, static_cast<int64_t>(d), &elements) || elements > kMaxElements)) {
      args.fail("a shape of at most 2^46 elements", shape.text());
    }
  }
  return shape;
}

// A number that is to be stored as `dtype`.
inline void checkValue(const Arguments& args, double value, DType dtype) {
  if (isFloat(dtype)) return;
  const double low = dtype == DType::int32 ? -2147483648.0 : dtype == DType::int64 ? -9007199254740991.0 : 0;
  const double high = dtype == DType::int32   ? 2147483647.0
                      : dtype == DType::int64 ? 9007199254740991.0
                      : dtype == DType::uint8 ? 255
                                              : 1;
  if (!(value >= low && value <= high) || value != std::floor(value)) {
    args.fail(std::string("a number that ") + name(dtype) + " can hold", numberText(value));
  }
}

}  // namespace needletail
