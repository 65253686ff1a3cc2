// Random numbers from Philox blocks (philox.h): the same as the CPU's to the bit. A seeded call counts from block 0;
// else key and first block come from the state, which is moved on by the blocks used.
#include <bit>
#include <cmath>

#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/sorting.h"
#include "philox.h"

namespace needletail::cuda {

namespace {

// The key and the number of the first block.
struct Source {
  const int64_t* state;  // null: the seed counts from 0
  uint64_t seed;
  NT_INLINE uint64_t key() const { return state ? static_cast<uint64_t>(state[0]) : seed; }
  NT_INLINE uint64_t base() const { return state ? static_cast<uint64_t>(state[1]) : 0; }
};

// Four numbers from each block: floats, or the words themselves.
struct FourBody {
  Source source;
  Distribution distribution;
  DType dtype;
  int64_t n;
  float a, b, last;
  uint64_t threshold;
  void* out;
  NT_INLINE void operator()(int64_t block) const {
    const philox::Block words = philox::block(source.key(), source.base() + static_cast<uint64_t>(block));
    float normal[4];
    if (distribution == Distribution::normal) {
      philox::normalPair(words.word[0], words.word[1], normal[0], normal[1]);
      philox::normalPair(words.word[2], words.word[3], normal[2], normal[3]);
    }
    for (int j = 0; j < 4 && 4 * block + j < n; j++) {
      const int64_t i = 4 * block + j;
      const uint32_t word = words.word[j];
      if (distribution == Distribution::bits) {
        static_cast<uint32_t*>(out)[i] = word;
      } else if (distribution == Distribution::uniform) {
        const float value = std::fma(philox::unit(word), b - a, a);
        put(i, value < last ? value : last);
      } else if (distribution == Distribution::normal) {
        put(i, std::fma(normal[j], b, a));
      } else {
        put(i, word < threshold ? b : 0.0f);
      }
    }
  }
  // Bernoulli numbers may be of any dtype.
  NT_INLINE void put(int64_t i, float value) const {
    if (dtype == DType::int32)
      static_cast<int32_t*>(out)[i] = static_cast<int32_t>(value);
    else if (dtype == DType::int64)
      static_cast<int64_t*>(out)[i] = static_cast<int64_t>(value);
    else if (dtype == DType::uint8 || dtype == DType::boolean)
      static_cast<uint8_t*>(out)[i] = static_cast<uint8_t>(value);
    else
      store<float>(out, dtype, i, value);
  }
};

// Two words from each half of a block: integers, or the keys of a permutation.
struct TwoBody {
  Source source;
  DType dtype;
  int64_t n;
  int64_t low;
  uint64_t width, mask;  // mask: of the elements' own numbers in a permutation's keys; 0: integers
  void* out;
  NT_INLINE void operator()(int64_t block) const {
    const philox::Block words = philox::block(source.key(), source.base() + static_cast<uint64_t>(block));
    for (int j = 0; j < 2 && 2 * block + j < n; j++) {
      const int64_t i = 2 * block + j;
      const uint32_t high = words.word[2 * j], rest = words.word[2 * j + 1];
      if (mask) {
        static_cast<uint64_t*>(out)[i] = ((uint64_t{high} << 32 | rest) & ~mask) | static_cast<uint64_t>(i);
        continue;
      }
      const int64_t value = low + static_cast<int64_t>(philox::below(width, high, rest));
      if (dtype == DType::int64)
        static_cast<int64_t*>(out)[i] = value;
      else if (dtype == DType::int32)
        static_cast<int32_t*>(out)[i] = static_cast<int32_t>(value);
      else
        static_cast<uint8_t*>(out)[i] = static_cast<uint8_t>(value);
    }
  }
};

struct PlacesBody {
  const uint64_t* keys;
  uint64_t mask;
  int32_t* out;
  NT_INLINE void operator()(int64_t i) const { out[i] = static_cast<int32_t>(keys[i] & mask); }
};

// The state's new value, once all blocks have been made of the old one.
struct MoveOnBody {
  const int64_t* state;
  int64_t blocks;
  int64_t* next;
  NT_INLINE void operator()(int64_t) const {
    next[0] = state[0];
    next[1] = state[1] + blocks;
  }
};

struct RandomRun final : Prepared {
  Random p;
  DType dtype;
  int64_t n;
  float last = 0;
  uint64_t mask = 0;

  void run(Stream& stream, void* const* buffers) override {
    const auto* state = p.seeded ? nullptr : static_cast<const int64_t*>(buffers[0]);
    const Source source{state, static_cast<uint64_t>(p.seed)};
    void* out = buffers[p.seeded ? 0 : 1];
    if (p.distribution == Distribution::integers) {
      const int64_t low = static_cast<int64_t>(p.a);
      each(stream, p.blocks(n),
           TwoBody{source, dtype, n, low, static_cast<uint64_t>(static_cast<int64_t>(p.b) - low), 0, out});
    } else if (p.distribution == Distribution::permutation) {
      // The order of random keys, in whose low bits stand the elements' own numbers.
      auto* keys = static_cast<uint64_t*>(stream.workspace);
      each(stream, p.blocks(n), TwoBody{source, dtype, n, 0, 0, mask, keys});
      const uint64_t* sorted = sortKeys(stream, keys, n);
      each(stream, n, PlacesBody{sorted, mask, static_cast<int32_t*>(out)});
    } else {
      each(stream, p.blocks(n),
           FourBody{source, p.distribution, dtype, n, static_cast<float>(p.a), static_cast<float>(p.b), last,
                    static_cast<uint64_t>(std::llround(p.a * 0x1p32)), out});
    }
    if (state) each(stream, 1, MoveOnBody{state, p.blocks(n), static_cast<int64_t*>(buffers[2])});
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareRandom(const Call& call) {
  auto run = std::make_unique<RandomRun>();
  run->p = read<Random>(call.params);
  run->dtype = call.out[0].dtype;
  run->n = call.out[0].elements();
  if (run->p.distribution == Distribution::uniform) run->last = lastBelow(run->dtype, static_cast<float>(run->p.b));
  if (run->p.distribution == Distribution::permutation) {
    run->mask = std::bit_ceil(static_cast<uint64_t>(run->n)) - 1;
    run->workspace = sortKeysBytes(run->n);
  }
  return run;
}

}  // namespace needletail::cuda
