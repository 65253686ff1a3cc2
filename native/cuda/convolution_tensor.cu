// Convolutions of few channels in half precision, on tensor cores, with the ReLU and the maximum pool that follow, and
// the gradients of their images. A library's kernels, made for many channels, leave most of the machine idle here. A
// block makes a tile of places in up to 64 channels: the image under it and the weights lie in shared memory at once,
// so nothing is waited for but their arrival; and a row of the image that is in registers serves all rows of the
// kernel. The gradient that comes from behind a maximum pool is spread over its windows on its way there.
#include <string>

#include "cuda/convolution.h"
#include "cuda/divide.h"
#include "cuda/epilogue.h"
#include "cuda/tensor_core.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

constexpr int kDepth = 16;  // channels that a product takes
constexpr int kPair = 16;  // channels that two products make
constexpr int kSides = 2;  // warps beside one another, each with channels of its own
constexpr int kLines = kTile / (kWarps / kSides);  // of the tile that a warp makes

// The convolution of an image, or of the gradient with turned weights, which is the gradient of the image.
struct Task {
  int64_t images;
  int height, width, depth;  // of the image
  int rows, columns, channels;  // of the result
  int top, left;  // padding
  int part;  // of the depth, which is brought at once; 1 << partLanes threads bring so much of a pixel
  int lanes, partLanes;
  bool relu, pooled;
  bool unpooled, poolRelu;  // the image is a gradient of windows' maxima, which the ReLU's is multiplied into
  Divider bands, across, down;
  int64_t blocks;

  Task(const ConvolutionShape& s, int band) : images(s.n) {
    const auto of = [](int64_t n) { return static_cast<int>(n); };
    const int *low = s.params.low, tall = of(s.kh) - 1, wide = of(s.kw) - 1;
    if (s.kernel == Kernel::convolution) {
      height = of(s.h), width = of(s.w), depth = of(s.c), rows = of(s.oh), columns = of(s.ow), channels = of(s.o);
      top = low[0], left = low[1];
    } else {
      height = of(s.oh), width = of(s.ow), depth = of(s.o), rows = of(s.h), columns = of(s.w), channels = of(s.c);
      top = tall - low[0], left = wide - low[1];
    }
    part = depth % 32 == 0 && depth > 32 ? 32 : kDepth;
    lanes = lanesFor(depth), partLanes = lanesFor(part);
    relu = s.params.epilogue.activation == Activation::relu;
    pooled = s.params.pooled && s.kernel == Kernel::convolution;
    unpooled = s.params.pooled && !pooled, poolRelu = unpooled && s.params.pool.reluGradient;
    const int64_t bandCount = divideUp(channels, band);
    const int64_t tilesAcross = divideUp(columns, kTile), tilesDown = divideUp(rows, kTile);
    bands = Divider(bandCount), across = Divider(tilesAcross), down = Divider(tilesDown);
    blocks = images * tilesDown * tilesAcross * bandCount;
  }
};

// A kernel of K x K. Pairs: of products that a warp makes side by side.
template <class S, int K, int Pairs, bool Turned>
struct TensorConvolution {
  static constexpr int kResident = Pairs == 1 ? 2 : 1;
  static constexpr int kBand = kSides * Pairs * kPair;  // channels that a block makes
  static constexpr int kPitch = kBand + kPad;
  static constexpr int kUnder = kTile + K - 1;  // of the image, down and across
  static constexpr int kChunks = kBand / kVec;
  Task p;
  const S *image = nullptr, *weights = nullptr;
  const S *bias = nullptr, *values = nullptr;  // values: of a ReLU whose gradient is multiplied in
  const S* maxima = nullptr;  // of the windows, and where they are: of a gradient of maxima
  const int32_t* winners = nullptr;
  S* out = nullptr;
  int32_t* positions = nullptr;  // null where nobody asks for them

  struct Place {
    int64_t image;
    int y, x, channel;
  };
  struct WarpSums {
    Lanes<Sums> of[kLines][2 * Pairs];
  };

  size_t sharedBytes() const {
    const int operands = tapRows() * tapPitch() + kUnder * kUnder * imagePitch(), results = kTile * kTile * kPitch;
    return static_cast<size_t>(std::max(operands, results)) * sizeof(S);
  }

  NT_INLINE void operator()(const Block& block) const {
    int64_t at = block.index;
    Place first;
    first.channel = static_cast<int>(p.bands.split(at)) * kBand;
    first.x = static_cast<int>(p.across.split(at)) * kTile;
    first.y = static_cast<int>(p.down.split(at)) * kTile;
    first.image = at;
    S* const taps = block.shared<S>();
    S* const under = taps + tapRows() * tapPitch();
    S* const results = taps;  // when the operands are no longer needed
    OfWarps<WarpSums> sums;
    block.each([&](int t) { bring(first, t, taps, under); });
    eachWarp([&](int warp) { sum(warp, taps, under, sums[warp]); });
    eachWarp([&](int warp) { finish(warp, first.channel, sums[warp], results); });
    block.each([&](int t) { p.pooled ? putMaxima(first, t, results) : put(first, t, results); });
  }

 private:
  // In shared memory: pixels [kUnder, kUnder, depth], and for each channel of the result (Turned: of the image) its
  // weights [K, K, depth] (Turned: [K, K, kBand]). There is a pad behind each pixel and each line of weights.
  NT_INLINE int tapRows() const { return Turned ? p.depth : kBand; }
  NT_INLINE int tapWidth() const { return Turned ? kBand : p.depth; }
  NT_INLINE int tapLine() const { return K * tapWidth() + kPad; }
  NT_INLINE int tapPitch() const { return K * tapLine(); }
  NT_INLINE int imagePitch() const { return p.depth + kPad; }

  // In the order in which it is needed: for the kernel's first column a part of the depth after the other, the image
  // and the weights; then the weights of each other column.
  NT_INLINE void bring(const Place& first, int t, S* taps, S* under) const {
    for (int k = 0; k < p.depth; k += p.part) {
      if (!p.unpooled) bringPixels(first, t, k, under);
      bringTaps(first, t, 0, k, p.part, p.partLanes, taps);
      endCopies();
    }
    for (int kx = 1; kx < K; kx++) {
      bringTaps(first, t, kx, 0, p.depth, p.lanes, taps);
      endCopies();
    }
    if constexpr (Turned) {
      if (p.unpooled) spreadWindows(first, t, under);
    }
  }
  // Windows of 2 x 2: each gradient goes where its window's maximum was, and zeros elsewhere. What lies in no window is
  // taken for part of one without a maximum.
  NT_INLINE void spreadWindows(const Place& first, int t, S* under) const {
    constexpr int kCells = kUnder / 2 + 1, kAtOnce = 4;  // cells: windows that reach under the tile, down and across
    const int top = first.y - p.top, left = first.x - p.left, rows = p.height / 2, columns = p.width / 2;
    const int64_t begin = first.image * rows * columns * p.depth;
    const int atOnce = kThreads >> p.lanes, e = std::min((t & ((1 << p.lanes) - 1)) * kVec, p.depth - kVec);
    for (int cell = t >> p.lanes; cell < kCells * kCells; cell += kAtOnce * atOnce) {
      Pack<S, kVec> gradient[kAtOnce], most[kAtOnce];
      Pack<int32_t, kVec> winner[kAtOnce];
      NT_UNROLL
      for (int i = 0; i < kAtOnce; i++) {
        const int y = (top >> 1) + (cell + i * atOnce) / kCells, x = (left >> 1) + (cell + i * atOnce) % kCells;
        gradient[i] = {}, most[i] = {}, winner[i] = {};
        if (!isBelow(y, rows) || !isBelow(x, columns)) continue;
        const int64_t at = begin + (y * columns + x) * p.depth + e;
        gradient[i] = loadPack<kVec>(image + at);
        winner[i] = loadPack<kVec>(winners + at);
        if (p.poolRelu) most[i] = loadPack<kVec>(maxima + at);
      }
      NT_UNROLL
      for (int i = 0; i < kAtOnce; i++) {
        if (cell + i * atOnce >= kCells * kCells) continue;
        const int y = ((top >> 1) + (cell + i * atOnce) / kCells) * 2,
                  x = ((left >> 1) + (cell + i * atOnce) % kCells) * 2;
        NT_UNROLL
        for (int v = 0; v < kVec; v++) {
          if (p.poolRelu && !(most[i].of[v] > 0)) gradient[i].of[v] = S(0.0f);
        }
        NT_UNROLL
        for (int place = 0; place < 4; place++) {
          const int below = y + place / 2, beside = x + place % 2;
          if (!isBelow(below - top, kUnder) || !isBelow(beside - left, kUnder)) continue;
          const int pixel = below * p.width + beside;
          Pack<S, kVec> pack;
          NT_UNROLL
          for (int v = 0; v < kVec; v++) pack.of[v] = winner[i].of[v] == pixel ? gradient[i].of[v] : S(0.0f);
          storePack(under + ((below - top) * kUnder + beside - left) * imagePitch() + e, pack);
        }
      }
    }
  }
  NT_INLINE void bringPixels(const Place& first, int t, int k, S* under) const {
    const S* const from = image + first.image * p.height * p.width * p.depth + k;
    eachChunk(t, p.partLanes, kUnder * kUnder, p.part, [&](int pixel, int e) {
      const int y = first.y - p.top + pixel / kUnder, x = first.x - p.left + pixel % kUnder;
      const bool inside = isBelow(y, p.height) && isBelow(x, p.width);
      copyAsync(under + pixel * imagePitch() + k + e, from + (y * p.width + x) * p.depth + e, inside);
    });
  }
  // A column of the kernel for the channels [k, k + count) of the image, which `lanes` are for.
  NT_INLINE void bringTaps(const Place& first, int t, int kx, int k, int count, int lanes, S* taps) const {
    const int column = placeOf(kx);
    if constexpr (Turned) {
      constexpr int kBandLanes = lanesFor(kBand);
      const S* const from = weights + (static_cast<int64_t>(k) * K * K + column) * p.channels + first.channel;
      eachChunk(t, kBandLanes, count * K, kBand, [&](int line, int e) {
        S* const to = taps + (k * K + line) * tapLine() + column * kBand + e;
        copyAsync(to, from + line * K * p.channels + e, first.channel + e < p.channels);
      });
    } else {
      const S* const from = weights + (static_cast<int64_t>(first.channel) * K * K + column) * p.depth + k;
      const int lines = (p.channels - first.channel) * K;
      eachChunk(t, lanes, kBand * K, count, [&](int line, int e) {
        S* const to = taps + line * tapLine() + column * p.depth + k + e;
        copyAsync(to, from + line * K * p.depth + e, line < lines);
      });
    }
  }
  // Where the weights for a row or column of the kernel lie.
  static NT_INLINE int placeOf(int k) { return Turned ? K - 1 - k : k; }

  NT_INLINE void sum(int warp, const S* taps, const S* under, WarpSums& sums) const {
    const int line = warp / kSides * kLines, side = warp % kSides * Pairs * kPair;
    int later = p.depth / p.part + K - 1;  // groups of copies
    NT_ROLL
    for (int kx = 0; kx < K; kx++) {
      NT_ROLL
      for (int k = 0; k < p.depth; k += kDepth) {
        if (k == 0 || (kx == 0 && (k & (p.part - 1)) == 0)) awaitCopies(--later);
        Lanes<Registers> lines[kLines + K - 1], part;
        NT_UNROLL
        for (int i = 0; i < kLines + K - 1; i++) {
          loadMatrices<false>(lines[i], [&](int lane) {
            return under + ((line + i) * kUnder + kx + lane % 16) * imagePitch() + k + lane / 16 * 8;
          });
        }
        NT_UNROLL
        for (int ky = 0; ky < K; ky++) {
          NT_UNROLL
          for (int pair = 0; pair < Pairs; pair++) {
            loadMatrices<Turned>(part, [&](int lane) {
              const int channel = side + pair * kPair + lane / 16 * 8;
              const int tap = placeOf(ky) * tapLine() + placeOf(kx) * tapWidth();
              return Turned ? taps + (k + lane % 16) * tapPitch() + tap + channel
                            : taps + (channel + lane % 8) * tapPitch() + tap + k + lane / 8 % 2 * 8;
            });
            NT_UNROLL
            for (int i = 0; i < kLines; i++) {
              multiply<S>(sums.of[i][2 * pair], lines[i + ky], part, 0);
              multiply<S>(sums.of[i][2 * pair + 1], lines[i + ky], part, 1);
            }
          }
        }
      }
    }
  }

  // The results, rounded, lie in shared memory [kTile, kTile, kBand], where a thread finds a window's together.
  NT_INLINE void finish(int warp, int band, WarpSums& sums, S* results) const {
    const int line = warp / kSides * kLines, side = warp % kSides * Pairs * kPair;
    eachLane([&](int lane) {
      Pack<S, 2> add[2 * Pairs] = {};
      NT_UNROLL
      for (int j = 0; j < 2 * Pairs; j++) {
        const int channel = band + side + j * 8 + lane % 4 * 2;
        if (bias && channel < p.channels) add[j] = loadPack<2>(bias + channel);
      }
      NT_UNROLL
      for (int j = 0; j < 2 * Pairs; j++) {
        const int channel = side + j * 8 + lane % 4 * 2;
        NT_UNROLL
        for (int i = 0; i < 2 * kLines; i++) {
          Pack<S, 2> pack;
          NT_UNROLL
          for (int e = 0; e < 2; e++) {
            const float sum = sums.of[i / 2][j][lane].of[i % 2 * 2 + e] + add[j].of[e];
            pack.of[e] = S(p.relu ? activated(Activation::relu, sum) : sum);
          }
          storePack(results + ((line + i / 2) * kTile + lane / 4 + i % 2 * 8) * kPitch + channel, pack);
        }
      }
    });
  }

  // What is loaded is fetched before the first result is stored.
  NT_INLINE void put(const Place& first, int t, const S* results) const {
    constexpr int kMine = kTile * kTile * kChunks / kThreads;
    const int64_t begin = first.image * p.rows * p.columns * p.channels;
    const int e = t % kChunks * kVec, channel = first.channel + e;
    int at[kMine];  // -1: not in the image
    Pack<S, kVec> relu[kMine];
    NT_UNROLL
    for (int i = 0; i < kMine; i++) {
      const int place = (i * kThreads + t) / kChunks, y = first.y + place / kTile, x = first.x + place % kTile;
      const bool inside = y < p.rows && x < p.columns && channel < p.channels;
      at[i] = inside ? (y * p.columns + x) * p.channels + channel : -1;
      if (values && inside) relu[i] = loadPack<kVec>(values + begin + at[i]);
    }
    NT_UNROLL
    for (int i = 0; i < kMine; i++) {
      auto pack = loadPack<kVec>(results + (i * kThreads + t) / kChunks * kPitch + e);
      NT_UNROLL
      for (int v = 0; v < kVec; v++) {
        if (values && !(relu[i].of[v] > 0)) pack.of[v] = S(0.0f);
      }
      if (at[i] >= 0) storePack(out + begin + at[i], pack);
    }
  }

  // Of windows of 2 x 2.
  NT_INLINE void putMaxima(const Place& first, int t, const S* results) const {
    constexpr int kWindows = kTile / 2;
    const int64_t begin = first.image * (p.rows / 2) * (p.columns / 2) * p.channels;
    NT_UNROLL
    for (int i = 0; i < kWindows * kWindows * kChunks / kThreads; i++) {
      const int window = (i * kThreads + t) / kChunks, e = t % kChunks * kVec, channel = first.channel + e;
      const int down = window / kWindows * 2, across = window % kWindows * 2, y = first.y + down, x = first.x + across;
      if (y + 1 >= p.rows || x + 1 >= p.columns || channel >= p.channels) continue;
      Pack<S, kVec> most;
      Pack<int32_t, kVec> winners;
      NT_UNROLL
      for (int place = 0; place < 4; place++) {
        const int below = place / 2, beside = place % 2;
        const auto pack = loadPack<kVec>(results + ((down + below) * kTile + across + beside) * kPitch + e);
        NT_UNROLL
        for (int v = 0; v < kVec; v++) {
          if (place > 0 && !beats(pack.of[v], most.of[v])) continue;
          most.of[v] = pack.of[v];
          winners.of[v] = (y + below) * p.columns + x + beside;
        }
      }
      const int64_t at = begin + (y / 2 * (p.columns / 2) + x / 2) * p.channels + channel;
      storePack(out + at, most);
      if (positions) storePack(positions + at, winners);
    }
  }
};

template <class Body>
struct TensorRun final : Prepared {
  using S = std::remove_cvref_t<decltype(*Body::image)>;
  Epilogue epilogue;
  bool positions;
  Body body;
  explicit TensorRun(const ConvolutionShape& s)
      : epilogue(s.params.epilogue), positions(s.positions), body{Task(s, Body::kBand)} {}
  void run(Stream& stream, void* const* buffers) override {
    const int out = epilogue.outputAt() + body.p.unpooled + body.p.poolRelu;
    const auto input = [&](int buffer) { return static_cast<const S*>(buffers[buffer]); };
    Body now = body;
    now.image = input(0), now.weights = input(1);
    if (epilogue.bias) now.bias = input(2);
    if (body.p.unpooled) now.winners = static_cast<const int32_t*>(buffers[2]);
    if (body.p.poolRelu) now.maxima = input(3);
    if (epilogue.activation == Activation::reluGradient) now.values = input(out - 1);
    now.out = static_cast<S*>(buffers[out]);
    if (positions) now.positions = static_cast<int32_t*>(buffers[out + 1]);
    blocks(stream, body.p.blocks, now);
  }
};

// Of the shapes that the kernel above computes.
bool isKnown(const ConvolutionShape& s) {
  const Convolution& c = s.params;
  const bool forward = s.kernel == Kernel::convolution;
  if (!forward && s.kernel != Kernel::convolutionData) return false;
  if (s.dtype == DType::float32 || s.isMixed() || c.groups > 1 || s.kh != s.kw || (s.kh != 1 && s.kh != 3 && s.kh != 5))
    return false;
  if (!c.hasUnitSteps()) return false;
  for (int axis = 0; axis < 2; axis++) {
    if (c.pooled && (c.pool.size[axis] != 2 || c.pool.stride[axis] != 2 || c.pool.low[axis] != 0)) return false;
  }
  if (c.pooled && (s.ph != s.oh / 2 || s.pw != s.ow / 2)) return false;
  if (c.epilogue.residual || c.epilogue.activation == Activation::gelu) return false;
  const int64_t depth = forward ? s.c : s.o, channels = forward ? s.o : s.c;
  if (depth == 0 || depth % kDepth != 0 || channels % kVec != 0) return false;
  return std::max({s.h * s.w * s.c, s.oh * s.ow * s.o, s.o * s.kh * s.kw * s.c}) <= INT32_MAX;
}

template <class S, int K, int Pairs, bool Turned>
std::unique_ptr<Prepared> prepareFor(const ConvolutionShape& s) {
  using Run = TensorRun<TensorConvolution<S, K, Pairs, Turned>>;
  auto run = std::make_unique<Run>(s);
  const auto most = static_cast<size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin));
  if (run->body.sharedBytes() > most || run->body.p.blocks > INT32_MAX) return nullptr;
  return run;
}
template <class S, int K>
std::unique_ptr<Prepared> prepareFor(const ConvolutionShape& s) {
  constexpr int kNarrow = kSides * kPair;
  if (s.kernel == Kernel::convolution) {
    auto wide = s.o > kNarrow ? prepareFor<S, K, 2, false>(s) : nullptr;
    return wide ? std::move(wide) : prepareFor<S, K, 1, false>(s);
  }
  auto wide = s.c > kNarrow ? prepareFor<S, K, 2, true>(s) : nullptr;
  return wide ? std::move(wide) : prepareFor<S, K, 1, true>(s);
}
template <class S>
std::unique_ptr<Prepared> prepareFor(const ConvolutionShape& s) {
  switch (s.kh) {
    case 1: return prepareFor<S, 1>(s);
    case 3: return prepareFor<S, 3>(s);
    default: return prepareFor<S, 5>(s);
  }
}

}  // namespace

std::unique_ptr<Prepared> convolutionByTensorCores(const Call& call) {
  const ConvolutionShape s(call);
  if (!hasTensorCores() || !isKnown(s)) return nullptr;
  // From behind a pool: where cuDNN is the better choice, it wants the gradient spread before.
  if (s.params.pooled && s.kernel == Kernel::convolutionData && !outdoesCudnn(call)) return nullptr;
  return s.dtype == DType::bfloat16 ? prepareFor<BFloat16>(s) : prepareFor<Float16>(s);
}

// A library's kernels take some ten microseconds, however small the work; these take longer from some four billion
// operations on, those on what tiles have beyond the image among them. A kernel of 1 x 1 is a matrix product.
bool outdoesCudnn(const Call& call) {
  constexpr double kMost = 4e9;
  const ConvolutionShape s(call);
  const bool back = s.kernel == Kernel::convolutionData;
  const int64_t rows = back ? s.h : s.oh, columns = back ? s.w : s.ow;
  const auto tiled = [](int64_t n) { return static_cast<double>(divideUp(n, kTile) * kTile); };
  const double wasted = tiled(rows) * tiled(columns) / static_cast<double>(rows * columns);  // times as many places
  return s.kh > 1 && wasted <= 2 && 2 * s.products() * wasted < kMost;
}

}  // namespace needletail::cuda
