// Products of small matrices that lie in the first two caches, a tile of sums at a time in the registers. Included
// inside each instruction set's namespace.
#pragma once
#include <algorithm>
#include <cstdint>

#include "cpu/isa/gemm_inner.h"

namespace needletail::NT_ISA {

namespace {

// Where there are 32 registers, 24 hold sums; 12 of 16.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kTileVectors = 4;
#else
constexpr int kTileVectors = 2;
#endif
constexpr int kTileRows = 6;

// A matrix of units: element (i, k) is at data[i * row + k * column].
template <class Unit>
struct Factor {
  const Unit* data;
  int64_t row, column;
};

template <int Rows, int Vectors, class Unit>
NT_ALWAYS void registerTile(int64_t depth, Factor<Unit> a, const Unit* b, int64_t bRow, float* c, int64_t cRow,
                            bool accumulate) {
  Register sum[Rows][Vectors];
  NT_UNROLL for (int r = 0; r < Rows; r++) {
    NT_UNROLL for (int v = 0; v < Vectors; v++) sum[r][v] = accumulate ? load(c + r * cRow + v * kLanes) : Vector{};
  }
  for (int64_t k = 0; k < depth; k++) {
    NT_UNROLL for (int r = 0; r < Rows; r++) {
      const auto factor = broadcast(a.data[r * a.row + k * a.column]);
      NT_UNROLL for (int v = 0; v < Vectors; v++) sum[r][v] =
          multiplyAdd(sum[r][v], factor, loadUnits(b + k * bRow + v * kLanes));
    }
  }
  NT_UNROLL for (int r = 0; r < Rows; r++) {
    NT_UNROLL for (int v = 0; v < Vectors; v++) store(c + r * cRow + v * kLanes, sum[r][v]);
  }
}

// All rows, in tiles as equal as can be.
template <int Vectors, class Unit>
__attribute__((noinline)) void tilesOfRows(int64_t rows, int64_t depth, Factor<Unit> a, const Unit* b, int64_t bRow,
                                           float* c, int64_t cRow, bool accumulate) {
  while (rows > 0) {
    const int64_t tiles = (rows + kTileRows - 1) / kTileRows, tile = (rows + tiles - 1) / tiles;
    switch (tile) {
      case 6: registerTile<6, Vectors>(depth, a, b, bRow, c, cRow, accumulate); break;
      case 5: registerTile<5, Vectors>(depth, a, b, bRow, c, cRow, accumulate); break;
      case 4: registerTile<4, Vectors>(depth, a, b, bRow, c, cRow, accumulate); break;
      case 3: registerTile<3, Vectors>(depth, a, b, bRow, c, cRow, accumulate); break;
      case 2: registerTile<2, Vectors>(depth, a, b, bRow, c, cRow, accumulate); break;
      default: registerTile<1, Vectors>(depth, a, b, bRow, c, cRow, accumulate);
    }
    rows -= tile, a.data += tile * a.row, c += tile * cRow;
  }
}

// c (rows x columns) = a (rows x depth) times b (depth x columns), or that much more. Columns: whole vectors.
template <class Unit>
void multiplyTiles(int64_t rows, int64_t columns, int64_t depth, Factor<Unit> a, const Unit* b, int64_t bRow, float* c,
                   int64_t cRow, bool accumulate) {
  for (int64_t left = columns / kLanes; left > 0; left -= kTileVectors) {
    switch (std::min<int64_t>(left, kTileVectors)) {
      case 4: tilesOfRows<4>(rows, depth, a, b, bRow, c, cRow, accumulate); break;
      case 3: tilesOfRows<3>(rows, depth, a, b, bRow, c, cRow, accumulate); break;
      case 2: tilesOfRows<2>(rows, depth, a, b, bRow, c, cRow, accumulate); break;
      default: tilesOfRows<1>(rows, depth, a, b, bRow, c, cRow, accumulate);
    }
    b += kTileVectors * kLanes, c += kTileVectors * kLanes;
  }
}

}  // namespace
}  // namespace needletail::NT_ISA
