// Random numbers from Philox blocks. A seeded call counts from block 0; else key and first block come from the state,
// which is moved on by the blocks used.
#include <algorithm>
#include <bit>
#include <cmath>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/isa/random.h"
#include "cpu/kernels.h"
#include "philox.h"

namespace needletail {

namespace {

constexpr int64_t kTile = 1024;  // a multiple of kRandomTile

struct RandomRun final : Prepared {
  Random params;
  DType dtype;
  int64_t n;
  float last = 0;
  bool parallel;
  uint64_t key = 0, base = 0;

  void run(Stream& stream, void* const* buffers) override {
    key = static_cast<uint64_t>(params.seed);
    base = 0;
    void* out = buffers[0];
    int64_t* state = nullptr;
    if (!params.seeded) {
      state = static_cast<int64_t*>(buffers[0]);
      out = buffers[1];
      key = static_cast<uint64_t>(state[0]);
      base = static_cast<uint64_t>(state[1]);
    }
    switch (params.distribution) {
      case Distribution::bits: words(static_cast<uint32_t*>(out)); break;
      case Distribution::integers: integers(out); break;
      case Distribution::permutation:
        permutation(static_cast<uint64_t*>(stream.workspace), static_cast<int32_t*>(out));
        break;
      default: floats(out);
    }
    // The state's new value goes where the output lies, which is the input's memory.
    if (state) {
      int64_t* next = static_cast<int64_t*>(buffers[2]);
      next[0] = static_cast<int64_t>(key);
      next[1] = static_cast<int64_t>(base + static_cast<uint64_t>(params.blocks(n)));
    }
  }

  // Calls `part` with ranges that start at multiples of kTile.
  template <class F>
  void ranges(F part) const {
    const int64_t tiles = (n + kTile - 1) / kTile;
    const int team = parallel ? static_cast<int>(std::min<int64_t>(threads(), tiles)) : 1;
#pragma omp parallel for schedule(static) num_threads(team) if (team > 1)
    for (int i = 0; i < team; i++) {
      const int64_t first = tiles * i / team * kTile, end = std::min(n, tiles * (i + 1) / team * kTile);
      for (int64_t t = first; t < end; t += kTile) part(t, std::min(kTile, end - t));
    }
  }

  void floats(void* out) const {
    const RandomFloats task{key,
                            base,
                            static_cast<float>(params.a),
                            static_cast<float>(params.b),
                            last,
                            static_cast<uint64_t>(std::llround(params.a * 0x1p32))};
    const auto make = params.distribution == Distribution::uniform  ? randomUniformForIsa()
                      : params.distribution == Distribution::normal ? randomNormalForIsa()
                                                                    : randomBernoulliForIsa();
    ranges([&](int64_t first, int64_t count) {
      alignas(64) float tile[kTile];
      const int64_t padded = (count + kRandomTile - 1) / kRandomTile * kRandomTile;
      if (dtype == DType::float32 && padded == count) return make(task, first, count, static_cast<float*>(out) + first);
      make(task, first, padded, tile);
      dispatch(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        T* to = static_cast<T*>(out) + first;
        for (int64_t i = 0; i < count; i++) to[i] = static_cast<T>(tile[i]);
      });
    });
  }

  void words(uint32_t* out) const {
    const auto make = randomWordsForIsa();
    ranges([&](int64_t first, int64_t count) {
      uint32_t tile[kTile];
      const int64_t padded = (count + kRandomTile - 1) / kRandomTile * kRandomTile;
      make(key, base, first, padded, tile);
      std::copy_n(tile, count, out + first);
    });
  }

  // Calls `use` with the number of an element and its two words.
  template <class F>
  void pairs(F use) const {
    const auto make = randomWordsForIsa();
    ranges([&](int64_t first, int64_t count) {
      uint32_t tile[2 * kTile];
      const int64_t padded = (2 * count + kRandomTile - 1) / kRandomTile * kRandomTile;
      make(key, base, 2 * first, padded, tile);
      for (int64_t i = 0; i < count; i++) use(first + i, tile[2 * i], tile[2 * i + 1]);
    });
  }

  void integers(void* out) const {
    const int64_t low = static_cast<int64_t>(params.a);
    const uint64_t width = static_cast<uint64_t>(static_cast<int64_t>(params.b) - low);
    dispatch(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      T* to = static_cast<T*>(out);
      pairs([=](int64_t i, uint32_t high, uint32_t rest) {
        to[i] = static_cast<T>(low + static_cast<int64_t>(philox::below(width, high, rest)));
      });
    });
  }

  // The order of random keys, in whose low bits stand the elements' own numbers.
  void permutation(uint64_t* keys, int32_t* out) const {
    const uint64_t mask = std::bit_ceil(static_cast<uint64_t>(n)) - 1;
    pairs([=](int64_t i, uint32_t high, uint32_t rest) {
      keys[i] = ((uint64_t{high} << 32 | rest) & ~mask) | static_cast<uint64_t>(i);
    });
    std::sort(keys, keys + n);
    for (int64_t i = 0; i < n; i++) out[i] = static_cast<int32_t>(keys[i] & mask);
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareRandom(const Call& call) {
  auto run = std::make_unique<RandomRun>();
  run->params = read<Random>(call.params);
  run->dtype = call.out[0].dtype;
  run->n = call.out[0].elements();
  const Distribution distribution = run->params.distribution;
  if (distribution == Distribution::uniform) run->last = lastBelow(run->dtype, static_cast<float>(run->params.b));
  double each = distribution == Distribution::normal ? 3 : 2;
  if (distribution == Distribution::permutation) {
    run->workspace = static_cast<size_t>(run->n) * sizeof(uint64_t);
    each = 5 * std::log2(static_cast<double>(run->n) + 2);
  }
  run->cost = 50 + each * static_cast<double>(run->n);
  run->parallel = run->threadBound = worthParallel(run->cost);
  return run;
}

}  // namespace needletail
