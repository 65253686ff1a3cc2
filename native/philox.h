// Philox 4x32-10, the counter-based random number generator of Salmon et al., "Parallel random numbers: as easy as 1,
// 2, 3" (2011), and what is made of its words. No state: word j of block i is a function of key and i alone, so that
// any thread of any device can compute any part. Every rounding is spelt out (fused multiply-adds are explicit, all
// else is a lone product or sum), so that all devices and instruction sets agree to the bit.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define NEEDLETAIL_DEVICE __host__ __device__
#else
#define NEEDLETAIL_DEVICE
#endif

namespace needletail::philox {

struct Block {
  uint32_t word[4];
};

// The block at a 128-bit counter (low and high half) under a 64-bit key.
NEEDLETAIL_DEVICE static inline Block block(uint64_t key, uint64_t low, uint64_t high = 0) {
  uint32_t c0 = static_cast<uint32_t>(low), c1 = static_cast<uint32_t>(low >> 32);
  uint32_t c2 = static_cast<uint32_t>(high), c3 = static_cast<uint32_t>(high >> 32);
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t a = uint64_t{0xD2511F53u} * c0, b = uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<uint32_t>(b >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(b);
    c2 = static_cast<uint32_t>(a >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(a);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// A multiple of 2^-24 in [0, 1).
NEEDLETAIL_DEVICE static inline float unit(uint32_t word) {
  return static_cast<float>(static_cast<int32_t>(word >> 8)) * 0x1p-24f;
}

// An integer in [0, n) from 64 bits; its bias is below n / 2^64.
NEEDLETAIL_DEVICE static inline uint64_t below(uint64_t n, uint32_t high, uint32_t low) {
  const uint64_t bits = uint64_t{high} << 32 | low;
#ifdef __CUDA_ARCH__
  return __umul64hi(bits, n);
#else
  return static_cast<uint64_t>((static_cast<unsigned __int128>(bits) * n) >> 64);
#endif
}

// The natural logarithm of u in (0, 1], to 2^-23. The polynomial is that of Cephes' logf (S. Moshier).
NEEDLETAIL_DEVICE static inline float logUnit(float u) {
  // u = m * 2^e with m in [sqrt(1/2), sqrt(2)).
  const int32_t shifted = static_cast<int32_t>(std::bit_cast<uint32_t>(u) - 0x3f3504f3u);
  const int32_t exponent = shifted >> 23;
  const float e = static_cast<float>(exponent);
  const float m = std::bit_cast<float>(static_cast<uint32_t>(shifted & 0x007fffff) + 0x3f3504f3u);
  const float x = m - 1, z = x * x;
  float p = 7.0376836292e-2f;
  p = std::fma(p, x, -1.1514610310e-1f);
  p = std::fma(p, x, 1.1676998740e-1f);
  p = std::fma(p, x, -1.2420140846e-1f);
  p = std::fma(p, x, 1.4249322787e-1f);
  p = std::fma(p, x, -1.6668057665e-1f);
  p = std::fma(p, x, 2.0000714765e-1f);
  p = std::fma(p, x, -2.4999993993e-1f);
  p = std::fma(p, x, 3.3333331174e-1f);
  const float cubed = x * z;
  float y = p * cubed;
  y = std::fma(e, -2.12194440e-4f, y);
  y = std::fma(z, -0.5f, y);
  const float sum = x + y;
  return std::fma(e, 0.693359375f, sum);
}

// Two independent normal numbers of mean 0 and deviation 1 from two words: Box and Muller's transform, with sine and
// cosine by Cephes' polynomials on a quarter of the circle.
NEEDLETAIL_DEVICE static inline void normalPair(uint32_t first, uint32_t second, float& a, float& b) {
  // (first + 1/2) / 2^32, from halves that are exact in float32: one rounding.
  const float high = static_cast<float>(static_cast<int32_t>(first >> 16));
  const float low = static_cast<float>(static_cast<int32_t>(first & 0xffff)) + 0.5f;
  const float u = std::fma(high, 65536.0f, low) * 0x1p-32f;
  const float radius = std::sqrt(-2 * logUnit(u));
  // The two top bits choose the quarter; the others an angle in [-pi/4, pi/4) within it.
  const float part = static_cast<float>(static_cast<int32_t>(second << 2) >> 8) * 0x1p-24f;
  const float angle = part * 1.57079632679f;
  const float z = angle * angle;
  float s = std::fma(-1.9515295891e-4f, z, 8.3321608736e-3f);
  s = std::fma(s, z, -1.6666654611e-1f);
  const float third = z * angle;
  s = std::fma(s, third, angle);
  float c = std::fma(2.443315711809948e-5f, z, -1.388731625493765e-3f);
  c = std::fma(c, z, 4.166664568298827e-2f);
  const float fourth = z * z, half = std::fma(z, -0.5f, 1.0f);
  c = std::fma(c, fourth, half);
  const bool swap = second >> 30 & 1, negative = second >> 31;
  const float sine = swap ? c : s, cosine = swap ? -s : c;
  a = radius * (negative ? -cosine : cosine);
  b = radius * (negative ? -sine : sine);
}

}  // namespace needletail::philox
