// The gradient of the weights of convolutions of few channels in half precision, on tensor cores: products of the
// gradient and of the image, whose depth are all places. A block has tiles of places, and sums for all weights between
// some channels of the result and of the image; a row of the image that is in registers serves all rows of the kernel.
// The blocks' sums are parts of the whole, which are added up at the end.
#include "cuda/convolution.h"
#include "cuda/divide.h"
#include "cuda/parts.h"
#include "cuda/tensor_core.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

constexpr int kChannels = 16;  // of the result and of the image that a warp has
constexpr int kDown = 4, kAcross = kWarps / kDown;  // warps that share a block's channels of the result, of the image
constexpr int kOutputs = kDown * kChannels, kInputs = kAcross * kChannels;
constexpr int kOutPitch = kOutputs + kPad, kInPitch = kInputs + kPad;
constexpr int kHalf = kTile / 2;  // the lines of a tile come in two halves
constexpr int kMostBlocks = 264;  // two for each of an H100's multiprocessors

// The image [height, width, inputs], the gradient [rows, columns, outputs].
struct Task {
  int height, width, inputs, rows, columns, outputs, top, left;
  Divider inputBands, outputBands, across, down;
  int64_t tiles, parts, blocks;

  explicit Task(const ConvolutionShape& s) {
    const auto of = [](int64_t n) { return static_cast<int>(n); };
    height = of(s.h), width = of(s.w), inputs = of(s.c), rows = of(s.oh), columns = of(s.ow), outputs = of(s.o);
    top = s.params.low[0], left = s.params.low[1];
    inputBands = Divider(divideUp(inputs, kInputs)), outputBands = Divider(divideUp(outputs, kOutputs));
    across = Divider(divideUp(columns, kTile)), down = Divider(divideUp(rows, kTile));
    tiles = s.n * divideUp(rows, kTile) * divideUp(columns, kTile);
    const int64_t bands = divideUp(inputs, kInputs) * divideUp(outputs, kOutputs);
    parts = std::min(tiles, std::max<int64_t>(1, kMostBlocks / bands));
    blocks = parts * bands;
  }
};

// A kernel of K x K.
template <class S, int K>
struct TensorWeights {
  static constexpr int kResident = 2;
  static constexpr int kUnder = kTile + K - 1;  // of the image under a tile, down and across
  Task p;
  const S *gradient, *image;
  float* out;  // [parts, outputs, K, K, inputs]

  struct Place {
    int64_t image;
    int y, x, output, input;
  };
  struct WarpSums {
    Lanes<Sums> of[K][K][2];
  };

  size_t sharedBytes() const { return (kTile * kTile * kOutPitch + kUnder * kUnder * kInPitch) * sizeof(S); }

  NT_INLINE void operator()(const Block& block) const {
    S* const above = block.shared<S>();
    S* const under = above + kTile * kTile * kOutPitch;
    int64_t part = block.index;
    Place first;
    first.input = static_cast<int>(p.inputBands.split(part)) * kInputs;
    first.output = static_cast<int>(p.outputBands.split(part)) * kOutputs;
    OfWarps<WarpSums> sums;
    NT_ROLL
    for (int64_t tile = part; tile < p.tiles; tile += p.parts) {
      first.image = tile;
      first.x = static_cast<int>(p.across.split(first.image)) * kTile;
      first.y = static_cast<int>(p.down.split(first.image)) * kTile;
      block.each([&](int t) {
        bring(first, t, 0, kHalf, kHalf, above, under);
        bring(first, t, kHalf, kHalf, kUnder - kHalf, above, under);
      });
      eachWarp([&](int warp) { sum(warp, above, under, sums[warp]); });
    }
    eachWarp([&](int warp) { put(warp, part, first, sums[warp]); });
  }

 private:
  // Lines from `line` on: of the gradient, [kTile, kTile, kOutputs] in shared memory, and of the image,
  // [kUnder, kUnder, kInputs]; a pad behind each place's channels. Zeros where there is nothing.
  NT_INLINE void bring(const Place& first, int t, int line, int lines, int imageLines, S* above, S* under) const {
    const S* const g = gradient + first.image * p.rows * p.columns * p.outputs + first.output;
    const S* const x = image + first.image * p.height * p.width * p.inputs + first.input;
    eachChunk(t, lanesFor(kOutputs), lines * kTile, kOutputs, [&](int place, int e) {
      const int down = line + place / kTile, beside = place % kTile, row = first.y + down, column = first.x + beside;
      const bool inside = row < p.rows && column < p.columns && first.output + e < p.outputs;
      copyAsync(above + (down * kTile + beside) * kOutPitch + e, g + (row * p.columns + column) * p.outputs + e,
                inside);
    });
    eachChunk(t, lanesFor(kInputs), imageLines * kUnder, kInputs, [&](int place, int e) {
      const int down = line + place / kUnder, beside = place % kUnder;
      const int row = first.y - p.top + down, column = first.x - p.left + beside;
      const bool inside = isBelow(row, p.height) && isBelow(column, p.width) && first.input + e < p.inputs;
      copyAsync(under + (down * kUnder + beside) * kInPitch + e, x + (row * p.width + column) * p.inputs + e, inside);
    });
    endCopies();
  }

  NT_INLINE void sum(int warp, const S* above, const S* under, WarpSums& sums) const {
    const int output = warp % kDown * kChannels, input = warp / kDown * kChannels;
    Lanes<Registers> lines[K], part;  // the last K lines of the gradient, line i in lines[i % K]
    NT_ROLL
    for (int begin = 0; begin < kUnder; begin += K) {
      NT_UNROLL
      for (int i = 0; i < K; i++) {
        const int line = begin + i;
        if (line == 0) awaitCopies(1);
        if (line == kHalf) awaitCopies(0);
        if (line < kTile) {
          loadMatrices<true>(lines[i], [&](int lane) {
            return above + (line * kTile + lane % 8 + lane / 16 * 8) * kOutPitch + output + lane / 8 % 2 * 8;
          });
        }
        NT_UNROLL
        for (int kx = 0; kx < K; kx++) {
          loadMatrices<true>(part, [&](int lane) {
            return under + (line * kUnder + kx + lane % 16) * kInPitch + input + lane / 16 * 8;
          });
          NT_UNROLL
          for (int ky = 0; ky < K; ky++) {
            if (!isBelow(line - ky, kTile)) continue;  // the same for all threads
            multiply<S>(sums.of[ky][kx][0], lines[(i + K - ky) % K], part, 0);
            multiply<S>(sums.of[ky][kx][1], lines[(i + K - ky) % K], part, 1);
          }
        }
      }
    }
  }

  NT_INLINE void put(int warp, int64_t part, const Place& first, WarpSums& sums) const {
    const int output = first.output + warp % kDown * kChannels, input = first.input + warp / kDown * kChannels;
    float* const to = out + part * p.outputs * K * K * p.inputs;
    eachLane([&](int lane) {
      NT_UNROLL
      for (int tap = 0; tap < K * K; tap++) {
        NT_UNROLL
        for (int e = 0; e < 4; e++) {
          const int o = output + lane / 4 + e % 2 * 8, c = input + e / 2 * 8 + lane % 4 * 2;
          const Sums& own = sums.of[tap / K][tap % K][e / 2][lane];
          if (o >= p.outputs || c >= p.inputs) continue;
          storePack(to + (o * K * K + tap) * p.inputs + c, Pack<float, 2>{own.of[e % 2 * 2], own.of[e % 2 * 2 + 1]});
        }
      }
    });
  }
};

template <class S>
struct PutAs {
  S* to;
  NT_INLINE void operator()(int i, float sum) const { to[i] = S(sum); }
};

template <class S, int K>
struct TensorWeightsRun final : Prepared {
  Task p;
  int64_t weights;
  explicit TensorWeightsRun(const ConvolutionShape& s) : p(s), weights(s.o * K * K * s.c) {
    workspace = static_cast<size_t>(p.parts * weights) * sizeof(float);
  }
  void run(Stream& stream, void* const* buffers) override {
    auto* sums = static_cast<float*>(stream.workspace);
    const auto input = [&](int buffer) { return static_cast<const S*>(buffers[buffer]); };
    blocks(stream, p.blocks, TensorWeights<S, K>{p, input(0), input(1), sums});
    addParts(stream, sums, p.parts, weights, weights, PutAs<S>{static_cast<S*>(buffers[2])});
  }
};

bool isKnown(const ConvolutionShape& s) {
  const Convolution& c = s.params;
  if (s.dtype == DType::float32 || s.isMixed() || c.groups > 1 || c.pooled || c.epilogue.bias) return false;
  if (s.kh != 3 || s.kw != 3 || !c.hasUnitSteps()) return false;
  if (s.c % kVec != 0 || s.o % kVec != 0 || s.n * s.c * s.o * s.oh * s.ow == 0) return false;
  return std::max({s.h * s.w * s.c, s.oh * s.ow * s.o, s.o * s.kh * s.kw * s.c}) <= INT32_MAX;
}

}  // namespace

std::unique_ptr<Prepared> weightsByTensorCores(const Call& call) {
  const ConvolutionShape s(call);
  if (!hasTensorCores() || !isKnown(s)) return nullptr;
  if (s.dtype == DType::bfloat16) return std::make_unique<TensorWeightsRun<BFloat16, 3>>(s);
  return std::make_unique<TensorWeightsRun<Float16, 3>>(s);
}

}  // namespace needletail::cuda
