#include "cpu/isa/direct.h"

#include <algorithm>
#include <type_traits>

#include "cpu/isa/vector.h"

namespace needletail::NT_ISA {

namespace {

// Sums in registers: 24 of AVX-512's 32, 12 of the others' 16, two vectors of channels wide.
constexpr int kWide = 2;
constexpr int kPlaces = kLanes == 16 ? 8 : 6, kTaps = kLanes == 16 ? 12 : 5;

// What is multiplied: single floats, or pairs of bfloat16.
struct Floats {
  using Element = float;
  using Operand = Vector;
  static constexpr int kTogether = 1;
  static NT_ALWAYS Operand loadUnits(const uint32_t* p) { return load(reinterpret_cast<const float*>(p)); }
  static NT_ALWAYS Operand broadcast(const void* p) {
    float x;
    std::memcpy(&x, p, sizeof x);
    return splat(x);
  }
  static NT_ALWAYS Operand broadcastLast(const Element* p) { return broadcast(p); }
  static NT_ALWAYS Operand one() { return splat(1.0f); }
  static NT_ALWAYS Vector add(Vector sum, Operand a, Operand b) { return sum + a * b; }
  static NT_ALWAYS Vector loadElements(const Element* p) { return load(p); }
  static NT_ALWAYS void storeElements(Element* p, Vector v) { store(p, v); }
};
struct Pairwise {
  using Element = uint16_t;
  using Operand = Pairs;
  static constexpr int kTogether = 2;
  static NT_ALWAYS Operand loadUnits(const uint32_t* p) { return loadPairs(p); }
  static NT_ALWAYS Operand broadcast(const void* p) {
    uint32_t x;
    std::memcpy(&x, p, sizeof x);
    return splat(x);
  }
  // Of a row with an odd number of elements: what follows it is not multiplied, not even by 0.
  static NT_ALWAYS Operand broadcastLast(const Element* p) { return splat(static_cast<uint32_t>(*p)); }
  static NT_ALWAYS Operand one() { return splat(0x3f803f80u); }
  static NT_ALWAYS Vector add(Vector sum, Operand a, Operand b) { return addProducts(sum, a, b); }
  static NT_ALWAYS Vector loadElements(const Element* p) { return loadBf16(p); }
  static NT_ALWAYS void storeElements(Element* p, Vector v) { storeBf16(p, v); }
};

template <class F>
void forNumbers(bool half, F f) {
  if (half)
    f(Pairwise());
  else
    f(Floats());
}
// f(std::integral_constant<int, n>) for a count n from 1 to Most.
template <int Most, class F>
NT_ALWAYS void forCount(int64_t n, F f) {
  if constexpr (Most > 1) {
    if (n < Most) return forCount<Most - 1>(n, f);
  }
  f(std::integral_constant<int, Most>());
}

// Channels that may end inside a vector; whole(p) loads one, whole(p, v) stores one.
template <class T, class Whole>
NT_ALWAYS auto loadSome(const T* p, int64_t count, Whole whole) {
  if (count >= kLanes) return whole(p);
  T edge[kLanes] = {};
  std::copy_n(p, count, edge);
  return whole(edge);
}
template <class T, class V, class Whole>
NT_ALWAYS void storeSome(T* p, V v, int64_t count, Whole whole) {
  if (count >= kLanes) return whole(p, v);
  T edge[kLanes];
  whole(edge, v);
  std::copy_n(edge, count, p);
}

// f(pool, place, first column, columns) for each window of a line; usual widths are constants.
template <class F>
NT_ALWAYS void forWindows(const DirectPool pool, F f) {
  for (int64_t j = 0; j < pool.places; j++) {
    const int64_t start = j * pool.stride - pool.low, first = std::max<int64_t>(start, 0),
                  width = std::min(start + pool.size, pool.width) - first;
    if (width == 2)
      f(pool, j, first, std::integral_constant<int64_t, 2>());
    else if (width == 3)
      f(pool, j, first, std::integral_constant<int64_t, 3>());
    else
      f(pool, j, first, width);
  }
}

// Q results next to one another, V vectors of their channels.
template <class N, int Q, int V>
void forwardTile(const DirectShape& s, const typename N::Element* image, const uint32_t* weights, const float* bias,
                 bool relu, typename N::Element* y) {
  Vector sum[Q][V];
  NT_UNROLL for (int v = 0; v < V; v++) { NT_UNROLL for (int q = 0; q < Q; q++) sum[q][v] = load(bias + v * kLanes); }
  auto multiply = [&](const typename N::Element* x, auto broadcast) __attribute__((always_inline)) {
    typename N::Operand w[V];
    NT_UNROLL for (int v = 0; v < V; v++) w[v] = N::loadUnits(weights + v * kLanes);
    NT_UNROLL for (int q = 0; q < Q; q++) {
      const typename N::Operand a = broadcast(x + q * s.step);
      NT_UNROLL for (int v = 0; v < V; v++) sum[q][v] = N::add(sum[q][v], a, w[v]);
    }
    weights += s.columns;
  };
  for (int64_t r = 0; r < s.rows; r++, image += s.pitch) {
    int64_t t = 0;
    for (; t + N::kTogether <= s.run; t += N::kTogether) multiply(image + t, N::broadcast);
    if (t < s.run) multiply(image + t, N::broadcastLast);
  }
  NT_UNROLL for (int q = 0; q < Q; q++) {
    NT_UNROLL for (int v = 0; v < V; v++) {
      const Vector x = sum[q][v];
      N::storeElements(y + q * s.columns + v * kLanes, relu ? (x < Vector{} ? Vector{} : x) : x);
    }
  }
}
template <class N, int V>
void forwardRow(const DirectShape& s, const typename N::Element* image, const uint32_t* weights, const float* bias,
                bool relu, typename N::Element* y) {
  auto tile = [&](auto count, int64_t at) {
    forwardTile<N, decltype(count)::value, V>(s, image + at * s.step, weights, bias, relu, y + at * s.columns);
  };
  if (s.places < kPlaces) return forCount<kPlaces - 1>(s.places, [&](auto count) { tile(count, 0); });
  // The last tile begins earlier rather than being smaller: what it computes again is the same.
  for (int64_t at = 0; at < s.places; at += kPlaces)
    tile(std::integral_constant<int, kPlaces>(), std::min(at, s.places - kPlaces));
}

// The gradient of T weights that follow one another in a row of the kernel, of V vectors of channels; with Bias, that
// of the bias too.
template <class N, int T, int V, bool Bias>
void gradientTile(const DirectShape& s, const uint32_t* image, const uint32_t* gradient, float* sums, float* biasSums) {
  Vector sum[T + Bias][V];
  auto at = [&](int t, int v) { return (t < T ? sums + t * s.columns : biasSums) + v * kLanes; };
  NT_UNROLL for (int t = 0; t < T + Bias; t++) { NT_UNROLL for (int v = 0; v < V; v++) sum[t][v] = load(at(t, v)); }
  const int64_t count = s.placeUnits();
  for (int64_t p = 0; p < count; p++, image += s.step * N::kTogether, gradient += s.columns) {
    typename N::Operand g[V];
    NT_UNROLL for (int v = 0; v < V; v++) g[v] = N::loadUnits(gradient + v * kLanes);
    NT_UNROLL for (int t = 0; t < T + Bias; t++) {
      const typename N::Operand a = t < T ? N::broadcast(image + t) : N::one();
      NT_UNROLL for (int v = 0; v < V; v++) sum[t][v] = N::add(sum[t][v], a, g[v]);
    }
  }
  NT_UNROLL for (int t = 0; t < T + Bias; t++) { NT_UNROLL for (int v = 0; v < V; v++) store(at(t, v), sum[t][v]); }
}
template <class N, int V>
void gradientRow(const DirectShape& s, const uint32_t* image, const uint32_t* gradient, float* sums) {
  const int64_t tiles = (s.run + kTaps - 1) / kTaps;
  float* bias = sums + s.rows * s.run * s.columns;
  for (int64_t r = 0; r < s.rows; r++, image += s.pitch, sums += s.run * s.columns) {
    for (int64_t i = 0; i < tiles; i++) {
      const int64_t t = s.run * i / tiles, count = s.run * (i + 1) / tiles - t;
      forCount<kTaps>(count, [&](auto taps) {
        constexpr int T = decltype(taps)::value;
        if (r == 0 && i == 0)
          gradientTile<N, T, V, true>(s, image + t, gradient, sums + t * s.columns, bias);
        else
          gradientTile<N, T, V, false>(s, image + t, gradient, sums + t * s.columns, nullptr);
      });
    }
  }
}
// f(how many, where) for all vectors of channels, kWide at a time.
template <class F>
void forChannels(int64_t columns, F f) {
  int64_t k = 0;
  for (; k + kWide * kLanes <= columns; k += kWide * kLanes) f(std::integral_constant<int, kWide>(), k);
  for (; k < columns; k += kLanes) f(std::integral_constant<int, 1>(), k);
}

}  // namespace

void directForward(const DirectShape& s, const void* image, const uint32_t* weights, const float* bias, bool relu,
                   void* y) {
  forNumbers(s.half, [&](auto numbers) {
    using N = decltype(numbers);
    using Element = typename N::Element;
    forChannels(s.columns, [&](auto vectors, int64_t k) {
      forwardRow<N, decltype(vectors)::value>(s, static_cast<const Element*>(image), weights + k, bias + k, relu,
                                              static_cast<Element*>(y) + k);
    });
  });
}

void directGradient(const DirectShape& s, const uint32_t* image, const uint32_t* gradient, float* sums) {
  forNumbers(s.half, [&](auto numbers) {
    forChannels(s.columns, [&](auto vectors, int64_t k) {
      gradientRow<decltype(numbers), decltype(vectors)::value>(s, image, gradient + k, sums + k);
    });
  });
}

void directPairs(int64_t n, const uint16_t* first, const uint16_t* second, uint32_t* to) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    store(to + i, second ? loadPairs(first + i, second + i) : loadHalves(first + i));
  }
  for (; i < n; i++) to[i] = first[i] | (second ? static_cast<uint32_t>(second[i]) << 16 : 0);
}

void directPool(const DirectPool& pool, int64_t rows, const void* x, void* y, int32_t* positions) {
  forNumbers(pool.half, [&](auto numbers) {
    using N = decltype(numbers);
    using Element = typename N::Element;
    forWindows(pool, [=](const DirectPool& p, int64_t j, int64_t first, auto width) {
      for (int64_t c = 0; c < p.channels; c += kLanes) {
        const Element* from = static_cast<const Element*>(x) + first * p.columns + c;
        Vector best = N::loadElements(from);
        int32_t position = p.first + static_cast<int32_t>(first);
        Integers winner = splat(position);
        for (int64_t r = 0; r < rows; r++) {
          for (int64_t k = 0; k < width; k++) {
            const Vector v = N::loadElements(from + k * p.columns);
            const Integers better = (v > best) | (v != v);
            best = better ? v : best;
            winner = better ? splat(position + static_cast<int32_t>(k)) : winner;
          }
          from += p.width * p.columns;
          position += static_cast<int32_t>(p.width);
        }
        const int64_t at = j * p.channels + c, left = p.channels - c;
        storeSome(static_cast<Element*>(y) + at, best, left, [](Element* to, Vector v) { N::storeElements(to, v); });
        if (positions) storeSome(positions + at, winner, left, [](int32_t* to, Integers v) { store(to, v); });
      }
    });
  });
}

void directSpread(const DirectPool& pool, const void* gradient, const int32_t* positions, const void* values, bool add,
                  void* row) {
  forNumbers(pool.half, [&](auto numbers) {
    using N = decltype(numbers);
    using Element = typename N::Element;
    const auto elements = [](const Element* from) { return N::loadElements(from); };
    forWindows(pool, [=](const DirectPool& p, int64_t j, int64_t first, auto width) {
      for (int64_t c = 0; c < p.channels; c += kLanes) {
        const int64_t at = j * p.channels + c, left = p.channels - c;
        Vector g = loadSome(static_cast<const Element*>(gradient) + at, left, elements);
        if (values) g = loadSome(static_cast<const Element*>(values) + at, left, elements) > Vector{} ? g : Vector{};
        const Integers winner = loadSome(positions + at, left, [](const int32_t* from) { return loadIntegers(from); });
        Element* to = static_cast<Element*>(row) + first * p.columns + c;
        const int32_t position = p.first + static_cast<int32_t>(first);
        for (int64_t k = 0; k < width; k++, to += p.columns) {
          const Vector v = winner == splat(position + static_cast<int32_t>(k)) ? g : Vector{};
          N::storeElements(to, add ? N::loadElements(to) + v : v);
        }
      }
    });
  });
}

}  // namespace needletail::NT_ISA
