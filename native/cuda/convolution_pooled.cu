// First layers: a convolution of few channels with the maxima over its windows in one launch, and the gradient of its
// weights from the windows' winners alone. A library's kernels, made for many channels, leave most of the machine idle
// here, and what is pooled is the largest tensor of such a network: it is never written.
#include <bit>

#include "cuda/convolution.h"
#include "cuda/divide.h"
#include "cuda/epilogue.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/parts.h"
#include "cuda/report.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

constexpr int kOutputs = 32;  // channels of the result that a block makes
constexpr int kChannels = 4;  // and a thread
constexpr int kDown = 4, kAlong = 8;  // a tile: jobs one below the other and side by side
constexpr int kWarps = kThreads / 32;
constexpr int64_t kMostParts = 1024;  // of a sum over all places: several waves of blocks on the largest GPUs
static_assert(kDown * kAlong * (kOutputs / kChannels) == kThreads && kOutputs == 32);

using Quad = Pack<float, kChannels>;

// Windows [ph, pw] of n results, in tiles; what a block needs to know beside the sizes that its code is made for.
struct Pooled {
  ConvolutionShape s;
  Divider down, along, bands;  // tiles of an image, and bands of kOutputs channels
  int64_t tiles;
  Pooled(const ConvolutionShape& shape, int64_t windows)
      : s(shape),
        down(divideUp(s.ph, kDown)),
        along(divideUp(s.pw, windows * kAlong)),
        bands(divideUp(s.o, kOutputs)),
        tiles(s.n * divideUp(s.ph, kDown) * divideUp(s.pw, windows * kAlong)) {}
  int64_t bandCount() const { return divideUp(s.o, kOutputs); }
  // What an image has of them comes first: in 64 bits, once a block.
  NT_INLINE int64_t image(int64_t i) const { return i * s.ph * s.pw * s.o; }
  NT_INLINE int element(int line, int column, int channel) const {
    return (line * static_cast<int>(s.pw) + column) * static_cast<int>(s.o) + channel;
  }
};

// A kernel of K x K, C channels of the image, windows of P x P side by side.
template <int K, int C, int P>
struct Sizes {
  static constexpr int kC = C, kP = P;
  static constexpr int kRow = K * C;  // of a patch: it lies together in the image
  static constexpr int kPatch = K * kRow;
  static constexpr int kWindows = P == 2 ? 2 : 1;  // of a job, side by side: as many sums as a thread has registers for
  static constexpr int kPlaces = kWindows * P;  // of the convolution in a line of a job
  static constexpr int kRows = kDown * P + K - 1;  // of the image under a tile
  static constexpr int kPitch = ((kAlong * kPlaces + K - 1) * C + 3) / 4 * 4;
  static constexpr int kTile = kRows * kPitch;
  // Blocks of a multiprocessor: as many as it has registers for.
  static constexpr int kResident = K > 3 || P > 2 ? 1 : C > 3 ? 2 : 3;
};

// The first window of a tile.
struct Corner {
  int64_t image;
  int line, column;
};
template <class Z>
NT_INLINE Corner cornerOf(const Pooled& p, int64_t tile) {
  const int along = static_cast<int>(p.along.split(tile)), down = static_cast<int>(p.down.split(tile));
  return {tile, down * kDown, along * kAlong * Z::kWindows};
}

// A part of a matrix on its way into shared memory, Rows x Columns from (top, left), as floats: 0 outside of the
// matrix. What a block brings is fetched before the first of it is stored: the loads are on their way together.
template <int Rows, int Columns>
struct Cut {
  static constexpr int kLanes = std::bit_ceil(static_cast<unsigned>(Columns)), kAtOnce = kThreads / kLanes;
  static constexpr int kMine = (Rows + kAtOnce - 1) / kAtOnce;
  static_assert(kLanes <= kThreads);
  float of[kMine];  // a thread's: in one column, kAtOnce rows apart

  template <class S>
  NT_INLINE void fetch(const S* matrix, int height, int width, int top, int left, int t) {
    const int column = left + t % kLanes;
    const bool across = t % kLanes < Columns && isBelow(column, width);
    NT_UNROLL
    for (int i = 0; i < kMine; i++) {
      const int row = top + t / kLanes + i * kAtOnce;
      const bool inside = across && isBelow(row, height);
      const float value = matrix[inside ? row * width + column : 0];
      of[i] = inside ? value : 0;
    }
  }
  // put(row, column, value), each from 0.
  template <class Put>
  NT_INLINE void store(int t, const Put& put) const {
    NT_UNROLL
    for (int i = 0; i < kMine; i++) {
      const int row = t / kLanes + i * kAtOnce;
      if (t % kLanes < Columns && row < Rows) put(row, t % kLanes, of[i]);
    }
  }
};

// The image under a tile.
template <class Z>
NT_INLINE void fetchImage(const Pooled& p, const Corner& corner, const void* x, int t,
                          Cut<Z::kRows, Z::kPitch>& image) {
  const int height = static_cast<int>(p.s.h), width = static_cast<int>(p.s.w) * Z::kC;
  const int top = corner.line * Z::kP - p.s.params.low[0];
  const int left = (corner.column * Z::kP - p.s.params.low[1]) * Z::kC;
  dispatchStored(p.s.imageType, [&](auto tag) {
    using S = typename decltype(tag)::type;
    image.fetch(static_cast<const S*>(x) + corner.image * height * width, height, width, top, left, t);
  });
}
template <class Z>
NT_INLINE void storeImage(const Pooled& p, int t, const Cut<Z::kRows, Z::kPitch>& image, float* tile) {
  image.store(t, [&](int row, int column, float value) { tile[row * Z::kPitch + column] = rounded(p.s.dtype, value); });
}

template <int K, int C, int P>
struct PooledForward {
  using Z = Sizes<K, C, P>;
  static constexpr int kResident = Z::kResident;
  static constexpr int kLine = (Z::kPlaces + K - 1) * C;  // of the image under a line of a job
  static constexpr int kPitch = kOutputs / kChannels + 1;  // one more than needed: taps begin in different banks
  Pooled p;
  const void *x, *weights, *bias;
  void* y;
  int32_t* positions;  // null where nobody asks for them

  NT_INLINE void operator()(const Block& block) const {
    NT_SHARED(Quad, tile, Z::kTile / 4);
    NT_SHARED(Quad, taps, Z::kPatch * kPitch);
    NT_SHARED(Quad, biases, kOutputs / kChannels);
    int64_t at = block.index;
    const int band = static_cast<int>(p.bands.split(at)) * kOutputs;
    const Corner corner = cornerOf<Z>(p, at);
    block.each([&](int t) { bring(corner, band, t, tile[0].of, taps[0].of, biases[0].of); });
    block.each([&](int t) {
      const int group = t % (kOutputs / kChannels), job = t / (kOutputs / kChannels) % kAlong;
      const int line = t / (kOutputs / kChannels) / kAlong;
      float sums[P][Z::kPlaces][kChannels];
      sum(tile[0].of + line * P * Z::kPitch + job * Z::kPlaces * C, taps + group, sums);
      NT_UNROLL
      for (int k = 0; k < Z::kWindows; k++) {
        put(sums, k, {corner.image, corner.line + line, corner.column + job * Z::kWindows + k},
            band + group * kChannels, biases[group]);
      }
    });
  }

 private:
  // The weights, [o, patch], become [patch, kOutputs], so that a thread takes its channels at once.
  NT_INLINE void bring(const Corner& corner, int band, int t, float* tile, float* taps, float* biases) const {
    const int channels = static_cast<int>(p.s.o);
    Cut<Z::kRows, Z::kPitch> image;
    Cut<kOutputs, Z::kPatch> part;
    Cut<1, kOutputs> vector;
    fetchImage<Z>(p, corner, x, t, image);
    dispatchStored(p.s.dtype, [&](auto tag) {
      using S = typename decltype(tag)::type;
      part.fetch(static_cast<const S*>(weights), channels, Z::kPatch, band, 0, t);
      vector.fetch(static_cast<const S*>(bias ? bias : weights), 1, channels, 0, band, t);
    });
    storeImage<Z>(p, t, image, tile);
    part.store(t, [&](int channel, int tap, float value) { taps[tap * kPitch * kChannels + channel] = value; });
    vector.store(t, [&](int, int channel, float value) { biases[channel] = bias ? value : 0; });
  }

  // All places and channels of a job. A tap's weights serve all places; of the image's lines, as many as a window has
  // are at hand, and each tap row goes one further.
  NT_INLINE void sum(const float* image, const Quad* taps, float (&sums)[P][Z::kPlaces][kChannels]) const {
    float lines[P][kLine];
    NT_UNROLL
    for (int i = 0; i < P; i++) {
      NT_UNROLL
      for (int j = 0; j < Z::kPlaces; j++) {
        NT_UNROLL
        for (int e = 0; e < kChannels; e++) sums[i][j][e] = 0;
      }
      if (i < P - 1) take(image + i * Z::kPitch, lines[i]);
    }
    NT_UNROLL
    for (int ky = 0; ky < K; ky++) {
      take(image + (ky + P - 1) * Z::kPitch, lines[P - 1]);
      NT_UNROLL
      for (int l = 0; l < Z::kRow; l++) {
        const Quad tap = taps[(ky * Z::kRow + l) * kPitch];
        NT_UNROLL
        for (int i = 0; i < P; i++) {
          NT_UNROLL
          for (int j = 0; j < Z::kPlaces; j++) {
            NT_UNROLL
            for (int e = 0; e < kChannels; e++) sums[i][j][e] += lines[i][j * C + l] * tap.of[e];
          }
        }
      }
      NT_UNROLL
      for (int i = 0; i < P - 1; i++) {
        NT_UNROLL
        for (int l = 0; l < kLine; l++) lines[i][l] = lines[i + 1][l];
      }
    }
  }
  NT_INLINE static void take(const float* from, float (&line)[kLine]) {
    if constexpr (Z::kPlaces * C % 4 == 0) {  // jobs begin at multiples of 16 bytes
      NT_UNROLL
      for (int l = 0; l < kLine; l += 4) {
        const Quad four = loadPack<4>(from + l);
        NT_UNROLL
        for (int e = 0; e < 4; e++) {
          if (l + e < kLine) line[l + e] = four.of[e];
        }
      }
    } else {
      NT_UNROLL
      for (int l = 0; l < kLine; l++) line[l] = from[l];
    }
  }

  // The greatest values of window k of a job, and their places. The bias, which is the same for all, is added once.
  NT_INLINE void put(const float (&sums)[P][Z::kPlaces][kChannels], int k, const Corner& window, int channel,
                     const Quad& add) const {
    if (window.line >= p.s.ph || window.column >= p.s.pw || channel >= p.s.o) return;
    const int32_t first = window.line * P * static_cast<int>(p.s.ow) + window.column * P;
    const bool relu = p.s.params.epilogue.activation == Activation::relu;
    float values[kChannels];
    Pack<int32_t, kChannels> winners;
    NT_UNROLL
    for (int e = 0; e < kChannels; e++) {
      float most = sums[0][k * P][e];
      int32_t winner = first;
      NT_UNROLL
      for (int place = 1; place < P * P; place++) {
        const float value = sums[place / P][k * P + place % P][e];
        if (!beats(value, most)) continue;
        most = value;
        winner = first + place / P * static_cast<int>(p.s.ow) + place % P;
      }
      most += add.of[e];
      const bool none = relu && most <= 0;  // all are 0 then, and the first of them wins
      values[e] = none ? 0 : most;
      winners.of[e] = none ? first : winner;
    }
    const int64_t at = p.image(window.image) + p.element(window.line, window.column, channel);
    storeFloats(y, p.s.dtype, at, values);
    if (positions) storePack(positions + at, winners);
  }
};

// Sums over some of the tiles: a warp has a channel a thread and takes windows, of which it only looks at the winner's
// patch. [parts, patch + 1, o]: the last is the bias.
template <int K, int C, int P>
struct PooledWeights {
  using Z = Sizes<K, C, P>;
  static constexpr int kResident = Z::kResident;
  static constexpr int kSums = Z::kPatch + 1;
  static constexpr int kTogether = kThreads / kOutputs;  // sums that a block adds up at once
  static constexpr int kAcross = kAlong * Z::kWindows;  // windows of a tile
  static constexpr int kMine = kDown * kAcross / kWarps;  // and of a warp
  Pooled p;
  int64_t parts;
  const void *gradient, *x;
  const int32_t* positions;
  const void* values;  // a ReLU's: where one isn't positive, no gradient comes through; null: none
  float* out;
  Report report;  // positions come from a tensor

  struct Sums {
    float of[kSums];
  };
  struct alignas(8) Winner {
    float gradient;
    int at;  // where its patch begins in the tile
  };

  NT_INLINE void operator()(const Block& block) const {
    NT_SHARED(float, tile, Z::kTile);
    NT_SHARED(float, warps, kTogether * kWarps * kOutputs);
    NT_SHARED(Winner, winners, kDown * kAcross * kOutputs);
    Own<Sums> own;
    int64_t part = block.index;
    const int band = static_cast<int>(p.bands.split(part)) * kOutputs;
    for (int64_t k = part; k < p.tiles; k += parts) {
      const Corner corner = cornerOf<Z>(p, k);
      block.each([&](int t) { bring(corner, band, t, tile, winners); });
      block.each([&](int t) {
        Sums& sums = own[t];
        NT_ROLL
        for (int i = 0; i < kMine; i++) {
          const Winner winner = winners[(t / kOutputs * kMine + i) * kOutputs + t % kOutputs];
          const float* patch = tile + winner.at;
          NT_UNROLL
          for (int ky = 0; ky < K; ky++) {
            NT_UNROLL
            for (int l = 0; l < Z::kRow; l++) sums.of[ky * Z::kRow + l] += winner.gradient * patch[ky * Z::kPitch + l];
          }
          sums.of[Z::kPatch] += winner.gradient;
        }
      });
    }
    NT_UNROLL
    for (int first = 0; first < kSums; first += kTogether) {
      block.each([&](int t) {
        NT_UNROLL
        for (int i = 0; i < kTogether; i++) {
          if (first + i < kSums) warps[i * kThreads + t] = own[t].of[first + i];
        }
      });
      block.each([&](int t) {
        const int lane = t % kOutputs, i = t / kOutputs;
        if (first + i >= kSums || band + lane >= p.s.o) return;
        float sum = 0;
        NT_UNROLL
        for (int warp = 0; warp < kWarps; warp++) sum += warps[i * kThreads + warp * kOutputs + lane];
        out[(part * kSums + first + i) * p.s.o + band + lane] = sum;
      });
    }
  }

 private:
  // The image under a tile, and the gradients of its windows, [windows, kOutputs], with where they belong: a thread
  // brings those of neighbouring channels.
  NT_INLINE void bring(const Corner& corner, int band, int t, float* tile, Winner* winners) const {
    constexpr int kGroups = kOutputs / kChannels, kAtOnce = kThreads / kGroups, kRounds = kDown * kAcross / kAtOnce;
    const int channel = band + t % kGroups * kChannels;
    const int64_t first = p.image(corner.image);
    Cut<Z::kRows, Z::kPitch> image;
    Pack<int32_t, kChannels> places[kRounds];
    float gradients[kRounds][kChannels];
    bool inside[kRounds];
    fetchImage<Z>(p, corner, x, t, image);
    dispatchStored(p.s.dtype, [&](auto tag) {
      using S = typename decltype(tag)::type;
      Pack<S, kChannels> own[kRounds], relu[kRounds];
      NT_UNROLL
      for (int i = 0; i < kRounds; i++) {
        const int window = t / kGroups + i * kAtOnce;
        const int row = corner.line + window / kAcross, column = corner.column + window % kAcross;
        inside[i] = channel < p.s.o && row < p.s.ph && column < p.s.pw;
        const int64_t at = first + (inside[i] ? p.element(row, column, channel) : 0);
        places[i] = loadPack<kChannels>(positions + at);
        own[i] = loadPack<kChannels>(static_cast<const S*>(gradient) + at);
        relu[i] = loadPack<kChannels>(static_cast<const S*>(values ? values : gradient) + at);
      }
      NT_UNROLL
      for (int i = 0; i < kRounds; i++) {
        NT_UNROLL
        for (int e = 0; e < kChannels; e++) {
          gradients[i][e] = values && !(relu[i].of[e] > 0) ? 0 : static_cast<float>(own[i].of[e]);
        }
      }
    });
    storeImage<Z>(p, t, image, tile);
    const uint32_t width = static_cast<uint32_t>(p.s.ow);
    int32_t outside = 0;
    NT_UNROLL
    for (int i = 0; i < kRounds; i++) {
      const int window = t / kGroups + i * kAtOnce, row = window / kAcross * P, column = window % kAcross * P;
      const uint32_t place = (corner.line * P + row) * width + corner.column * P + column;
      NT_UNROLL
      for (int e = 0; e < kChannels; e++) {
        uint32_t along = static_cast<uint32_t>(places[i].of[e]) - place, down = 0;
        NT_UNROLL
        for (int k = 1; k < P; k++) down += along >= k * width;
        along -= down * width;
        const bool fits = inside[i] && along < P;  // a place outside of its window has no gradient
        if (inside[i] && !fits) outside = places[i].of[e];
        const int patch = static_cast<int>((row + down) * Z::kPitch + (column + along) * C);
        winners[window * kOutputs + t % kGroups * kChannels + e] = {fits ? gradients[i][e] : 0, fits ? patch : 0};
      }
    }
    report.within(outside, p.s.oh * p.s.ow);
  }
};

// Where a sum of PooledWeights goes.
struct PutWeights {
  int patch, channels;
  DType dtype;
  void *weights, *bias;
  NT_INLINE void operator()(int i, float sum) const {
    const int tap = i / channels, channel = i % channels;
    tap < patch ? store<float>(weights, dtype, channel * patch + tap, sum) : store<float>(bias, dtype, channel, sum);
  }
};

template <int K, int C, int P>
struct PooledRun final : Prepared {
  using Z = Sizes<K, C, P>;
  Pooled p;
  int64_t parts;  // of a gradient
  explicit PooledRun(const ConvolutionShape& s)
      : p(s, Z::kWindows), parts(std::min(p.tiles, std::max<int64_t>(1, kMostParts / p.bandCount()))) {
    if (s.kernel == Kernel::convolutionWeights)
      workspace = static_cast<size_t>(parts * (Z::kPatch + 1) * s.o) * sizeof(float);
  }
  void run(Stream& stream, void* const* buffers) override {
    p.s.kernel == Kernel::convolution ? forward(stream, buffers) : weights(stream, buffers);
  }
  void forward(Stream& stream, void* const* buffers) const {
    const bool bias = p.s.hasBias();
    void* const* out = buffers + 2 + bias;
    blocks(stream, p.tiles * p.bandCount(),
           PooledForward<K, C, P>{p, buffers[0], buffers[1], bias ? buffers[2] : nullptr, out[0],
                                  p.s.positions ? static_cast<int32_t*>(out[1]) : nullptr});
  }
  void weights(Stream& stream, void* const* buffers) const {
    const bool relu = p.s.params.pool.reluGradient, bias = p.s.hasBias();
    auto* sums = static_cast<float*>(stream.workspace);
    blocks(stream, parts * p.bandCount(),
           PooledWeights<K, C, P>{p, parts, buffers[0], buffers[1], static_cast<const int32_t*>(buffers[2]),
                                  relu ? buffers[3] : nullptr, sums, Report(stream, Wrong::position)});
    const int o = static_cast<int>(p.s.o);
    void* const* out = buffers + 3 + relu;
    addParts(stream, sums, parts, (Z::kPatch + 1) * o, (Z::kPatch + bias) * o,
             PutWeights{Z::kPatch, o, p.s.dtype, out[0], bias ? out[1] : nullptr});
  }
};

template <int K, int C>
std::unique_ptr<Prepared> prepareFor(const ConvolutionShape& s) {
  if (s.params.pool.size[0] == 2) return std::make_unique<PooledRun<K, C, 2>>(s);
  return std::make_unique<PooledRun<K, C, 3>>(s);
}
template <int C>
std::unique_ptr<Prepared> prepareFor(const ConvolutionShape& s) {
  return s.kh == 3 ? prepareFor<3, C>(s) : prepareFor<5, C>(s);
}

// Of the shapes that pooled convolutions have, those of which the kernels above are made.
bool isKnown(const ConvolutionShape& s) {
  const Convolution& c = s.params;
  const Pool& pool = c.pool;
  const Epilogue& epilogue = c.epilogue;
  if (s.kernel != Kernel::convolution && s.kernel != Kernel::convolutionWeights) return false;
  if (epilogue.residual || (epilogue.activation != Activation::none && epilogue.activation != Activation::relu))
    return false;
  if (c.groups > 1 || !c.hasUnitSteps() || s.kh != s.kw || (s.kh != 3 && s.kh != 5)) return false;
  if (pool.size[0] != 2 && pool.size[0] != 3) return false;
  for (int axis = 0; axis < 2; axis++) {
    if (pool.size[axis] != pool.size[0] || pool.stride[axis] != pool.size[0] || pool.low[axis] != 0) return false;
  }
  if (s.o % kChannels != 0 || s.h * s.w * s.c == 0 || std::max(s.h * s.w * s.c, s.oh * s.ow * s.o) > INT32_MAX)
    return false;
  return s.ph * pool.size[0] <= s.oh && s.pw * pool.size[1] <= s.ow;  // whole windows
}

}  // namespace

std::unique_ptr<Prepared> convolutionPooled(const Call& call) {
  const ConvolutionShape s(call);
  if (!isKnown(s)) return nullptr;
  switch (s.c) {
    case 1: return prepareFor<1>(s);
    case 2: return prepareFor<2>(s);
    case 3: return prepareFor<3>(s);
    case 4: return prepareFor<4>(s);
    default: return nullptr;
  }
}

}  // namespace needletail::cuda
