// The widest vector of floats (and of integers, and of pairs of bfloat16) that the instruction set has, by the
// compiler's vector extension.
#pragma once
#include <cstdint>
#include <cstring>

#include "inline.h"

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#define NT_ALWAYS inline __attribute__((always_inline))

namespace needletail::NT_ISA {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Vector __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef int32_t Integers __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

// For arrays of vectors that are to stay in registers: of a type that may lie anywhere in memory, GCC keeps them there.
typedef float Register __attribute__((vector_size(kLanes * 4)));

NT_ALWAYS Vector load(const float* p) { return *reinterpret_cast<const Vector*>(p); }
NT_ALWAYS void store(float* p, Vector v) { *reinterpret_cast<Vector*>(p) = v; }
NT_ALWAYS Vector splat(float x) { return x - Vector{}; }
NT_ALWAYS Integers loadIntegers(const int32_t* p) { return *reinterpret_cast<const Integers*>(p); }
NT_ALWAYS void store(int32_t* p, Integers v) { *reinterpret_cast<Integers*>(p) = v; }
NT_ALWAYS Integers splat(int32_t x) { return x - Integers{}; }

// bfloat16: the upper half of a float. Rounding is to the nearest even and a NaN stays one; with instructions for it,
// numbers below float32's normal ones count as 0.
typedef uint16_t Halves __attribute__((vector_size(kLanes * 2), aligned(2), may_alias));
// Two bfloat16 in each lane, the first in the lower half.
typedef uint32_t Pairs __attribute__((vector_size(kLanes * 4), aligned(2), may_alias));

NT_ALWAYS Pairs loadPairs(const uint32_t* p) { return *reinterpret_cast<const Pairs*>(p); }
NT_ALWAYS void store(uint32_t* p, Pairs v) { *reinterpret_cast<Pairs*>(p) = v; }
NT_ALWAYS Pairs splat(uint32_t x) { return x - Pairs{}; }
NT_ALWAYS Pairs loadHalves(const uint16_t* p) {
#ifdef __AVX512BF16__  // the compiler would widen it in two parts; unmasked, it warns of its own header
  return reinterpret_cast<Pairs>(_mm512_maskz_cvtepu16_epi32(0xffff, *reinterpret_cast<const __m256i_u*>(p)));
#else
  return __builtin_convertvector(*reinterpret_cast<const Halves*>(p), Pairs);
#endif
}
// The pair {first[i], second[i]} in lane i, of bfloat16 that lie apart.
NT_ALWAYS Pairs loadPairs(const uint16_t* first, const uint16_t* second) {
  return loadHalves(first) | loadHalves(second) << 16;
}
NT_ALWAYS Vector firsts(Pairs v) { return reinterpret_cast<Vector>(v << 16); }
NT_ALWAYS Vector seconds(Pairs v) { return reinterpret_cast<Vector>(v & 0xffff0000u); }
NT_ALWAYS Vector loadBf16(const uint16_t* p) { return firsts(loadHalves(p)); }

#ifdef __AVX512BF16__
NT_ALWAYS void storeBf16(uint16_t* p, Vector v) {
  *reinterpret_cast<Halves*>(p) = reinterpret_cast<Halves>(_mm512_cvtneps_pbh(v));
}
NT_ALWAYS Pairs pairs(Vector first, Vector second) {
  const auto both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first));
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return reinterpret_cast<Pairs>(_mm512_permutexvar_epi16(order, both));
}
// sum + first_a * first_b + second_a * second_b in each lane.
NT_ALWAYS Vector addProducts(Vector sum, Pairs a, Pairs b) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}
#else
NT_ALWAYS Pairs roundedBf16(Vector v) {
  const Pairs bits = reinterpret_cast<Pairs>(v), nan = reinterpret_cast<Pairs>(v != v);
  return (nan & ((bits >> 16) | 0x40)) | (~nan & ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16));
}
NT_ALWAYS void storeBf16(uint16_t* p, Vector v) {
  *reinterpret_cast<Halves*>(p) = __builtin_convertvector(roundedBf16(v), Halves);
}
NT_ALWAYS Pairs pairs(Vector first, Vector second) { return roundedBf16(first) | roundedBf16(second) << 16; }
NT_ALWAYS Vector addProducts(Vector sum, Pairs a, Pairs b) {
  sum += seconds(a) * seconds(b);
  sum += firsts(a) * firsts(b);
  return sum;
}
#endif

}  // namespace needletail::NT_ISA
