#include "cpu/isa/weights.h"

#include <algorithm>

#include "cpu/isa/gemm_inner.h"

namespace needletail::NT_ISA {

namespace {

NT_ALWAYS void packUnits(const float* const* lines, int64_t at, float* to) { store(to, load(lines[0] + at)); }
NT_ALWAYS void packUnits(const uint16_t* const* lines, int64_t at, Pair* to) {
  *reinterpret_cast<Pairs*>(to) = loadPairs(lines[0] + at, lines[1] + at);
}

constexpr int64_t kAhead = 24;

template <class Unit, class Element>
void pack(const Element* const* rows, int64_t places, int64_t columns, Unit* to) {
  constexpr int kDeep = sizeof(Unit) / sizeof(Element);
  const int64_t units = (places + kDeep - 1) / kDeep;
  static constexpr Element kNothing[kWeightsTile] = {};
  for (int64_t l = 0; l < units; l++, to += kGemmWidth) {
    const Element* lines[kDeep];
    for (int d = 0; d < kDeep; d++) lines[d] = l * kDeep + d < places ? rows[l * kDeep + d] : kNothing;
    // The processor's own prefetching stops at each page.
    for (int d = 0; d < kDeep; d++) {
      const Element* ahead = rows[std::min((l + kAhead) * kDeep + d, places - 1)];
      for (int64_t j = 0; j < columns; j += 64 / sizeof(Element)) __builtin_prefetch(ahead + j);
    }
    for (int64_t j = 0; j < columns; j += kLanes) {
      packUnits(lines, j, to + j / kGemmWidth * units * kGemmWidth + j % kGemmWidth);
    }
  }
}

template <class Unit>
void multiply(const WeightsProduct& p) {
  const Unit *left = static_cast<const Unit*>(p.left), *right = static_cast<const Unit*>(p.right);
  // A panel of either side at a time: both stay in the first cache.
  for (int64_t strip = 0; strip < p.rows; strip += kGemmWidth) {
    for (int64_t j = 0; j < p.columns; j += kGemmWidth) {
      for (int64_t i = 0; i < kGemmWidth; i += kRows) {
        inner<kRows>(left + strip * p.units + i, 1, kGemmWidth, right + j * p.units, p.units,
                     p.sums + (strip + i) * kWeightsTile + j, kWeightsTile, kGemmWidth, p.accumulate);
      }
    }
  }
}

}  // namespace

void weightsPack(bool bfloat16, const void* const* rows, int64_t places, int64_t columns, void* to) {
  if (bfloat16)
    pack(reinterpret_cast<const uint16_t* const*>(rows), places, columns, static_cast<Pair*>(to));
  else
    pack(reinterpret_cast<const float* const*>(rows), places, columns, static_cast<float*>(to));
}

void weightsMultiply(const WeightsProduct& p) {
  if (p.bfloat16)
    multiply<Pair>(p);
  else
    multiply<float>(p);
}

}  // namespace needletail::NT_ISA
