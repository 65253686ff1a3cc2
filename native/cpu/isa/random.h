// Random numbers by the tile, as native/cpu/random.cc asks for them.
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

constexpr int64_t kRandomTile = 64;  // numbers, made of 16 blocks of 4 words

struct RandomFloats {
  uint64_t key, base;  // base: the counter of the first block
  float a, b;  // as in params.h
  float last;  // uniform: the largest result
  uint64_t threshold;  // bernoulli: b where a word is below it
};

// out[i] for i in [first, first + count), both multiples of kRandomTile, laid at out[0].
NEEDLETAIL_ISA_FUNCTION(randomUniform, const RandomFloats& random, int64_t first, int64_t count, float* out)
NEEDLETAIL_ISA_FUNCTION(randomNormal, const RandomFloats& random, int64_t first, int64_t count, float* out)
NEEDLETAIL_ISA_FUNCTION(randomBernoulli, const RandomFloats& random, int64_t first, int64_t count, float* out)
NEEDLETAIL_ISA_FUNCTION(randomWords, uint64_t key, uint64_t base, int64_t first, int64_t count, uint32_t* out)

}  // namespace needletail
