// Matrix products over float32 and bfloat16 with sums in float32, compiled once for each instruction set.
#pragma once
#include <algorithm>
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

// Two bfloat16 that follow each other along k.
struct Pair {
  uint16_t first, second;
};

// A matrix of floats, or of bfloat16, as it lies in memory: element (i, j) is at data[i * row + j * column]. One of the
// two strides is 1.
struct MatrixView {
  const void* data;
  int64_t row, column;
};

// The right operand of a product is brought into panels of `width` columns: panel p holds, for each of its k rows (of
// bfloat16: for each two of them, as pairs), columns [p * width, (p + 1) * width), with zeros past the last column.
constexpr int kGemmWidth = 32;
inline int64_t gemmPanels(int64_t n) { return (n + kGemmWidth - 1) / kGemmWidth; }
// Rows of a panel; each of its places has four bytes, called a unit.
inline int64_t gemmUnits(bool bfloat16, int64_t k) { return bfloat16 ? (k + 1) / 2 : k; }

// Packs panels [first, last) of b (k x n) one after the other.
NEEDLETAIL_ISA_FUNCTION(gemmPack, bool bfloat16, const MatrixView& b, int64_t k, int64_t n, int64_t first, int64_t last,
                        void* to)

// Sums that are whole: of rows [row, row + rows) and columns [column, column + columns), the first at sums[0].
struct Tile {
  float* sums;
  int64_t stride, row, rows, column, columns;
};
// What becomes of them; without a function, nothing.
struct TileSink {
  void (*take)(const void* to, const Tile& tile) = nullptr;
  const void* to = nullptr;
};

constexpr int64_t kGemmDepth = 512;  // rows of a panel that are worked off at a time: they stay in the second cache
constexpr int64_t kGemmChunk = 64 << 10;  // units that a part needs to pack for itself
constexpr int64_t kGemmStrip = 32;  // rows of the left operand that stay in the first cache
constexpr int64_t kGemmBlock = 256;  // rows whose sums are finished before the next begin
// Panels whose units, as deep as they are worked off, fill a chunk.
inline int64_t gemmChunkPanels(int64_t units) {
  return kGemmChunk / (std::clamp<int64_t>(units, 1, kGemmDepth) * kGemmWidth);
}
// Rows whose sums a part without a result of floats keeps.
inline int64_t gemmSumRows(int64_t units, int64_t rows, bool packed) {
  return units <= kGemmDepth ? kGemmStrip : packed ? kGemmBlock : rows;
}

// a (m x k) times b, for some rows and panels. Each element is summed in the order of k, whatever the parts. b is
// packed already, or (packed null) a few panels at a time into `chunk`, which stay in the cache.
struct GemmPart {
  bool bfloat16;
  MatrixView a, b;
  const void* packed;
  void* chunk;
  int64_t k, n;
  int64_t firstRow, lastRow, firstPanel, lastPanel;
  // Where the sums go: to c[row * n + column], or (c null) for gemmSumRows rows of gemmChunkPanels into `sums`.
  float *c, *sums;
  TileSink sink;
};
NEEDLETAIL_ISA_FUNCTION(gemmMultiply, const GemmPart& part)

// The product of few rows and of many, both of which lie along k; its element (i, j) is the sum of few[i] * many[j].
// Both are read where they lie, the many once.
constexpr int64_t kGemmFew = 16;  // up to so many is it faster than panels,
constexpr int64_t kGemmLong = 64;  // and for as many units at least
struct GemmDots {
  bool bfloat16;
  const void *few, *many;  // [fewRows, k], [.., k]
  int64_t k, fewRows, first, last;  // of the many
  TileSink sink;
};
NEEDLETAIL_ISA_FUNCTION(gemmDots, const GemmDots& dots)

}  // namespace needletail
