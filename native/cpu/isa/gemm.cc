#include "cpu/isa/gemm.h"

#include <algorithm>

namespace needletail::NT_ISA {

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kRows = 8;  // 16 of 32 registers hold sums
#elif defined(__AVX__)
constexpr int kLanes = 8, kRows = 2;
#else
constexpr int kLanes = 4, kRows = 1;
#endif
constexpr int kVectors = kGemmWidth / kLanes;
constexpr int64_t kDepth = 512;         // rows of a panel that are worked off at a time: they stay in the second cache
constexpr int64_t kStripRows = 32;      // rows of a that are brought together where they lie apart

using Vector = float __attribute__((vector_size(kLanes * 4)));
using Unaligned = float __attribute__((vector_size(kLanes * 4), aligned(4)));
inline Vector load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
inline void store(float* p, Vector v) { *reinterpret_cast<Unaligned*>(p) = v; }

// R rows times one panel. `valid`: columns that exist.
template <int R>
__attribute__((always_inline)) inline void inner(const float* a, int64_t row, int64_t column, const float* panel, int64_t k, float* c,
                                                 int64_t ldc, int valid, bool accumulate) {
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
      for (int v = 0; v < kVectors; v++) store(to + v * kLanes, accumulate ? load(to + v * kLanes) + sum[r][v] : sum[r][v]);
    } else {
      float edge[kGemmWidth];
      for (int v = 0; v < kVectors; v++) store(edge + v * kLanes, sum[r][v]);
      for (int j = 0; j < valid; j++) to[j] = accumulate ? to[j] + edge[j] : edge[j];
    }
  }
}

void rowsTimesPanel(int rows, const float* a, int64_t row, int64_t column, const float* panel, int64_t k, float* c, int64_t ldc,
                    int valid, bool accumulate) {
  for (; rows >= kRows; rows -= kRows, a += kRows * row, c += kRows * ldc) {
    if (column == 1) inner<kRows>(a, row, 1, panel, k, c, ldc, valid, accumulate);
    else if (row == 1) inner<kRows>(a, 1, column, panel, k, c, ldc, valid, accumulate);
    else inner<kRows>(a, row, column, panel, k, c, ldc, valid, accumulate);
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

void gemmPack(const MatrixView& b, int64_t k, int64_t n, int64_t first, int64_t last, float* to) {
  for (int64_t p = first; p < last; p++) {
    const int64_t column = p * kGemmWidth;
    const int width = static_cast<int>(std::min<int64_t>(kGemmWidth, n - column));
    const float* from = b.data + column * b.column;
    float* panel = to + (p - first) * k * kGemmWidth;
    if (b.column == 1) {
      for (int64_t l = 0; l < k; l++) {
        for (int j = 0; j < width; j++) panel[l * kGemmWidth + j] = from[l * b.row + j];
        for (int j = width; j < kGemmWidth; j++) panel[l * kGemmWidth + j] = 0;
      }
    } else {
      // A transposed operand: its columns are contiguous; blocks of rows keep what is written in the first cache.
      constexpr int64_t kBlock = 16;
      for (int64_t start = 0; start < k; start += kBlock) {
        const int64_t end = std::min(k, start + kBlock);
        for (int j = 0; j < kGemmWidth; j++) {
          for (int64_t l = start; l < end; l++) panel[l * kGemmWidth + j] = j < width ? from[j * b.column + l * b.row] : 0;
        }
      }
    }
  }
}

void gemmMultiply(const GemmPart& part) {
  const MatrixView& a = part.a;
  // Rows whose elements lie a long way apart are gathered once for all panels.
  const bool gather = a.column != 1 && part.k > 16;
  alignas(64) float strip[kStripRows * kDepth];
  for (int64_t start = 0; start == 0 || start < part.k; start += kDepth) {
    const int64_t depth = std::min(kDepth, part.k - start);
    const int64_t chunk = kGemmChunk / (std::max<int64_t>(depth, 1) * kGemmWidth);  // panels that stay in the second cache
    for (int64_t firstPanel = part.firstPanel; firstPanel < part.lastPanel; firstPanel += chunk) {
      const int64_t lastPanel = std::min(part.lastPanel, firstPanel + chunk);
      const float* packed = part.packed + (firstPanel * part.k + start) * kGemmWidth;
      int64_t panelStep = part.k * kGemmWidth;
      if (!part.packed) {
        const MatrixView b{part.b.data + start * part.b.row, part.b.row, part.b.column};
        gemmPack(b, depth, part.n, firstPanel, lastPanel, part.chunk);
        packed = part.chunk, panelStep = depth * kGemmWidth;
      }
      for (int64_t i = part.firstRow; i < part.lastRow; i += kStripRows) {
        const int rows = static_cast<int>(std::min(kStripRows, part.lastRow - i));
        const float* from = a.data + i * a.row + start * a.column;
        int64_t row = a.row, column = a.column;
        if (gather) {
          for (int64_t l = 0; l < depth; l++) {
            for (int r = 0; r < rows; r++) strip[l * kStripRows + r] = from[r * a.row + l * a.column];
          }
          from = strip, row = 1, column = kStripRows;
        }
        // A few rows stay in the first cache while the panels pass by.
        for (int first = 0; first < rows; first += kRows) {
          for (int64_t p = firstPanel; p < lastPanel; p++) {
            const int valid = static_cast<int>(std::min<int64_t>(kGemmWidth, part.n - p * kGemmWidth));
            rowsTimesPanel(std::min(kRows, rows - first), from + first * row, row, column,
                           packed + (p - firstPanel) * panelStep, depth,
                           part.c + (i + first) * part.ldc + p * kGemmWidth, part.ldc, valid, start > 0);
          }
        }
      }
    }
  }
}

}  // namespace needletail::NT_ISA
