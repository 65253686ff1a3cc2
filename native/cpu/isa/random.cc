#include "cpu/isa/random.h"

#include "philox.h"

namespace needletail::NT_ISA {

namespace {

constexpr int kBlocks = kRandomTile / 4;

// Sixteen blocks side by side, word by word, so that the compiler can use vectors.
struct Words {
  uint32_t word[4][kBlocks];
};

inline void fillWords(Words& w, uint64_t key, uint64_t counter) {
  for (int i = 0; i < kBlocks; i++) {
    const philox::Block block = philox::block(key, counter + static_cast<uint64_t>(i));
    for (int j = 0; j < 4; j++) w.word[j][i] = block.word[j];
  }
}

// Calls `make` with the words of each tile and the place of its results.
template <class Out, class Make>
inline void tiles(uint64_t key, uint64_t base, int64_t first, int64_t count, Out* out, Make make) {
  Words w;
  for (int64_t i = 0; i < count; i += kRandomTile) {
    fillWords(w, key, base + static_cast<uint64_t>((first + i) / 4));
    make(w, out + i);
  }
}

}  // namespace

void randomUniform(const RandomFloats& random, int64_t first, int64_t count, float* out) {
  const float low = random.a, width = random.b - random.a, last = random.last;
  tiles(random.key, random.base, first, count, out, [=](const Words& w, float* to) {
    for (int i = 0; i < kBlocks; i++) {
      for (int j = 0; j < 4; j++) {
        const float value = std::fma(philox::unit(w.word[j][i]), width, low);
        to[4 * i + j] = value < last ? value : last;
      }
    }
  });
}

void randomNormal(const RandomFloats& random, int64_t first, int64_t count, float* out) {
  const float mean = random.a, deviation = random.b;
  tiles(random.key, random.base, first, count, out, [=](const Words& w, float* to) {
    float value[4][kBlocks];
    for (int i = 0; i < kBlocks; i++) {
      philox::normalPair(w.word[0][i], w.word[1][i], value[0][i], value[1][i]);
      philox::normalPair(w.word[2][i], w.word[3][i], value[2][i], value[3][i]);
    }
    for (int i = 0; i < kBlocks; i++) {
      for (int j = 0; j < 4; j++) to[4 * i + j] = std::fma(value[j][i], deviation, mean);
    }
  });
}

void randomBernoulli(const RandomFloats& random, int64_t first, int64_t count, float* out) {
  const uint64_t threshold = random.threshold;
  const float value = random.b;
  tiles(random.key, random.base, first, count, out, [=](const Words& w, float* to) {
    for (int i = 0; i < kBlocks; i++) {
      for (int j = 0; j < 4; j++) to[4 * i + j] = w.word[j][i] < threshold ? value : 0.0f;
    }
  });
}

void randomWords(uint64_t key, uint64_t base, int64_t first, int64_t count, uint32_t* out) {
  tiles(key, base, first, count, out, [](const Words& w, uint32_t* to) {
    for (int i = 0; i < kBlocks; i++) {
      for (int j = 0; j < 4; j++) to[4 * i + j] = w.word[j][i];
    }
  });
}

}  // namespace needletail::NT_ISA
