#include "cpu/isa/softmax.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "ops/elementwise_functions.h"

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are passed to inlined functions only

namespace needletail::NT_ISA {

namespace {

constexpr int64_t kLanes = kSoftmaxLanes;
// The compiler splits these into as many registers as the instruction set needs.
typedef float Vector __attribute__((vector_size(kLanes * 4)));
#define ALWAYS_INLINE inline __attribute__((always_inline))

ALWAYS_INLINE Vector splat(float v) { return v - Vector{}; }
ALWAYS_INLINE Vector load(const float* x) {
  Vector v;
  std::memcpy(&v, x, sizeof v);
  return v;
}
ALWAYS_INLINE void store(float* y, const Vector& v) { std::memcpy(y, &v, sizeof v); }
// The first n lanes; the others are `fill`.
ALWAYS_INLINE Vector load(const float* x, int64_t n, float fill) {
  if (n >= kLanes) return load(x);
  float lanes[kLanes];
  for (int64_t i = 0; i < kLanes; i++) lanes[i] = i < n ? x[i] : fill;
  return load(lanes);
}
ALWAYS_INLINE void store(float* y, int64_t n, const Vector& v) {
  if (n >= kLanes) return store(y, v);
  float lanes[kLanes];
  store(lanes, v);
  for (int64_t i = 0; i < n; i++) y[i] = lanes[i];
}
ALWAYS_INLINE Vector larger(const Vector& a, const Vector& b) { return a > b ? a : b; }

ALWAYS_INLINE float sum(const Vector& v) {
  float lanes[kLanes], s = 0;
  store(lanes, v);
  for (float lane : lanes) s += lane;
  return s;
}
ALWAYS_INLINE float largest(const Vector& v) {
  float lanes[kLanes];
  store(lanes, v);
  float m = lanes[0];
  for (float lane : lanes) m = lane > m ? lane : m;
  return m;
}
ALWAYS_INLINE Vector logarithm(const Vector& v) {
  float lanes[kLanes];
  store(lanes, v);
  for (float& lane : lanes) lane = std::log(lane);
  return load(lanes);
}

constexpr float kNothing = -std::numeric_limits<float>::infinity();

ALWAYS_INLINE float rowLargest(int64_t n, const float* x) {
  Vector m = splat(kNothing);
  for (int64_t i = 0; i < n; i += kLanes) m = larger(load(x + i, n - i, kNothing), m);
  return largest(m);
}

// The largest number of a row, and the sum of exp(x - largest).
struct RowSum {
  float largest, sum;
};
ALWAYS_INLINE RowSum rowSum(int64_t n, const float* x) {
  const float top = rowLargest(n, x);
  Vector s{};
  for (int64_t i = 0; i < n; i += kLanes) s += exponential(load(x + i, n - i, kNothing) - top);
  // A row of infinities: the padding must not hide that there is no answer.
  return {top, std::isinf(top) ? std::numeric_limits<float>::quiet_NaN() : sum(s)};
}

// The sum of term(0) to term(n - 1), in blocks, so that rounding errors do not pile up.
template <class Term>
ALWAYS_INLINE Vector columnSum(int64_t n, Term term) {
  constexpr int64_t block = 64;
  Vector sum{};
  for (int64_t first = 0; first < n; first += block) {
    const int64_t end = first + block < n ? first + block : n;
    Vector part{};
    for (int64_t i = first; i < end; i++) part += term(i);
    sum += part;
  }
  return sum;
}

// With log p = x - top - log(sum): -(1 - s) w[label] log p[label] - s / classes * sum of w[c] log p[c], as in PyTorch.
float lossOf(const CrossEntropyRow& row, const RowSum& r, const float* logits) {
  const float rest = std::log(r.sum);
  const float weight = row.weights ? row.weights[row.label] : 1.0f;
  float value = (1 - row.smoothing) * weight * (rest - (logits[row.label] - r.largest));
  if (row.smoothing != 0) {
    float all = 0;
    for (int64_t c = 0; c < row.classes; c++)
      all += (row.weights ? row.weights[c] : 1.0f) * (rest - (logits[c] - r.largest));
    value += row.smoothing / static_cast<float>(row.classes) * all;
  }
  return value;
}

}  // namespace

void softmaxRow(bool log, int64_t n, const float* x, float* y) {
  const RowSum row = rowSum(n, x);
  if (log) {
    const float rest = std::log(row.sum);
    for (int64_t i = 0; i < n; i += kLanes) store(y + i, n - i, load(x + i, n - i, 0) - row.largest - rest);
  } else {
    const float scale = 1 / row.sum;
    for (int64_t i = 0; i < n; i += kLanes)
      store(y + i, n - i, exponential(load(x + i, n - i, 0) - row.largest) * scale);
  }
}

// softmax: dx = y (g - sum(g y)); log: dx = g - exp(y) sum(g).
void softmaxGradientRow(bool log, int64_t n, const float* gradient, const float* y, float* dx) {
  Vector s{};
  for (int64_t i = 0; i < n; i += kLanes) {
    const Vector g = load(gradient + i, n - i, 0);
    s += log ? g : g * load(y + i, n - i, 0);
  }
  const float total = sum(s);
  for (int64_t i = 0; i < n; i += kLanes) {
    const Vector g = load(gradient + i, n - i, 0), v = load(y + i, n - i, 0);
    store(dx + i, n - i, log ? g - exponential(v) * total : v * (g - total));
  }
}

void softmaxColumns(bool log, int64_t n, int64_t width, float* x) {
  for (int64_t c = 0; c < width; c += kLanes) {
    float* const column = x + c;
    Vector top = splat(kNothing);
    for (int64_t i = 0; i < n; i++) top = larger(load(column + i * width), top);
    const Vector s = columnSum(
        n, [&](int64_t i) __attribute__((always_inline)) { return exponential(load(column + i * width) - top); });
    const Vector rest = log ? logarithm(s) : 1.0f / s;
    for (int64_t i = 0; i < n; i++) {
      float* const at = column + i * width;
      const Vector v = load(at) - top;
      store(at, log ? v - rest : exponential(v) * rest);
    }
  }
}

void softmaxGradientColumns(bool log, int64_t n, int64_t width, float* gradient, const float* y) {
  for (int64_t c = 0; c < width; c += kLanes) {
    const Vector total = columnSum(n, [&](int64_t i) __attribute__((always_inline)) {
      const Vector g = load(gradient + i * width + c);
      return log ? g : g * load(y + i * width + c);
    });
    for (int64_t i = 0; i < n; i++) {
      const int64_t at = i * width + c;
      const Vector g = load(gradient + at), v = load(y + at);
      store(gradient + at, log ? g - exponential(v) * total : v * (g - total));
    }
  }
}

void crossEntropyRow(const CrossEntropyRow& row, const float* logits, float* loss) {
  *loss = lossOf(row, rowSum(row.classes, logits), logits);
}

// g (p[j] sum(t) - t[j]) with t[j] = (1 - s) w[j] [j = label] + s / classes * w[j].
void crossEntropyGradientRow(const CrossEntropyRow& row, float gradient, const float* logits, float* out, float* loss) {
  const RowSum r = rowSum(row.classes, logits);
  if (loss) *loss = lossOf(row, r, logits);
  const float weight = row.weights ? row.weights[row.label] : 1.0f;
  const float hit = (1 - row.smoothing) * weight, each = row.smoothing / static_cast<float>(row.classes);
  const float scale = gradient * (hit + each * row.weightSum) / r.sum;
  for (int64_t i = 0; i < row.classes; i += kLanes) {
    const int64_t n = row.classes - i;
    Vector v = exponential(load(logits + i, n, 0) - r.largest) * scale;
    if (row.smoothing != 0) v -= (row.weights ? load(row.weights + i, n, 0) : splat(1)) * (each * gradient);
    store(out + i, n, v);
  }
  out[row.label] -= gradient * hit;
}

}  // namespace needletail::NT_ISA
