// What convolutions and pools share: reading and checking the parameters of a window that slides over an image.
#pragma once
#include <string>

#include "op.h"

namespace needletail {

constexpr int64_t kMaxWindow = 1 << 30;  // a size, stride, padding or dilation beyond this is a mistake

// Parameter i as a whole number within [low, high]; anything else (a fraction, NaN) is an argument error.
inline int64_t wholeNumber(const Arguments& args, int i, int64_t low, int64_t high, const std::string& what) {
  const double v = args.params.real(i);
  if (i >= args.params.count() || !(v >= static_cast<double>(low) && v <= static_cast<double>(high)) ||
      v != static_cast<double>(static_cast<int64_t>(v))) {
    std::string text = std::to_string(v);
    if (v == static_cast<double>(static_cast<int64_t>(v))) text = std::to_string(static_cast<int64_t>(v));
    args.fail(what + " that is a whole number from " + std::to_string(low), i < args.params.count() ? text : "none");
  }
  return static_cast<int64_t>(v);
}

// Places of a window along an axis: floor((size + low + high - extent) / stride) + 1, with extent = (window - 1) *
// dilation + 1.
inline int64_t windowPlaces(const Arguments& args, const char* axis, int64_t size, int64_t window, int64_t stride,
                            int64_t low, int64_t high, int64_t dilation) {
  const int64_t extent = (window - 1) * dilation + 1, padded = size + low + high;
  if (padded < extent) {
    args.fail(std::string("a window that fits into the padded image along its ") + axis,
              "a window of " + std::to_string(extent) + " on " + std::to_string(padded),
              "Add padding or take a smaller window.");
  }
  return (padded - extent) / stride + 1;
}

inline void requireFloat(const Arguments& args, const Spec& spec) {
  if (!isFloat(spec.dtype)) args.fail("float32, bfloat16 or float16", spec.text(), "Use astype('float32').");
}
inline void requireDType(const Arguments& args, const Spec& first, const Spec& other) {
  if (first.dtype != other.dtype) {
    args.fail("tensors of one dtype", std::string(name(first.dtype)) + " and " + name(other.dtype), "Use astype.");
  }
}
inline void requireCount(const Arguments& args, size_t low, size_t high) {
  bool all = args.in.size() >= low && args.in.size() <= high;
  for (size_t i = 0; all && i < low; i++) all = args.has(static_cast<int>(i));
  if (!all)
    args.fail(low == high ? std::to_string(low) + " tensors"
                          : std::to_string(low) + " to " + std::to_string(high) + " tensors",
              std::to_string(args.in.size()) + " arguments");
}

}  // namespace needletail
