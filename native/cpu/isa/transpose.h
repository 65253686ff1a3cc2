// A square of numbers turned round in registers, for the sources of this folder: included inside each instruction set's
// namespace.
#pragma once
#include "cpu/isa/vector.h"

namespace needletail::NT_ISA {

namespace {

// Swaps the off-diagonal quarters of each square of 2 * N rows and lanes.
template <int N, class V>
NT_ALWAYS void swapQuarters(V (&rows)[kLanes]) {
  Integers low{}, high{};
  NT_UNROLL for (int i = 0; i < kLanes; i++) {
    low[i] = i & N ? kLanes + i - N : i;
    high[i] = i & N ? kLanes + i : i + N;
  }
  NT_UNROLL for (int i = 0; i < kLanes; i++) {
    if (i & N) continue;
    const V first = rows[i], second = rows[i + N];
    rows[i] = __builtin_shuffle(first, second, low);
    rows[i + N] = __builtin_shuffle(first, second, high);
  }
}

// rows[i][j] becomes rows[j][i].
template <class V>
NT_ALWAYS void transpose(V (&rows)[kLanes]) {
  if constexpr (kLanes > 8) swapQuarters<8>(rows);
  if constexpr (kLanes > 4) swapQuarters<4>(rows);
  swapQuarters<2>(rows);
  swapQuarters<1>(rows);
}

}  // namespace
}  // namespace needletail::NT_ISA
