// Matrix products over float32, compiled once for each instruction set.
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

// A matrix as it lies in memory: element (i, j) is at data[i * row + j * column].
struct MatrixView {
  const float* data;
  int64_t row, column;
};

// The right operand of a product is brought into panels of `width` columns: panel p holds, for each of its k rows,
// columns [p * width, (p + 1) * width), with zeros past the last column.
constexpr int kGemmWidth = 32;
inline int64_t gemmPanels(int64_t n) { return (n + kGemmWidth - 1) / kGemmWidth; }

// Packs panels [first, last) of b (k x n) one after the other.
NEEDLETAIL_ISA_FUNCTION(gemmPack, const MatrixView& b, int64_t k, int64_t n, int64_t first, int64_t last, float* to)

// Floats that a part needs to pack for itself.
constexpr int64_t kGemmChunk = 64 << 10;

// c (m x n, row stride ldc) = a (m x k) times b, for some rows and panels. Each element is summed in the order of k,
// whatever the parts. b is packed already, or (packed null) a few panels at a time into `chunk`, which stay in the
// cache.
struct GemmPart {
  MatrixView a, b;
  const float* packed;
  float* chunk;
  int64_t k, n;
  float* c;
  int64_t ldc;
  int64_t firstRow, lastRow, firstPanel, lastPanel;
};
NEEDLETAIL_ISA_FUNCTION(gemmMultiply, const GemmPart& part)

}  // namespace needletail
