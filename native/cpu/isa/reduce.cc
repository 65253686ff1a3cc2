#include "cpu/isa/reduce.h"

#include <cstring>
#include <limits>
#include <type_traits>

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors stay inside this file

namespace needletail::NT_ISA {

namespace {

#define NT_INLINE inline __attribute__((always_inline))

template <class C>
struct VectorOf {
  typedef C type __attribute__((vector_size(64)));
};
template <class C>
using Vector = typename VectorOf<C>::type;
template <class C>
constexpr int64_t kLanes = 64 / sizeof(C);

template <class V, class C>
NT_INLINE V load(const C* x) {
  V v;
  std::memcpy(&v, x, sizeof v);
  return v;
}

// Over numbers and over vectors alike. In a maximum or minimum a NaN stays.
template <Fold f, class T>
NT_INLINE T fold(T a, T b) {
  if constexpr (f == Fold::sum)
    return a + b;
  else if constexpr (f == Fold::product)
    return a * b;
  else if constexpr (f == Fold::maximum)
    return (a > b) | (a != a) ? a : b;
  else
    return (a < b) | (a != a) ? a : b;
}

// The lanes of v, halved until one is left.
template <Fold f, class C, int bytes>
NT_INLINE C foldLanes(const void* lanes) {
  if constexpr (bytes == sizeof(C)) {
    return *static_cast<const C*>(lanes);
  } else {
    typedef C Half __attribute__((vector_size(bytes / 2)));
    Half low, high;
    std::memcpy(&low, lanes, sizeof low);
    std::memcpy(&high, static_cast<const char*>(lanes) + sizeof low, sizeof high);
    low = fold<f>(low, high);
    return foldLanes<f, C, bytes / 2>(&low);
  }
}

template <Fold f, class C>
NT_INLINE C foldRow(const void* from, int64_t n) {
  using V = Vector<C>;
  constexpr int64_t L = kLanes<C>;
  const C* x = static_cast<const C*>(from);
  C total;
  int64_t i;
  if (n >= 4 * L) {
    V a = load<V>(x), b = load<V>(x + L), c = load<V>(x + 2 * L), d = load<V>(x + 3 * L);
    for (i = 4 * L; i + 4 * L <= n; i += 4 * L) {
      a = fold<f>(a, load<V>(x + i));
      b = fold<f>(b, load<V>(x + i + L));
      c = fold<f>(c, load<V>(x + i + 2 * L));
      d = fold<f>(d, load<V>(x + i + 3 * L));
    }
    for (; i + L <= n; i += L) a = fold<f>(a, load<V>(x + i));
    a = fold<f>(fold<f>(a, b), fold<f>(c, d));
    total = foldLanes<f, C, 64>(&a);
  } else if (n >= L) {
    V a = load<V>(x);
    for (i = L; i + L <= n; i += L) a = fold<f>(a, load<V>(x + i));
    total = foldLanes<f, C, 64>(&a);
  } else {
    total = x[0];
    i = 1;
  }
  for (; i < n; i++) total = fold<f, C>(total, x[i]);
  return total;
}

template <Fold f, class C>
void row(const void* x, int64_t n, void* result) {
  *static_cast<C*>(result) = foldRow<f, C>(x, n);
}

template <Fold f, class C>
void rows(const void* from, int64_t count, int64_t n, void* result) {
  const C* x = static_cast<const C*>(from);
  C* y = static_cast<C*>(result);
  if (n >= kLanes<C>) {
    for (int64_t i = 0; i < count; i++) y[i] = foldRow<f, C>(x + i * n, n);
    return;
  }
  for (int64_t i = 0; i < count; i++, x += n) {
    C total = x[0];
    for (int64_t k = 1; k < n; k++) total = fold<f, C>(total, x[k]);
    y[i] = total;
  }
}

template <Fold f, class C>
void combine(void* into, const void* from, int64_t n) {
  C* y = static_cast<C*>(into);
  const C* x = static_cast<const C*>(from);
  for (int64_t i = 0; i < n; i++) y[i] = fold<f, C>(y[i], x[i]);
}

// `count` vectors side by side, in registers over all rows.
template <Fold f, class C, int count>
NT_INLINE void band(const C* x, int64_t rows, int64_t stride, C* y) {
  using V = Vector<C>;
  V v[count];
#pragma GCC unroll 4
  for (int k = 0; k < count; k++) v[k] = load<V>(x + k * kLanes<C>);
  for (int64_t i = 1; i < rows; i++) {
    x += stride;
#pragma GCC unroll 4
    for (int k = 0; k < count; k++) v[k] = fold<f>(v[k], load<V>(x + k * kLanes<C>));
  }
  std::memcpy(y, v, sizeof v);
}

template <Fold f, class C>
void columns(const void* from, int64_t rows, int64_t width, int64_t stride, void* result) {
  constexpr int64_t L = kLanes<C>;
  const C* x = static_cast<const C*>(from);
  C* y = static_cast<C*>(result);
  if (stride == width && width < 2 * L && rows > 1) {
    // Narrow rows lie one behind the other: a power of two of them is one wide row, whose parts are folded at the end.
    C wide[4 * L];
    int64_t group = 1;
    while (group * 2 * width <= 4 * L && group * 2 <= rows) group *= 2;
    if (group > 1) {
      const int64_t full = rows / group;
      columns<f, C>(x, full, group * width, group * width, wide);
      for (int64_t half = group / 2; half > 0; half /= 2) combine<f, C>(wide, wide + half * width, half * width);
      for (int64_t i = full * group; i < rows; i++) combine<f, C>(wide, x + i * width, width);
      std::memcpy(y, wide, width * sizeof(C));
      return;
    }
  }
  int64_t j = 0;
  for (; j + 4 * L <= width; j += 4 * L) band<f, C, 4>(x + j, rows, stride, y + j);
  for (; j + L <= width; j += L) band<f, C, 1>(x + j, rows, stride, y + j);
  if (j == width) return;
  std::memcpy(y + j, x + j, (width - j) * sizeof(C));
  for (int64_t i = 1; i < rows; i++) combine<f, C>(y + j, x + i * stride + j, width - j);
}

template <Fold f, class C>
constexpr FoldLoops kFold = {row<f, C>, rows<f, C>, columns<f, C>, combine<f, C>};

// Sums and products of integers wrap: they are made in unsigned arithmetic.
template <Fold f>
const FoldLoops& foldOf(FoldType type) {
  constexpr bool wraps = f == Fold::sum || f == Fold::product;
  switch (type) {
    case kFoldFloat: return kFold<f, float>;
    case kFoldInt32: return kFold<f, std::conditional_t<wraps, uint32_t, int32_t>>;
    case kFoldInt64: return kFold<f, std::conditional_t<wraps, uint64_t, int64_t>>;
    default: return kFold<f, uint8_t>;
  }
}

template <bool minimum, class C>
NT_INLINE bool better(C x, C best) {
  return (minimum ? x < best : x > best) | ((x != x) & (best == best));
}

template <bool minimum, class C>
int64_t argRow(const void* from, int64_t n) {
  const C* x = static_cast<const C*>(from);
  int64_t at = 0;
  if (n < 64) {
    for (int64_t i = 1; i < n; i++) at = better<minimum, C>(x[i], x[at]) ? i : at;
    return at;
  }
  C best;
  row<minimum ? Fold::minimum : Fold::maximum, C>(x, n, &best);
  if (best != best) {
    while (x[at] == x[at]) at++;
  } else {
    while (x[at] != best) at++;
  }
  return at;
}

template <bool minimum, class C>
void argColumns(const void* from, int64_t rows, int64_t width, int64_t stride, int32_t* index) {
  const C* x = static_cast<const C*>(from);
  C best[kArgColumns];
  std::memcpy(best, x, width * sizeof(C));
  std::memset(index, 0, width * sizeof(int32_t));
  for (int64_t i = 1; i < rows; i++) {
    x += stride;
    for (int64_t j = 0; j < width; j++) {
      const bool take = better<minimum, C>(x[j], best[j]);
      index[j] = take ? static_cast<int32_t>(i) : index[j];
      best[j] = take ? x[j] : best[j];
    }
  }
}

template <bool minimum, class C>
constexpr ArgLoops kArg = {argRow<minimum, C>, argColumns<minimum, C>};

template <bool minimum>
const ArgLoops& argOf(FoldType type) {
  switch (type) {
    case kFoldFloat: return kArg<minimum, float>;
    case kFoldInt32: return kArg<minimum, int32_t>;
    case kFoldInt64: return kArg<minimum, int64_t>;
    default: return kArg<minimum, uint8_t>;
  }
}

}  // namespace

const FoldLoops& foldLoops(Fold f, FoldType type) {
  switch (f) {
    case Fold::sum: return foldOf<Fold::sum>(type);
    case Fold::product: return foldOf<Fold::product>(type);
    case Fold::maximum: return foldOf<Fold::maximum>(type);
    default: return foldOf<Fold::minimum>(type);
  }
}

const ArgLoops& argLoops(bool minimum, FoldType type) { return minimum ? argOf<true>(type) : argOf<false>(type); }

}  // namespace needletail::NT_ISA
