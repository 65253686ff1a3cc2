// The innermost loops of matrix products, for the sources of this folder: included inside each instruction set's
// namespace.
#pragma once
#include <cstdint>

#include "cpu/isa/gemm.h"
#include "cpu/isa/vector.h"

namespace needletail::NT_ISA {

namespace {

constexpr int kVectors = kGemmWidth / kLanes;
constexpr int kRows = kLanes == 16 ? 8 : kLanes == 8 ? 2 : 1;  // their sums, and a row of b, fit into the registers

// R rows times one panel. `valid`: columns that exist.
template <int R>
__attribute__((always_inline)) inline void inner(const float* a, int64_t row, int64_t column, const float* panel,
                                                 int64_t k, float* c, int64_t ldc, int valid, bool accumulate) {
  Vector sum[R][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) sum[r][v] = Vector{};
  }
  for (int64_t l = 0; l < k; l++) {
    Vector b[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) b[v] = load(panel + l * kGemmWidth + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      const float x = a[r * row + l * column];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; v++) sum[r][v] += x * b[v];
    }
  }
  for (int r = 0; r < R; r++) {
    float* to = c + r * ldc;
    if (valid == kGemmWidth) {
      for (int v = 0; v < kVectors; v++)
        store(to + v * kLanes, accumulate ? load(to + v * kLanes) + sum[r][v] : sum[r][v]);
    } else {
      float edge[kGemmWidth];
      for (int v = 0; v < kVectors; v++) store(edge + v * kLanes, sum[r][v]);
      for (int j = 0; j < valid; j++) to[j] = accumulate ? to[j] + edge[j] : edge[j];
    }
  }
}

[[maybe_unused]] void rowsTimesPanel(int rows, const float* a, int64_t row, int64_t column, const float* panel,
                                     int64_t k, float* c, int64_t ldc, int valid, bool accumulate) {
  for (; rows >= kRows; rows -= kRows, a += kRows * row, c += kRows * ldc) {
    if (column == 1)
      inner<kRows>(a, row, 1, panel, k, c, ldc, valid, accumulate);
    else if (row == 1)
      inner<kRows>(a, 1, column, panel, k, c, ldc, valid, accumulate);
    else
      inner<kRows>(a, row, column, panel, k, c, ldc, valid, accumulate);
  }
  if constexpr (kRows > 4) {
    if (rows >= 4) {
      inner<4>(a, row, column, panel, k, c, ldc, valid, accumulate);
      rows -= 4, a += 4 * row, c += 4 * ldc;
    }
  }
  if constexpr (kRows > 2) {
    if (rows >= 2) {
      inner<2>(a, row, column, panel, k, c, ldc, valid, accumulate);
      rows -= 2, a += 2 * row, c += 2 * ldc;
    }
  }
  if (rows >= 1) inner<1>(a, row, column, panel, k, c, ldc, valid, accumulate);
}

}  // namespace
}  // namespace needletail::NT_ISA
