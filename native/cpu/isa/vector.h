// The widest vector of floats (and of integers) that the instruction set has, by the compiler's vector extension.
#pragma once
#include <cstdint>
#include <cstring>

#include "inline.h"

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

NT_ALWAYS Vector load(const float* p) { return *reinterpret_cast<const Vector*>(p); }
NT_ALWAYS void store(float* p, Vector v) { *reinterpret_cast<Vector*>(p) = v; }
NT_ALWAYS Vector splat(float x) { return x - Vector{}; }
NT_ALWAYS Integers loadIntegers(const int32_t* p) { return *reinterpret_cast<const Integers*>(p); }
NT_ALWAYS void store(int32_t* p, Integers v) { *reinterpret_cast<Integers*>(p) = v; }
NT_ALWAYS Integers splat(int32_t x) { return x - Integers{}; }

}  // namespace needletail::NT_ISA
