#include "cpu/isa/sums.h"

#include <algorithm>

#include "cpu/isa/elementwise.h"
#include "cpu/isa/transpose.h"
#include "ops/elementwise_rows.h"

namespace needletail::NT_ISA {

namespace {

NT_ALWAYS Vector loadFloats(const float* p) { return load(p); }
NT_ALWAYS Vector loadFloats(const uint16_t* p) { return loadBf16(p); }
NT_ALWAYS void storeFloats(float* p, Vector v) { store(p, v); }
NT_ALWAYS void storeFloats(uint16_t* p, Vector v) { storeBf16(p, v); }

// n elements side by side of one row of the result, the first at (row, column).
template <class T>
void finishRow(const SumsToResult& to, const float* sums, int64_t n, int64_t row, int64_t column) {
  const int64_t at = row * to.columns + column;
  auto part = [](const void* data, int64_t first) { return data ? static_cast<const T*>(data) + first : nullptr; };
  const T *bias = part(to.bias, column), *residual = part(to.residual, at), *values = part(to.values, at);
  T* result = static_cast<T*>(to.result) + at;
  const Activation activation = to.activation;

  auto finish = [&](Vector v, auto loadAt) __attribute__((always_inline)) {
    if (bias) v += loadAt(bias);
    if (residual) v += loadAt(residual);
    if (activation == Activation::relu) v = v < 0 ? Vector{} : v;
    if (activation == Activation::reluGradient) v = loadAt(values) > 0 ? v : Vector{};
    if (activation == Activation::gelu) {
      static const RowFunction gelu = elementwiseRow(static_cast<int>(Row::gelu), kFloat);
      const void* in[] = {&v};
      gelu(kLanes, in, &v, 0, 0);
    }
    return v;
  };
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    storeFloats(result + j, finish(load(sums + j), [&](const T* p) { return loadFloats(p + j); }));
  }
  if (j == n) return;
  // The last ones, through vectors of their own.
  T last[kLanes];
  float own[kLanes] = {};
  std::copy_n(sums + j, n - j, own);
  const Vector v = finish(load(own), [&](const T* p) {
    T padded[kLanes] = {};
    std::copy_n(p + j, n - j, padded);
    return loadFloats(padded);
  });
  storeFloats(last, v);
  std::copy_n(last, n - j, result + j);
}

template <class T>
void finish(const SumsToResult& to, const Tile& tile) {
  if (!to.turned) {
    for (int64_t i = 0; i < tile.rows; i++) {
      finishRow<T>(to, tile.sums + i * tile.stride, tile.columns, tile.row + i, tile.column);
    }
    return;
  }
  constexpr int64_t kWidth = kGemmStrip;
  static_assert(kWidth % kLanes == 0);
  float turned[kLanes * kWidth];
  for (int64_t i = 0; i < tile.rows; i += kWidth) {
    const int64_t rows = std::min(kWidth, tile.rows - i);
    for (int64_t j = 0; j < tile.columns; j += kLanes) {
      const int64_t columns = std::min<int64_t>(kLanes, tile.columns - j);
      for (int64_t r = 0; r < rows; r += kLanes) {
        Vector block[kLanes];
        for (int64_t l = 0; l < kLanes; l++) {
          // Past the last row, some row; past the last column, what stands in the stride.
          block[l] = load(tile.sums + std::min(i + r + l, tile.rows - 1) * tile.stride + j);
        }
        transpose(block);
        for (int l = 0; l < kLanes; l++) store(turned + l * kWidth + r, block[l]);
      }
      for (int64_t l = 0; l < columns; l++) {
        finishRow<T>(to, turned + l * kWidth, rows, tile.column + j + l, tile.row + i);
      }
    }
  }
}

}  // namespace

void sumsToResult(const void* to, const Tile& tile) {
  const auto& result = *static_cast<const SumsToResult*>(to);
  if (result.bfloat16)
    finish<uint16_t>(result, tile);
  else
    finish<float>(result, tile);
}

}  // namespace needletail::NT_ISA
