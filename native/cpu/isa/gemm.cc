#include "cpu/isa/gemm.h"

#include <algorithm>
#include <type_traits>

#include "cpu/isa/gemm_inner.h"
#include "cpu/isa/transpose.h"

namespace needletail::NT_ISA {

namespace {

template <class Unit>
using ElementOf = std::conditional_t<std::is_same_v<Unit, Pair>, uint16_t, float>;
template <class Unit>
constexpr int kDeep = sizeof(Unit) / sizeof(ElementOf<Unit>);

template <class Unit>
NT_ALWAYS void storeUnits(Unit* p, decltype(loadUnits(p)) v) {
  *reinterpret_cast<decltype(v)*>(p) = v;
}
NT_ALWAYS Vector joinLines(const float* const (&lines)[1], int j) { return load(lines[0] + j); }
NT_ALWAYS Pairs joinLines(const uint16_t* const (&lines)[2], int j) { return loadPairs(lines[0] + j, lines[1] + j); }

// Panels of a matrix whose rows are contiguous, side by side: `columns` of it in all.
template <class Unit>
void packLines(const ElementOf<Unit>* from, int64_t row, int64_t k, int64_t columns, Unit* to) {
  using Element = ElementOf<Unit>;
  constexpr int D = kDeep<Unit>;
  const int64_t panel = (k + D - 1) / D * kGemmWidth;
  static constexpr Element kNothing[kGemmWidth] = {};
  for (int64_t l = 0; l < k; l += D, to += kGemmWidth) {
    Unit* at = to;
    for (int64_t first = 0; first < columns; first += kGemmWidth, at += panel) {
      const int64_t width = columns - first;
      const Element* lines[D];
      Element padded[D][kGemmWidth];
      NT_UNROLL for (int d = 0; d < D; d++) {
        lines[d] = l + d < k ? from + (l + d) * row + first : kNothing;
        if (width >= kGemmWidth || l + d >= k) continue;
        std::fill(std::copy_n(lines[d], width, padded[d]), padded[d] + kGemmWidth, Element{});
        lines[d] = padded[d];
      }
      NT_UNROLL for (int v = 0; v < kVectors; v++) storeUnits(at + v * kLanes, joinLines(lines, v * kLanes));
    }
  }
}

// The first `elements` (at most a vector's) of what lies along k, then zeros.
template <class Unit>
NT_ALWAYS auto loadPart(const ElementOf<Unit>* from, int64_t elements) {
  if (elements >= kLanes * kDeep<Unit>) return loadUnits(reinterpret_cast<const Unit*>(from));
  Unit padded[kLanes] = {};
  if (elements > 0) std::memcpy(padded, from, elements * sizeof *from);
  return loadUnits(padded);
}

// One panel of a matrix whose columns are contiguous.
template <class Unit>
void packColumns(const ElementOf<Unit>* from, int64_t column, int64_t k, int64_t columns, Unit* to) {
  constexpr int D = kDeep<Unit>;
  const int64_t units = (k + D - 1) / D;
  for (int64_t l = 0; l < units; l += kLanes) {
    for (int64_t j = 0; j < kGemmWidth; j += kLanes) {
      decltype(loadUnits(to)) block[kLanes];
      NT_UNROLL for (int i = 0; i < kLanes; i++) {
        block[i] = loadPart<Unit>(from + (j + i) * column + l * D, j + i < columns ? k - l * D : 0);
      }
      transpose(block);
      const int64_t rows = std::min<int64_t>(kLanes, units - l);
      for (int64_t i = 0; i < rows; i++) storeUnits(to + (l + i) * kGemmWidth + j, block[i]);
    }
  }
}

// The panels of a matrix of k rows.
template <class Unit>
void pack(const ElementOf<Unit>* from, int64_t row, int64_t column, int64_t k, int64_t columns, Unit* to) {
  if (column == 1) return packLines(from, row, k, columns, to);
  for (int64_t j = 0; j < columns; j += kGemmWidth, to += (k + kDeep<Unit> - 1) / kDeep<Unit> * kGemmWidth) {
    packColumns(from + j * column, column, k, columns - j, to);
  }
}
// Of b: from row `start` on, and of n columns the given panels.
template <class Unit>
void packPart(const MatrixView& b, int64_t start, int64_t k, int64_t n, int64_t first, int64_t last, void* to) {
  const auto* from = static_cast<const ElementOf<Unit>*>(b.data) + start * b.row + first * kGemmWidth * b.column;
  pack(from, b.row, b.column, k, std::min(n, last * kGemmWidth) - first * kGemmWidth, static_cast<Unit*>(to));
}

template <class Unit>
void multiply(const GemmPart& part) {
  constexpr int D = kDeep<Unit>;
  const MatrixView& a = part.a;
  const int64_t units = (part.k + D - 1) / D, chunk = gemmChunkPanels(units);
  const bool whole = units <= kGemmDepth;
  const int64_t block = part.packed && !whole ? kGemmBlock : std::max<int64_t>(1, part.lastRow - part.firstRow);
  // Rows whose elements lie a long way apart are gathered once for all panels.
  const bool gather = (a.column != 1 && units > 16) || (D > 1 && (a.column != 1 || part.k % D || a.row % D));
  alignas(64) Unit strip[kGemmStrip * kGemmDepth];
  const int64_t ldc = part.c ? part.n : chunk * kGemmWidth;

  for (int64_t firstRow = part.firstRow; firstRow < part.lastRow; firstRow += block) {
    const int64_t lastRow = std::min(part.lastRow, firstRow + block);
    for (int64_t firstPanel = part.firstPanel; firstPanel < part.lastPanel; firstPanel += chunk) {
      const int64_t lastPanel = std::min(part.lastPanel, firstPanel + chunk), firstColumn = firstPanel * kGemmWidth;
      const int64_t columns = std::min(part.n, lastPanel * kGemmWidth) - firstColumn;
      for (int64_t start = 0; start == 0 || start < units; start += kGemmDepth) {
        const int64_t depth = std::min(kGemmDepth, units - start), k = std::min(depth * D, part.k - start * D);
        const Unit* packed = static_cast<const Unit*>(part.packed) + (firstPanel * units + start) * kGemmWidth;
        int64_t panelStep = units * kGemmWidth;
        if (!part.packed) {
          packPart<Unit>(part.b, start * D, k, part.n, firstPanel, lastPanel, part.chunk);
          packed = static_cast<const Unit*>(part.chunk), panelStep = depth * kGemmWidth;
        }
        for (int64_t i = firstRow; i < lastRow; i += kGemmStrip) {
          const int rows = static_cast<int>(std::min(kGemmStrip, lastRow - i));
          const auto* elements = static_cast<const ElementOf<Unit>*>(a.data) + i * a.row + start * D * a.column;
          const Unit* from = reinterpret_cast<const Unit*>(elements);
          int64_t row = a.row / D, column = a.column;
          if (gather) {
            pack(elements, a.column, a.row, k, rows, strip);
            from = strip, row = 1, column = kGemmStrip;
          }
          float* c = part.c ? part.c + i * ldc + firstColumn : part.sums + (whole ? 0 : i - firstRow) * ldc;
          // A few rows stay in the first cache while the panels pass by.
          for (int first = 0; first < rows; first += kRows) {
            for (int64_t p = firstPanel; p < lastPanel; p++) {
              const int64_t valid = part.c ? std::min<int64_t>(kGemmWidth, part.n - p * kGemmWidth) : kGemmWidth;
              rowsTimesPanel(std::min(kRows, rows - first), from + first * row, row, column,
                             packed + (p - firstPanel) * panelStep, depth,
                             c + first * ldc + (p - firstPanel) * kGemmWidth, ldc, static_cast<int>(valid), start > 0);
            }
          }
          const bool last = start + depth >= units;
          if (last && part.sink.take) part.sink.take(part.sink.to, {c, ldc, i, rows, firstColumn, columns});
        }
      }
    }
  }
}

// Of the many rows, how many are read side by side for R of the few: as many streams as a processor follows.
template <int R>
constexpr int kSideBySide = std::min(8, kLanes / R);

// R of the few rows times those; past the last row, that one again. sums: a vector.
template <int R, class Unit>
void dots(const ElementOf<Unit>* few, const ElementOf<Unit>* many, int64_t rows, int64_t k, float* sums) {
  // Where there are registers for more sums, several parts of k have their own.
  constexpr int C = kSideBySide<R>, parts = kLanes / (R * C), step = kLanes * kDeep<Unit>;
  Vector sum[kLanes];
  NT_UNROLL for (int i = 0; i < kLanes; i++) sum[i] = Vector{};
  const ElementOf<Unit>* from[C];
  for (int j = 0; j < C; j++) from[j] = many + std::min<int64_t>(j, rows - 1) * k;
  auto add = [&](int part, auto loadAt) __attribute__((always_inline)) {
    Vector* to = sum + part * R * C;
    decltype(loadAt(few)) x[R];
    NT_UNROLL for (int r = 0; r < R; r++) x[r] = loadAt(few + r * k);
    NT_UNROLL for (int j = 0; j < C; j++) {
      const auto y = loadAt(from[j]);
      NT_UNROLL for (int r = 0; r < R; r++) to[r * C + j] = multiplyAdd(to[r * C + j], x[r], y);
    }
  };
  int64_t l = 0;
  for (; l + parts * step <= k; l += parts * step) {
    NT_UNROLL for (int part = 0; part < parts; part++) {
      add(part, [&](const auto* p) { return loadUnits(reinterpret_cast<const Unit*>(p + l + part * step)); });
    }
  }
  for (; l < k; l += step) add(0, [&](const auto* p) { return loadPart<Unit>(p + l, k - l); });
  for (int part = 1; part < parts; part++) {
    for (int i = 0; i < R * C; i++) {
      sum[i] += sum[part * R * C + i];
      sum[part * R * C + i] = Vector{};
    }
  }
  transpose(sum);
  NT_UNROLL for (int width = kLanes / 2; width > 0; width /= 2) {
    NT_UNROLL for (int i = 0; i < width; i++) sum[i] += sum[i + width];
  }
  store(sums, sum[0]);
}

template <class Unit>
void dotsOf(const GemmDots& d) {
  using Element = ElementOf<Unit>;
  const auto *few = static_cast<const Element*>(d.few), *many = static_cast<const Element*>(d.many);
  constexpr int64_t kWidth = 64;
  static_assert(kWidth % kLanes == 0);
  float sums[kGemmFew * kWidth], part[kLanes];
  for (int64_t column = d.first; column < d.last; column += kWidth) {
    const int64_t columns = std::min(kWidth, d.last - column);
    // R rows at a time, for as many columns as that leaves sums for.
    auto rows = [&](auto size, int64_t row) {
      constexpr int R = decltype(size)::value, C = kSideBySide<R>;
      for (int64_t j = 0; j < columns; j += C) {
        const int64_t there = std::min<int64_t>(C, columns - j);
        dots<R, Unit>(few + row * d.k, many + (column + j) * d.k, there, d.k, part);
        for (int r = 0; r < R; r++) std::copy_n(part + r * C, there, sums + (row + r) * kWidth + j);
      }
    };
    int64_t row = 0;
    if constexpr (kLanes >= 16) {
      for (; row + 4 <= d.fewRows; row += 4) rows(std::integral_constant<int, 4>(), row);
    }
    for (; row + 2 <= d.fewRows; row += 2) rows(std::integral_constant<int, 2>(), row);
    for (; row < d.fewRows; row++) rows(std::integral_constant<int, 1>(), row);
    d.sink.take(d.sink.to, {sums, kWidth, 0, d.fewRows, column, columns});
  }
}

}  // namespace

void gemmPack(bool bfloat16, const MatrixView& b, int64_t k, int64_t n, int64_t first, int64_t last, void* to) {
  if (bfloat16)
    packPart<Pair>(b, 0, k, n, first, last, to);
  else
    packPart<float>(b, 0, k, n, first, last, to);
}

void gemmMultiply(const GemmPart& part) {
  if (part.bfloat16)
    multiply<Pair>(part);
  else
    multiply<float>(part);
}

void gemmDots(const GemmDots& d) {
  if (d.bfloat16)
    dotsOf<Pair>(d);
  else
    dotsOf<float>(d);
}

}  // namespace needletail::NT_ISA
