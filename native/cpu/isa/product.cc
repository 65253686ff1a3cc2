#include "cpu/isa/product.h"

#include "cpu/isa/register_tile.h"

namespace needletail::NT_ISA {

namespace {

// The last columns, fewer than a vector: through buffers that are padded with zeros.
void edge(int64_t m, int64_t n, int64_t k, const float* a, int64_t aRow, int64_t aInner, const float* b, int64_t bInner,
          float* c, int64_t cRow, bool accumulate) {
  constexpr int kInner = 64, kBlock = 4 * kTileRows;
  float padded[kInner * kLanes], block[kBlock * kLanes];
  if (k == 0 && !accumulate) {
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++) c[i * cRow + j] = 0;
  }
  for (int64_t l = 0; l < k; l += kInner) {
    const int64_t inner = k - l < kInner ? k - l : kInner;
    for (int64_t q = 0; q < inner; q++) {
      for (int64_t j = 0; j < kLanes; j++) padded[q * kLanes + j] = j < n ? b[(l + q) * bInner + j] : 0;
    }
    for (int64_t i = 0; i < m; i += kBlock) {
      const int64_t rows = m - i < kBlock ? m - i : kBlock;
      const bool add = accumulate || l > 0;
      for (int64_t r = 0; r < rows; r++) {
        for (int64_t j = 0; j < kLanes; j++) block[r * kLanes + j] = add && j < n ? c[(i + r) * cRow + j] : 0;
      }
      const Factor<float> factor{a + i * aRow + l * aInner, aRow, aInner};
      multiplyTiles(rows, kLanes, inner, factor, padded, kLanes, block, kLanes, true);
      for (int64_t r = 0; r < rows; r++) {
        for (int64_t j = 0; j < n; j++) c[(i + r) * cRow + j] = block[r * kLanes + j];
      }
    }
  }
}

}  // namespace

void product(int64_t m, int64_t n, int64_t k, const float* a, int64_t aRow, int64_t aInner, const float* b,
             int64_t bInner, float* c, int64_t cRow, bool accumulate) {
  const int64_t whole = n / kLanes * kLanes;
  multiplyTiles(m, whole, k, Factor<float>{a, aRow, aInner}, b, bInner, c, cRow, accumulate);
  if (whole < n) edge(m, n - whole, k, a, aRow, aInner, b + whole, bInner, c + whole, cRow, accumulate);
}

}  // namespace needletail::NT_ISA
