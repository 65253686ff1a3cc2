#include "cpu/isa/product.h"

#include "cpu/isa/vector.h"

namespace needletail::NT_ISA {

namespace {

// Rows and vectors of the tile that is kept in registers: 24 of AVX-512's 32, 12 of the others' 16.
#if defined(__AVX512F__)
constexpr int kRows = 6, kColumns = 4;
#else
constexpr int kRows = 6, kColumns = 2;
#endif

template <int R, int N>
NT_ALWAYS void tile(int64_t k, const float* a, int64_t aRow, int64_t aInner, const float* b, int64_t bInner, float* c,
                    int64_t cRow, bool accumulate) {
  Vector sum[R][N];
  NT_UNROLL for (int r = 0; r < R; r++) NT_UNROLL for (int j = 0; j < N; j++) {
    sum[r][j] = accumulate ? load(c + r * cRow + j * kLanes) : Vector{};
  }
  for (int64_t l = 0; l < k; l++) {
    Vector row[N];
    NT_UNROLL for (int j = 0; j < N; j++) row[j] = load(b + l * bInner + j * kLanes);
    NT_UNROLL for (int r = 0; r < R; r++) {
      const Vector x = splat(a[r * aRow + l * aInner]);
      NT_UNROLL for (int j = 0; j < N; j++) sum[r][j] += x * row[j];
    }
  }
  NT_UNROLL for (int r = 0; r < R; r++) NT_UNROLL for (int j = 0; j < N; j++)
      store(c + r * cRow + j * kLanes, sum[r][j]);
}

// All rows of one panel of N vectors.
template <int N>
void panel(int64_t m, int64_t k, const float* a, int64_t aRow, int64_t aInner, const float* b, int64_t bInner, float* c,
           int64_t cRow, bool accumulate) {
  int64_t i = 0;
  for (; i + kRows <= m; i += kRows)
    tile<kRows, N>(k, a + i * aRow, aRow, aInner, b, bInner, c + i * cRow, cRow, accumulate);
  for (; i + 2 <= m; i += 2) tile<2, N>(k, a + i * aRow, aRow, aInner, b, bInner, c + i * cRow, cRow, accumulate);
  for (; i < m; i++) tile<1, N>(k, a + i * aRow, aRow, aInner, b, bInner, c + i * cRow, cRow, accumulate);
}

// The last columns, fewer than a vector: through buffers that are padded with zeros.
void edge(int64_t m, int64_t n, int64_t k, const float* a, int64_t aRow, int64_t aInner, const float* b, int64_t bInner,
          float* c, int64_t cRow, bool accumulate) {
  constexpr int kInner = 64, kBlock = 4 * kRows;
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
      panel<1>(rows, inner, a + i * aRow + l * aInner, aRow, aInner, padded, kLanes, block, kLanes, true);
      for (int64_t r = 0; r < rows; r++) {
        for (int64_t j = 0; j < n; j++) c[(i + r) * cRow + j] = block[r * kLanes + j];
      }
    }
  }
}

}  // namespace

void product(int64_t m, int64_t n, int64_t k, const float* a, int64_t aRow, int64_t aInner, const float* b,
             int64_t bInner, float* c, int64_t cRow, bool accumulate) {
  constexpr int64_t kWide = kColumns * kLanes;
  int64_t j = 0;
  for (; j + kWide <= n; j += kWide) panel<kColumns>(m, k, a, aRow, aInner, b + j, bInner, c + j, cRow, accumulate);
  for (; j + kLanes <= n; j += kLanes) panel<1>(m, k, a, aRow, aInner, b + j, bInner, c + j, cRow, accumulate);
  if (j < n) edge(m, n - j, k, a, aRow, aInner, b + j, bInner, c + j, cRow, accumulate);
}

}  // namespace needletail::NT_ISA
