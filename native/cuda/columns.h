// Products of a row and few columns: the threads of a block share out the depth. A library's kernel, made for many
// columns, would keep a few multiprocessors busy, one tile each.
#pragma once
#include "cuda/launch.h"
#include "cuda/load.h"

namespace needletail::cuda {

constexpr int kFewColumns = 16;

// Whether a block a row does it; `rows` by `columns` products of `depth` terms each.
inline bool areFewColumns(int64_t rows, int64_t columns, int64_t depth) {
  return columns <= kFewColumns && rows <= 4096 && rows * columns <= 4 * 4096 && depth >= kThreads;
}

// Calls f with an integral_constant: for how many columns there are registers.
template <class F>
void dispatchColumns(int64_t columns, F f) {
  if (columns <= 2) return f(std::integral_constant<int, 2>());
  if (columns <= 4) return f(std::integral_constant<int, 4>());
  if (columns <= 8) return f(std::integral_constant<int, 8>());
  f(std::integral_constant<int, kFewColumns>());
}

// use(i, fetch(i)) for a thread's part of [0, depth); of several what is fetched is on its way before one is used.
template <class Fetch, class Use>
NT_INLINE void eachAhead(int t, int64_t depth, Fetch fetch, Use use) {
  constexpr int kAtOnce = 2;
  for (int64_t first = t; first < depth; first += kAtOnce * kThreads) {
    decltype(fetch(first)) fetched[kAtOnce];
    NT_UNROLL
    for (int e = 0; e < kAtOnce; e++) {
      const int64_t i = first + e * kThreads;
      fetched[e] = fetch(i < depth ? i : depth - 1);
    }
    NT_UNROLL
    for (int e = 0; e < kAtOnce; e++) {
      const int64_t i = first + e * kThreads;
      if (i < depth) use(i, fetched[e]);
    }
  }
}

// Every thread gets them. columns: [count, depth]; term(i) gives the row's i-th element as a float, and kept(i, term)
// is told of it when all that is read beside it is on its way.
template <int N, class S, class Term, class Kept>
NT_INLINE Floats<N> rowTimesColumns(const Block& block, const S* columns, int count, int64_t depth, Term term,
                                    Kept kept) {
  struct Terms {
    float row;
    Floats<N> column;
  };
  Own<Floats<N>> parts;
  block.each([&](int t) {
    Floats<N> sums{};
    const auto fetch = [&](int64_t i) {
      Terms terms{term(i), {}};
      NT_UNROLL
      for (int c = 0; c < N; c++) terms.column.of[c] = c < count ? static_cast<float>(columns[c * depth + i]) : 0.0f;
      return terms;
    };
    eachAhead(t, depth, fetch, [&](int64_t i, const Terms& terms) {
      kept(i, terms.row);
      NT_UNROLL
      for (int c = 0; c < N; c++) sums.of[c] += terms.row * terms.column.of[c];
    });
    parts[t] = sums;
  });
  return block.combine(parts, Floats<N>{}, [](Floats<N> a, const Floats<N>& b) {
    NT_UNROLL
    for (int c = 0; c < N; c++) a.of[c] += b.of[c];
    return a;
  });
}

}  // namespace needletail::cuda
