// Convolution without a library. The three kernels are matrix products whose matrices are read where the images lie
// (implicit GEMM); groups of few channels, which would leave a tile empty, a thread a result.
// convolution_cudnn.cc takes the shapes that it knows; this takes the rest.
#include "cuda/channels.h"
#include "cuda/convolution.h"
#include "cuda/divide.h"
#include "cuda/epilogue.h"
#include "cuda/kernels.h"
#include "cuda/tile.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

constexpr int64_t kFewChannels = 8;  // of a group: below these it is not worth a tile
constexpr int64_t kFullGpu = 512;  // blocks
constexpr int64_t kLeastPlaces = 256;  // worth a block of their own in the gradient of the weights

// From numbers of places, pixels and taps to their coordinates.
struct Coordinates {
  Divider oh, ow, h, w, kw, inner, outer, stride[2];
  explicit Coordinates(const ConvolutionShape& s)
      : oh(s.oh),
        ow(s.ow),
        h(s.h),
        w(s.w),
        kw(s.kw),
        inner(s.inner),
        outer(s.outer),
        stride{Divider(s.params.stride[0]), Divider(s.params.stride[1])} {}
};

struct Point {
  int64_t image, y, x;
};
NT_INLINE Point pointOf(int64_t at, const Divider& height, const Divider& width) {
  const int64_t x = width.split(at), y = height.split(at);
  return {at, y, x};
}

// A channel of a group at a tap of the kernel.
struct Tap {
  int64_t y, x, channel;
};
NT_INLINE Tap tapOf(int64_t k, const Divider& channels, const Divider& kw) {
  const int64_t channel = channels.split(k), x = kw.split(k);
  return {k, x, channel};
}

struct Geometry {
  ConvolutionShape s;
  Coordinates of;
  explicit Geometry(const ConvolutionShape& shape) : s(shape), of(shape) {}

  // The pixel [n, h, w] that a place [n, oh, ow] of the result sees through a tap; -1: it lies in the padding.
  NT_INLINE int64_t pixel(const Point& place, int64_t ky, int64_t kx) const {
    const int64_t y = place.y * s.params.stride[0] - s.params.low[0] + ky * s.params.dilation[0];
    const int64_t x = place.x * s.params.stride[1] - s.params.low[1] + kx * s.params.dilation[1];
    return y < 0 || y >= s.h || x < 0 || x >= s.w ? -1 : (place.image * s.h + y) * s.w + x;
  }
  // The place that sees a pixel through a tap; -1: none does.
  NT_INLINE int64_t place(const Point& pixel, int64_t ky, int64_t kx) const {
    int64_t y = pixel.y + s.params.low[0] - ky * s.params.dilation[0];
    int64_t x = pixel.x + s.params.low[1] - kx * s.params.dilation[1];
    if (y < 0 || x < 0 || of.stride[0].split(y) != 0 || of.stride[1].split(x) != 0) return -1;
    return y < s.oh && x < s.ow ? (pixel.image * s.oh + y) * s.ow + x : -1;
  }
  NT_INLINE int64_t weight(int64_t k, int64_t ky, int64_t kx, int64_t c) const {
    return ((k * s.kh + ky) * s.kw + kx) * s.inner + c;
  }
  NT_INLINE int64_t places() const { return s.n * s.oh * s.ow; }
  NT_INLINE int64_t pixels() const { return s.n * s.h * s.w; }
  NT_INLINE int64_t patch() const { return s.kh * s.kw * s.inner; }
};

// --- the matrices (tile.h)

// What places see of the image: [places, patch]. Rows are places and depths are in the patch, or, Turned, the other
// way.
template <bool Turned>
struct Patches {
  static constexpr bool kAlongDepth = !Turned;
  const Geometry& g;
  const void* x;
  int64_t group, rows;
  NT_INLINE Point point(int64_t i) const { return pointOf(i, g.of.oh, g.of.ow); }
  NT_INLINE Tap tap(int64_t k) const { return tapOf(k, g.of.inner, g.of.kw); }
  NT_INLINE auto row(int64_t i) const {
    if constexpr (Turned)
      return tap(i);
    else
      return point(i);
  }
  NT_INLINE auto depth(int64_t k) const {
    if constexpr (Turned)
      return point(k);
    else
      return tap(k);
  }
  NT_INLINE float at(const Point& place, const Tap& tap) const {
    const int64_t pixel = g.pixel(place, tap.y, tap.x);
    return pixel < 0 ? 0.0f : load<float>(x, g.s.dtype, pixel * g.s.c + group * g.s.inner + tap.channel);
  }
  NT_INLINE float at(const Tap& tap, const Point& place) const { return at(place, tap); }
};

// What pixels are seen by: [pixels, taps * outer], elements of the gradient.
struct Seers {
  static constexpr bool kAlongDepth = true;
  const Geometry& g;
  const void* gradient;
  int64_t group, rows;
  NT_INLINE Point row(int64_t i) const { return pointOf(i, g.of.h, g.of.w); }
  NT_INLINE Tap depth(int64_t k) const { return tapOf(k, g.of.outer, g.of.kw); }
  NT_INLINE float at(const Point& pixel, const Tap& tap) const {
    const int64_t place = g.place(pixel, tap.y, tap.x);
    return place < 0 ? 0.0f : load<float>(gradient, g.s.dtype, place * g.s.o + group * g.s.outer + tap.channel);
  }
};

// The weights of a group as they lie: [outer, patch].
struct Weights {
  static constexpr bool kAlongDepth = true;
  const Geometry& g;
  const void* weights;
  int64_t group, rows;
  NT_INLINE int64_t row(int64_t k) const { return (group * g.s.outer + k) * g.patch(); }
  NT_INLINE int64_t depth(int64_t l) const { return l; }
  NT_INLINE float at(int64_t row, int64_t depth) const { return load<float>(weights, g.s.dtype, row + depth); }
};

// The same for the gradient of the image: [inner, taps * outer].
struct WeightsTurned {
  static constexpr bool kAlongDepth = false;
  const Geometry& g;
  const void* weights;
  int64_t group, rows;
  NT_INLINE int64_t row(int64_t c) const { return c; }
  NT_INLINE int64_t depth(int64_t k) const {
    const Tap tap = tapOf(k, g.of.outer, g.of.kw);
    return g.weight(group * g.s.outer + tap.channel, tap.y, tap.x, 0);
  }
  NT_INLINE float at(int64_t row, int64_t depth) const { return load<float>(weights, g.s.dtype, row + depth); }
};

// The gradient's channels of a group: [outer, places].
struct Gradients {
  static constexpr bool kAlongDepth = false;
  const Geometry& g;
  const void* gradient;
  int64_t group, rows;
  NT_INLINE int64_t row(int64_t k) const { return group * g.s.outer + k; }
  NT_INLINE int64_t depth(int64_t q) const { return q * g.s.o; }
  NT_INLINE float at(int64_t row, int64_t depth) const { return load<float>(gradient, g.s.dtype, row + depth); }
};

// --- the products: each group's tiles, one after the other

struct Tiles {
  Divider across, down;
  int64_t count;
  Tiles(int64_t rows, int64_t columns, int64_t groups)
      : across(tiles(columns)), down(tiles(rows)), count(tiles(columns) * tiles(rows) * groups) {}
};

struct ForwardBody {
  Geometry g;
  Tiles tiles;
  const void *x, *weights;
  Finish finish;
  NT_INLINE void operator()(const Block& block) const {
    int64_t group = block.index;
    const int64_t side = tiles.across.split(group) * kTile, top = tiles.down.split(group) * kTile;
    multiplyTile(block, Patches<false>{g, x, group, g.places()}, Weights{g, weights, group, g.s.outer}, top, side, 0,
                 g.patch(), [&](int64_t i, int64_t j, float sum) {
                   const int64_t k = group * g.s.outer + j;
                   finish.put(i * g.s.o + k, k, sum);
                 });
  }
};

struct DataBody {
  Geometry g;
  Tiles tiles;
  const void *gradient, *weights;
  Finish finish;
  NT_INLINE void operator()(const Block& block) const {
    int64_t group = block.index;
    const int64_t side = tiles.across.split(group) * kTile, top = tiles.down.split(group) * kTile;
    multiplyTile(block, Seers{g, gradient, group, g.pixels()}, WeightsTurned{g, weights, group, g.s.inner}, top, side,
                 0, g.s.kh * g.s.kw * g.s.outer, [&](int64_t i, int64_t j, float sum) {
                   const int64_t c = group * g.s.inner + j;
                   finish.put(i * g.s.c + c, c, sum);
                 });
  }
};

// Sums over a part of the places; SumBody adds the parts up in their order.
struct WeightsBody {
  Geometry g;
  Tiles tiles;
  int64_t chunks;
  const void *gradient, *x;
  float* parts;  // [chunks, o, patch]
  NT_INLINE void operator()(const Block& block) const {
    const int64_t chunk = block.index / tiles.count;
    int64_t group = block.index % tiles.count;
    const int64_t side = tiles.across.split(group) * kTile, top = tiles.down.split(group) * kTile;
    float* part = parts + chunk * g.s.o * g.patch();
    multiplyTile(block, Gradients{g, gradient, group, g.s.outer}, Patches<true>{g, x, group, g.patch()}, top, side,
                 g.places() * chunk / chunks, g.places() * (chunk + 1) / chunks,
                 [&](int64_t i, int64_t j, float sum) { part[(group * g.s.outer + i) * g.patch() + j] = sum; });
  }
};

struct SumBody {
  const float* parts;
  int64_t chunks, n;
  DType dtype;
  void* out;
  NT_INLINE void operator()(int64_t i) const {
    float sum = 0;
    for (int64_t chunk = 0; chunk < chunks; chunk++) sum += parts[chunk * n + i];
    store<float>(out, dtype, i, sum);
  }
};

// --- groups of few channels

struct NarrowForward {
  Geometry g;
  Divider o;
  const void *x, *weights;
  Finish finish;
  NT_INLINE void operator()(int64_t at) const {
    int64_t rest = at;
    const int64_t k = o.split(rest), group = g.of.outer(k);
    const Point place = pointOf(rest, g.of.oh, g.of.ow);
    float sum = 0;
    for (int64_t ky = 0; ky < g.s.kh; ky++) {
      for (int64_t kx = 0; kx < g.s.kw; kx++) {
        const int64_t pixel = g.pixel(place, ky, kx);
        if (pixel < 0) continue;
        for (int64_t c = 0; c < g.s.inner; c++) {
          sum += load<float>(x, g.s.dtype, pixel * g.s.c + group * g.s.inner + c) *
                 load<float>(weights, g.s.dtype, g.weight(k, ky, kx, c));
        }
      }
    }
    finish.put(at, k, sum);
  }
};

struct NarrowData {
  Geometry g;
  Divider c;
  const void *gradient, *weights;
  Finish finish;
  NT_INLINE void operator()(int64_t at) const {
    int64_t rest = at;
    const int64_t channel = c.split(rest), group = g.of.inner(channel);
    const Point pixel = pointOf(rest, g.of.h, g.of.w);
    float sum = 0;
    for (int64_t ky = 0; ky < g.s.kh; ky++) {
      for (int64_t kx = 0; kx < g.s.kw; kx++) {
        const int64_t place = g.place(pixel, ky, kx);
        if (place < 0) continue;
        for (int64_t j = 0; j < g.s.outer; j++) {
          const int64_t k = group * g.s.outer + j;
          sum += load<float>(gradient, g.s.dtype, place * g.s.o + k) *
                 load<float>(weights, g.s.dtype, g.weight(k, ky, kx, channel - group * g.s.inner));
        }
      }
    }
    finish.put(at, channel, sum);
  }
};

// Weights [o, patch] as sums over the places: neighbouring threads take neighbouring channels of the result.
struct NarrowWeightsTerm {
  Geometry g;
  const void *gradient, *x;
  int64_t tap;  // of the patch
  template <int V>
  struct Own {
    const NarrowWeightsTerm& of;
    int64_t k;
    NT_INLINE Floats<V> load(int64_t q) const {
      Floats<V> v;
      loadFloats(of.gradient, of.g.s.dtype, q * of.g.s.o + k, v.of);
      return v;
    }
    NT_INLINE void take(const Floats<V>& v, int64_t q, float (&sums)[1][V]) const {
      const Geometry& g = of.g;
      const Tap at = tapOf(of.tap, g.of.inner, g.of.kw);
      const int64_t pixel = g.pixel(pointOf(q, g.of.oh, g.of.ow), at.y, at.x);
      if (pixel < 0) return;
      NT_UNROLL
      for (int e = 0; e < V; e++) {
        const int64_t channel = g.of.outer(k + e) * g.s.inner + at.channel;
        sums[0][e] += v.of[e] * cuda::load<float>(of.x, g.s.dtype, pixel * g.s.c + channel);
      }
    }
  };
  template <int V>
  NT_INLINE Own<V> at(int64_t, int64_t k) const {
    return {*this, k};
  }
};

// The channels' totals, `step` elements apart in the result.
struct PutTotal {
  DType dtype;
  void* out;
  int64_t first, step;
  NT_INLINE void operator()(int64_t k, const double (&totals)[1]) const {
    store<float>(out, dtype, first + k * step, static_cast<float>(totals[0]));
  }
};

struct ConvolutionRun final : Prepared {
  Geometry g;
  ChannelPlan plan;  // for sums over the places
  bool narrow;
  int64_t chunks = 1;

  explicit ConvolutionRun(const ConvolutionShape& s)
      : g(s), plan(g.places(), s.o), narrow(s.params.groups > 1 && std::max(s.inner, s.outer) < kFewChannels) {
    if (s.kernel != Kernel::convolutionWeights) return;
    const int64_t jobs = std::max<int64_t>(1, Tiles(s.outer, g.patch(), s.params.groups).count);
    chunks = std::clamp<int64_t>(g.places() / kLeastPlaces, 1, std::max<int64_t>(1, kFullGpu / jobs));
    workspace = static_cast<size_t>(narrow ? plan.parts(1) : chunks * s.o * g.patch()) * sizeof(float);
  }

  void run(Stream& stream, void* const* buffers) override {
    if (g.s.kernel == Kernel::convolutionWeights) return weights(stream, buffers[0], buffers[1], buffers[2]);
    const Finish finish(g.s.dtype, g.s.params.epilogue, buffers);
    const bool data = g.s.kernel == Kernel::convolutionData;
    const int64_t rows = data ? g.pixels() : g.places(), channels = data ? g.s.c : g.s.o;
    const Tiles tiles(rows, data ? g.s.inner : g.s.outer, g.s.params.groups);
    if (narrow)
      data ? each(stream, rows * channels, NarrowData{g, Divider(channels), buffers[0], buffers[1], finish})
           : each(stream, rows * channels, NarrowForward{g, Divider(channels), buffers[0], buffers[1], finish});
    else
      data ? blocks(stream, tiles.count, DataBody{g, tiles, buffers[0], buffers[1], finish})
           : blocks(stream, tiles.count, ForwardBody{g, tiles, buffers[0], buffers[1], finish});
  }

  void weights(Stream& stream, const void* gradient, const void* x, void* out) const {
    float* parts = static_cast<float*>(stream.workspace);
    const int64_t patch = g.patch();
    if (narrow) {
      for (int64_t tap = 0; tap < patch; tap++) {
        channelSums<1>(stream, plan, NarrowWeightsTerm{g, gradient, x, tap}, parts);
        channelTotals<1>(stream, plan, parts, PutTotal{g.s.dtype, out, tap, patch});
      }
    } else {
      const Tiles tiles(g.s.outer, patch, g.s.params.groups);
      blocks(stream, tiles.count * chunks, WeightsBody{g, tiles, chunks, gradient, x, parts});
      each(stream, g.s.o * patch, SumBody{parts, chunks, g.s.o * patch, g.s.dtype, out});
    }
  }
};

}  // namespace

std::unique_ptr<Prepared> convolutionByKernels(const Call& call) {
  const ConvolutionShape s(call);
  const Epilogue& epilogue = s.params.epilogue;
  const bool follows = epilogue.residual || epilogue.activation != Activation::none;
  if (!isFloat(s.dtype) || (s.kernel == Kernel::convolutionWeights && follows)) return nullptr;
  return std::make_unique<ConvolutionRun>(s);
}

}  // namespace needletail::cuda
