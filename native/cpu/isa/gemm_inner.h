// The innermost loops of matrix products, for the sources of this folder: included inside each instruction set's
// namespace. They are the same over floats and over pairs of bfloat16: what fills one lane is called a unit.
#pragma once
#include <bit>
#include <cstdint>

#include "cpu/isa/gemm.h"
#include "cpu/isa/vector.h"

namespace needletail::NT_ISA {

namespace {

constexpr int kVectors = kGemmWidth / kLanes;
constexpr int kRows = kLanes == 16 ? 8 : kLanes == 8 ? 2 : 1;  // their sums, and a row of b, fit into the registers

NT_ALWAYS Vector loadUnits(const float* p) { return load(p); }
NT_ALWAYS Pairs loadUnits(const Pair* p) { return *reinterpret_cast<const Pairs*>(p); }
NT_ALWAYS Vector multiplyAdd(Vector sum, Vector a, Vector b) { return sum + a * b; }
NT_ALWAYS Vector multiplyAdd(Vector sum, Pairs a, Pairs b) { return addProducts(sum, a, b); }
NT_ALWAYS Vector broadcast(float x) { return splat(x); }
NT_ALWAYS Pairs broadcast(Pair x) { return splat(std::bit_cast<uint32_t>(x)); }

// R rows times one panel. k: units. `valid`: columns that exist.
template <int R, class Unit>
__attribute__((always_inline)) inline void inner(const Unit* a, int64_t row, int64_t column, const Unit* panel,
                                                 int64_t k, float* c, int64_t ldc, int valid, bool accumulate) {
  Vector sum[R][kVectors];
  NT_UNROLL for (int r = 0; r < R; r++) NT_UNROLL for (int v = 0; v < kVectors; v++) sum[r][v] = Vector{};
  for (int64_t l = 0; l < k; l++) {
    decltype(loadUnits(panel)) b[kVectors];
    NT_UNROLL for (int v = 0; v < kVectors; v++) b[v] = loadUnits(panel + l * kGemmWidth + v * kLanes);
    NT_UNROLL for (int r = 0; r < R; r++) {
      const auto x = broadcast(a[r * row + l * column]);
      NT_UNROLL for (int v = 0; v < kVectors; v++) sum[r][v] = multiplyAdd(sum[r][v], x, b[v]);
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

template <class Unit>
[[maybe_unused]] void rowsTimesPanel(int rows, const Unit* a, int64_t row, int64_t column, const Unit* panel, int64_t k,
                                     float* c, int64_t ldc, int valid, bool accumulate) {
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
