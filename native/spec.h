// What is known of a tensor without its values: dtype and shape; and the parameters of a call.
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>

#include "small_vector.h"

// For the few words that every op looks at on its thread: no call to find them. A library's share of such memory is
// small.
#define NEEDLETAIL_THREAD thread_local __attribute__((tls_model("initial-exec")))

namespace needletail {

enum class DType : uint8_t { float32, bfloat16, float16, int32, int64, uint8, boolean };
constexpr int kDTypes = 7;
constexpr int kMaxRank = 8;

inline const char* name(DType d) {
  constexpr const char* names[kDTypes] = {"float32", "bfloat16", "float16", "int32", "int64", "uint8", "bool"};
  return names[static_cast<int>(d)];
}
inline size_t size(DType d) {
  constexpr size_t sizes[kDTypes] = {4, 2, 2, 4, 8, 1, 1};
  return sizes[static_cast<int>(d)];
}
inline bool isFloat(DType d) { return d <= DType::float16; }
inline bool isInteger(DType d) { return d >= DType::int32 && d <= DType::uint8; }

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    for (int64_t d : dims) push(d);
  }
  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[i]; }
  int64_t& operator[](int i) { return dims_[i]; }
  void push(int64_t d) { dims_[rank_++] = d; }
  // Axis `i` from the end (1: the last), 1 where there is none: how broadcasting sees a shape.
  int64_t fromEnd(int i) const { return i <= rank_ ? dims_[rank_ - i] : 1; }
  int64_t elements() const { return product(0, rank_); }
  int64_t product(int first, int last) const {
    int64_t n = 1;
    for (int i = first; i < last; i++) n *= dims_[i];
    return n;
  }
  bool operator==(const Shape& o) const {
    bool same = rank_ == o.rank_;
    for (int i = 0; same && i < rank_; i++) same = dims_[i] == o.dims_[i];
    return same;
  }
  bool operator!=(const Shape& o) const { return !(*this == o); }
  std::string text() const {
    std::string s = "[";
    for (int i = 0; i < rank_; i++) s += (i ? ", " : "") + std::to_string(dims_[i]);
    return s + "]";
  }

 private:
  int rank_ = 0;
  int64_t dims_[kMaxRank] = {};  // copied whole: shorter than the call that would copy a part
};

struct Spec {
  DType dtype = DType::float32;
  Shape shape;
  int64_t elements() const { return shape.elements(); }
  size_t bytes() const { return static_cast<size_t>(elements()) * size(dtype); }
  bool operator==(const Spec& o) const { return dtype == o.dtype && shape == o.shape; }
  // "float32 [2, 3]"
  std::string text() const { return std::string(name(dtype)) + " " + shape.text(); }
};
using Specs = SmallVector<Spec, 4>;

// The parameters of an op or of a kernel call: a short list of numbers, so that every call can be hashed, compared,
// printed and sent from JavaScript alike. Integers are exact up to 2^53.
class Params {
 public:
  static constexpr int kMax = 128;  // as many as an ElementwiseParts has at most
  Params() {}  // not defaulted: `{}` would clear the values
  Params(const Params& other) : count_(other.count_) { std::memcpy(values_, other.values_, sizeof(double) * count_); }
  Params& operator=(const Params& other) {
    count_ = other.count_;
    std::memcpy(values_, other.values_, sizeof(double) * count_);
    return *this;
  }
  Params(std::initializer_list<double> values) {
    for (double v : values) push(v);
  }
  void push(double v) {
    if (count_ < kMax) values_[count_++] = v;
  }
  int count() const { return count_; }
  double real(int i) const { return i < count_ ? values_[i] : 0; }
  int64_t integer(int i) const { return static_cast<int64_t>(real(i)); }
  bool flag(int i) const { return real(i) != 0; }
  void set(int i, double v) { values_[i] = v; }
  // Bit for bit: NaN is itself, and 0 is not -0.
  bool operator==(const Params& o) const {
    return count_ == o.count_ && std::memcmp(values_, o.values_, sizeof(double) * count_) == 0;
  }
  const double* data() const { return values_; }

 private:
  int count_ = 0;
  double values_[kMax];
};

}  // namespace needletail
