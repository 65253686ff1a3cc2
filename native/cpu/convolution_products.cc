// The gradient of a convolution's weights as a matrix product over places of the result: [o, places] times
// [places, kh * kw * c], with each operand's block of places brought into panels. Any stride, padding and dilation;
// channels in multiples of a panel's width.
#include <omp.h>

#include <algorithm>
#include <vector>

#include "cpu/convolution.h"
#include "cpu/dtype.h"
#include "cpu/isa/weights.h"

namespace needletail {

namespace {

struct ProductConvolution final : Prepared {
  ConvolutionShape s;
  bool pairs;  // bfloat16: a unit of a panel is two places
  int64_t places, depth, columns, tilesAcross, tiles;  // depth: places that are worked off at a time
  int team = 1, splits;  // of the places, where there are fewer tiles than threads
  // Scratch memory, in bytes: of all, of each thread, of each sum.
  size_t zeros, own, packed, sums = kWeightsTile * kWeightsTile * 4;

  explicit ProductConvolution(const ConvolutionShape& shape)
      : s(shape),
        pairs(s.dtype == DType::bfloat16),
        places(s.n * s.oh * s.ow),
        depth(kWeightsDepth * (pairs ? 2 : 1)),
        columns(s.kh * s.kw * s.c),
        tilesAcross((columns + kWeightsTile - 1) / kWeightsTile),
        tiles(tilesAcross * ((s.o + kWeightsTile - 1) / kWeightsTile)) {
    cost = 1000 + s.products() * (pairs ? 0.005 : 0.01);
    threadBound = worthParallel(cost);
    if (threadBound) team = threads();
    splits = static_cast<int>((team + tiles - 1) / tiles);
    zeros = round(s.c * size(s.dtype));
    packed = kWeightsDepth * kWeightsTile * 4;
    own = 2 * packed + round(depth * sizeof(void*));
    workspace = zeros + own * team + sums * tiles * splits;
  }
  static size_t round(size_t bytes) { return (bytes + 63) / 64 * 64; }

  // Where the `channel`s of the patches of places [first, first + count) lie, at a place of the kernel.
  void rowsOf(const char* x, const char* nothing, int64_t first, int64_t count, int64_t kh, int64_t kw, int64_t channel,
              const void** rows) const {
    const Convolution& p = s.params;
    const int64_t element = size(s.dtype);
    for (int64_t m = first; m < first + count; m++) {
      const int64_t image = m / (s.oh * s.ow), i = m / s.ow % s.oh, j = m % s.ow;
      const int64_t row = i * p.stride[0] - p.low[0] + kh * p.dilation[0];
      const int64_t column = j * p.stride[1] - p.low[1] + kw * p.dilation[1];
      const bool inside = row >= 0 && row < s.h && column >= 0 && column < s.w;
      rows[m - first] = inside ? x + (((image * s.h + row) * s.w + column) * s.c + channel) * element : nothing;
    }
  }

  // The sums of one tile over some places.
  void sum(const char* gradient, const char* x, const char* nothing, int64_t tile, int64_t first, int64_t last,
           char* scratch, float* to) const {
    const auto pack = weightsPackForIsa();
    const auto multiply = weightsMultiplyForIsa();
    const int64_t element = size(s.dtype);
    const int64_t i = tile / tilesAcross * kWeightsTile, j = tile % tilesAcross * kWeightsTile;
    const int64_t height = std::min(kWeightsTile, s.o - i), width = std::min(kWeightsTile, columns - j);
    char *left = scratch, *right = scratch + packed;
    const void** rows = reinterpret_cast<const void**>(scratch + 2 * packed);
    for (int64_t m = first; m < last; m += depth) {
      const int64_t count = std::min(depth, last - m), units = gemmUnits(pairs, count);
      for (int64_t q = 0; q < count; q++) rows[q] = gradient + ((m + q) * s.o + i) * element;
      pack(pairs, rows, count, height, left);
      // Columns of one place of the kernel lie together.
      for (int64_t k = 0; k < width;) {
        const int64_t at = (j + k) / s.c, channel = (j + k) % s.c, together = std::min(width - k, s.c - channel);
        rowsOf(x, nothing, m, count, at / s.kw, at % s.kw, channel, rows);
        pack(pairs, rows, count, together, right + k * units * 4);
        k += together;
      }
      multiply({pairs, m > first, left, right, units, height, width, to});
    }
  }

  // The sums of all splits, to their place.
  void write(const float* from, int64_t tile, void* dw) const {
    const int64_t i = tile / tilesAcross * kWeightsTile, j = tile % tilesAcross * kWeightsTile;
    const int64_t height = std::min(kWeightsTile, s.o - i), width = std::min(kWeightsTile, columns - j);
    float row[kWeightsTile];
    for (int64_t r = 0; r < height; r++) {
      const int64_t at = (i + r) * columns + j;
      float* to = target(s.dtype, dw, at, row);
      std::copy_n(from + r * kWeightsTile, width, to);
      for (int part = 1; part < splits; part++) {
        const float* more = from + (part * kWeightsTile + r) * kWeightsTile;
        for (int64_t k = 0; k < width; k++) to[k] += more[k];
      }
      finish(s.dtype, dw, at, width, to);
    }
  }

  void run(Stream& stream, void* const* buffers) override {
    const char *gradient = static_cast<const char*>(buffers[0]), *x = static_cast<const char*>(buffers[1]);
    char* space = static_cast<char*>(stream.workspace);
    float* all = reinterpret_cast<float*>(space + zeros + own * team);
    std::fill_n(space, zeros, 0);
    const int64_t blocks = (places + depth - 1) / depth, parts = tiles * splits;
#pragma omp parallel num_threads(team) if (team > 1)
    {
      char* mine = space + zeros + own * omp_get_thread_num();
#pragma omp for schedule(dynamic, 1)
      for (int64_t part = 0; part < parts; part++) {
        const int64_t split = part % splits;
        sum(gradient, x, space, part / splits, blocks * split / splits * depth,
            std::min(places, blocks * (split + 1) / splits * depth), mine, all + part * kWeightsTile * kWeightsTile);
      }
#pragma omp for schedule(static)
      for (int64_t tile = 0; tile < tiles; tile++)
        write(all + tile * splits * kWeightsTile * kWeightsTile, tile, buffers[2]);
    }
  }
};

}  // namespace

std::unique_ptr<Prepared> convolutionByProducts(const ConvolutionShape& s) {
  const Convolution& p = s.params;
  if (s.kernel != Kernel::convolutionWeights || s.hasBias() || p.groups > 1) return nullptr;
  if (s.c % kGemmWidth != 0 || s.o % kGemmWidth != 0) return nullptr;
  // A place is brought into a panel for each window that it is in.
  if (s.kh * s.kw > 1 && p.stride[0] * p.stride[1] == 1) return nullptr;
  if (s.dtype == DType::float32 ? isa() < Isa::avx512 : s.dtype != DType::bfloat16 || !hasBFloat16() || hasTiles())
    return nullptr;
  return std::make_unique<ProductConvolution>(s);
}

}  // namespace needletail
