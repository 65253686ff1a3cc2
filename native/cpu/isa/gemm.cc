#include "cpu/isa/gemm.h"

#include <algorithm>

#include "cpu/isa/gemm_inner.h"

namespace needletail::NT_ISA {

namespace {

constexpr int64_t kDepth = 512;  // rows of a panel that are worked off at a time: they stay in the second cache
constexpr int64_t kStripRows = 32;  // rows of a that are brought together where they lie apart

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
          for (int64_t l = start; l < end; l++)
            panel[l * kGemmWidth + j] = j < width ? from[j * b.column + l * b.row] : 0;
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
    const int64_t chunk =
        kGemmChunk / (std::max<int64_t>(depth, 1) * kGemmWidth);  // panels that stay in the second cache
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
