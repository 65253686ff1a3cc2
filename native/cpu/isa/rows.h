// Rows of float32 or bfloat16, of any length, as vectors of floats.
#pragma once
#include <cstring>
#include <type_traits>

#include "cpu/isa/vector.h"
#include "types.h"

namespace needletail::NT_ISA {

NT_ALWAYS Vector load(const BFloat16* p) { return loadBf16(&p->bits); }
NT_ALWAYS void store(BFloat16* p, Vector v) { storeBf16(&p->bits, v); }
// The values that are left when v is stored as that type.
NT_ALWAYS Vector rounded(float, Vector v) { return v; }
NT_ALWAYS Vector rounded(BFloat16, Vector v) { return firsts(pairs(v, v)); }

// How many lanes of a vector there are: Whole, or an int.
using Whole = std::integral_constant<int, kLanes>;

template <class T, class Lanes>
NT_ALWAYS Vector take(const T* p, Lanes lanes) {
  if constexpr (std::is_same_v<Lanes, Whole>) {
    return load(p);
  } else {
    T all[kLanes] = {};
    std::memcpy(static_cast<void*>(all), p, lanes * sizeof(T));
    return load(all);
  }
}
template <class T, class Lanes>
NT_ALWAYS void put(T* p, Vector v, Lanes lanes) {
  if constexpr (std::is_same_v<Lanes, Whole>) {
    store(p, v);
  } else {
    T all[kLanes];
    store(all, v);
    std::memcpy(static_cast<void*>(p), all, lanes * sizeof(T));
  }
}
NT_ALWAYS Vector where(Integers condition, Vector v) { return condition ? v : Vector{}; }

// f(first element, how many vectors from there, lanes of each) for all n elements, `wide` vectors at a time.
template <int wide, class F>
NT_ALWAYS void eachVector(int64_t n, F f) {
  int64_t i = 0;
  for (; i + wide * kLanes <= n; i += wide * kLanes) f(i, std::integral_constant<int, wide>(), Whole());
  if constexpr (wide > 1)
    for (; i + kLanes <= n; i += kLanes) f(i, std::integral_constant<int, 1>(), Whole());
  if (i < n) f(i, std::integral_constant<int, 1>(), static_cast<int>(n - i));
}

}  // namespace needletail::NT_ISA
