// Work on lines of numbers, along any axis: a block a line, whose threads each take every 256th number; or a thread a
// line where lines are short, or lie side by side so that neighbouring threads read neighbours.
#pragma once
#include <cmath>
#include <limits>

#include "cuda/launch.h"
#include "cuda/load.h"

namespace needletail::cuda {

struct Larger {
  NT_INLINE float operator()(float a, float b) const { return a > b ? a : b; }
};
constexpr float kNothing = -std::numeric_limits<float>::infinity();

// The n numbers of a line, `step` apart.
struct Line {
  const void* data;
  DType dtype;
  int64_t first, step, n;
  NT_INLINE float operator[](int64_t i) const { return load<float>(data, dtype, first + i * step); }
};

// Who works on line `index`: a block, or one thread. each(n, body): body(i) for i in [0, n).
struct Team {
  const Block& block;
  int64_t index;
  explicit NT_INLINE Team(const Block& block) : block(block), index(block.index) {}
  template <class F>
  NT_INLINE void each(int64_t n, F body) const {
    block.each([&](int t) {
      for (int64_t i = t; i < n; i += kThreads) body(i);
    });
  }
  // term(0) to term(n - 1), combined.
  template <class Term, class F>
  NT_INLINE float combine(int64_t n, float identity, Term term, F combine) const {
    Own<float> own;
    block.each([&](int t) {
      float all = identity;
      for (int64_t i = t; i < n; i += kThreads) all = combine(term(i), all);
      own[t] = all;
    });
    return block.combine(own, identity, combine);
  }
};
// Most: of the line's numbers, where that is known; the loops are unrolled then.
template <int Most = 0>
struct Alone {
  int64_t index;
  template <class F>
  NT_INLINE void each(int64_t n, F body) const {
    if constexpr (Most > 0) {
      NT_UNROLL
      for (int i = 0; i < Most; i++) {
        if (i < n) body(i);
      }
    } else {
      for (int64_t i = 0; i < n; i++) body(i);
    }
  }
  template <class Term, class F>
  NT_INLINE float combine(int64_t n, float identity, Term term, F combine) const {
    float all = identity;
    each(n, [&](int64_t i) { all = combine(term(i), all); });
    return all;
  }
};

constexpr int64_t kShort = 32;  // numbers of a line that are not worth a block

// Body: template <class Lines> void line(const Lines&) const, for each of `lines` of n numbers, `inner` apart.
template <class Body>
struct ByTeam {
  Body body;
  NT_INLINE void operator()(const Block& block) const { body.line(Team(block)); }
};
template <class Body>
struct ByThread {
  Body body;
  NT_INLINE void operator()(int64_t i) const { body.line(Alone<>{i}); }
};
template <class Body>
void eachLine(Stream& stream, int64_t lines, int64_t n, int64_t inner, const Body& body) {
  if (n <= kShort || inner >= kShort)
    each(stream, lines, ByThread<Body>{body});
  else
    blocks(stream, lines, ByTeam<Body>{body});
}

template <class Lines>
NT_INLINE float largestOf(const Lines& lines, const Line& x) {
  return lines.combine(x.n, kNothing, [&](int64_t i) { return x[i]; }, Larger());
}

// The sum of term(0) to term(n - 1).
template <class Lines, class Term>
NT_INLINE float sumOf(const Lines& lines, int64_t n, Term term) {
  return lines.combine(n, 0.0f, term, [](float a, float b) { return a + b; });
}

}  // namespace needletail::cuda
