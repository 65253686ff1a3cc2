// Convolutions of any shape: the patches of some places are laid out as a matrix [places, kh * kw * inner], and the
// rest is a matrix product with the weights, which lie as [o, kh * kw * inner] already.
#include <omp.h>

#include <algorithm>

#include "cpu/convolution.h"
#include "cpu/epilogue.h"
#include "cpu/isa/product.h"

namespace needletail {

namespace {

using Product = decltype(productForIsa());

struct LoopConvolution final : Prepared {
  ConvolutionShape s;
  Product product = productForIsa();
  int team = 1;
  int64_t patch, tile;  // floats of a patch; places that are laid out at a time
  size_t shared, own;  // floats of scratch memory: of all, of each thread

  explicit LoopConvolution(const ConvolutionShape& shape) : s(shape), patch(s.kh * s.kw * s.inner) {
    cost = 200 + s.products() * 0.05 + static_cast<double>(s.n * s.h * s.w * s.c + s.n * s.oh * s.ow * s.o) * 0.5;
    threadBound = worthParallel(cost);
    if (threadBound) team = threads();
    tile = std::clamp<int64_t>((1 << 17) / std::max<int64_t>(patch, 1), 8, 240);
    tile = std::min(tile, std::max<int64_t>(s.oh * s.ow, 1));
    const int64_t weights = s.o * patch;
    shared = s.kernel == Kernel::convolution ? round(weights) : 0;
    own = round(tile * patch) + round(tile * s.outer);
    if (s.kernel == Kernel::convolutionWeights) own += round(weights) + round(s.o);
    workspace = (shared + own * team) * sizeof(float);
  }
  static size_t round(int64_t n) { return static_cast<size_t>((n + 15) / 16 * 16); }

  // Places [first, first + count) of an image: where each touches the image, its channels of group g, zeros outside.
  // f(offset in the laid out patches, offset in the image or -1), for `inner` floats each.
  template <class F>
  void walk(int64_t first, int64_t count, int64_t g, F f) const {
    const Convolution& p = s.params;
    for (int64_t q = 0; q < count; q++) {
      const int64_t i = (first + q) / s.ow, j = (first + q) % s.ow;
      for (int64_t kh = 0; kh < s.kh; kh++) {
        const int64_t y = i * p.stride[0] - p.low[0] + kh * p.dilation[0];
        for (int64_t kw = 0; kw < s.kw; kw++) {
          const int64_t x = j * p.stride[1] - p.low[1] + kw * p.dilation[1];
          const bool inside = y >= 0 && y < s.h && x >= 0 && x < s.w;
          f(q * patch + (kh * s.kw + kw) * s.inner, inside ? (y * s.w + x) * s.c + g * s.inner : -1);
        }
      }
    }
  }
  void layOut(const float* image, int64_t first, int64_t count, int64_t g, float* columns) const {
    walk(first, count, g, [&](int64_t to, int64_t from) {
      if (from < 0)
        std::fill_n(columns + to, s.inner, 0.0f);
      else
        std::copy_n(image + from, s.inner, columns + to);
    });
  }
  // Channels of group g of places [first, first + count), as floats [count, outer].
  void take(const float* image, int64_t first, int64_t count, int64_t g, float* to) const {
    for (int64_t q = 0; q < count; q++) {
      const float* from = image + (first + q) * s.o + g * s.outer;
      std::copy_n(from, s.outer, to + q * s.outer);
    }
  }

  void forward(const float* x, const float* weights, const Finish& finish, float* y, float* scratch) const {
    // Transposed weights of each group: [patch, outer].
    for (int64_t k = 0; k < s.o; k++) {
      float* to = scratch + k / s.outer * s.outer * patch + k % s.outer;
      for (int64_t l = 0; l < patch; l++) to[l * s.outer] = weights[k * patch + l];
    }
    const int64_t places = s.oh * s.ow, tiles = (places + tile - 1) / tile;
#pragma omp parallel num_threads(team) if (team > 1)
    {
      float* columns = scratch + shared + own * omp_get_thread_num();
      float* result = columns + round(tile * patch);
#pragma omp for schedule(static)
      for (int64_t t = 0; t < s.n * tiles; t++) {
        const int64_t image = t / tiles, first = t % tiles * tile, count = std::min(tile, places - first);
        for (int64_t g = 0; g < s.params.groups; g++) {
          layOut(x + image * s.h * s.w * s.c, first, count, g, columns);
          product(count, s.outer, patch, columns, patch, 1, scratch + g * s.outer * patch, s.outer, result, s.outer,
                  false);
          for (int64_t q = 0; q < count; q++) {
            const int64_t at = (image * places + first + q) * s.o + g * s.outer;
            std::copy_n(result + q * s.outer, s.outer, y + at);
            finish.row(y + at, s.outer, at, g * s.outer);
          }
        }
      }
    }
  }

  void data(const float* gradient, const float* weights, float* dx, float* scratch) const {
    const int64_t places = s.oh * s.ow, pixels = s.h * s.w * s.c;
#pragma omp parallel for schedule(static) num_threads(team) if (team > 1)
    for (int64_t image = 0; image < s.n; image++) {
      float* columns = scratch + shared + own * omp_get_thread_num();
      float* from = columns + round(tile * patch);
      float* sum = dx + image * pixels;
      std::fill_n(sum, pixels, 0.0f);
      for (int64_t first = 0; first < places; first += tile) {
        const int64_t count = std::min(tile, places - first);
        for (int64_t g = 0; g < s.params.groups; g++) {
          take(gradient + image * places * s.o, first, count, g, from);
          product(count, patch, s.outer, from, s.outer, 1, weights + g * s.outer * patch, patch, columns, patch, false);
          walk(first, count, g, [&](int64_t column, int64_t to) {
            if (to >= 0)
              for (int64_t c = 0; c < s.inner; c++) sum[to + c] += columns[column + c];
          });
        }
      }
    }
  }

  void weights(const float* gradient, const float* x, float* dw, float* db, float* scratch) const {
    const int64_t places = s.oh * s.ow, count = s.o * patch;
    // Thread t sums up its own images; the sums are added in the threads' order.
    int started = 1;
#pragma omp parallel num_threads(team) if (team > 1)
    {
#pragma omp single nowait
      started = omp_get_num_threads();
      float* columns = scratch + own * omp_get_thread_num();
      float* from = columns + round(tile * patch);
      float* sum = from + round(tile * s.outer);
      float* biasSum = sum + round(count);
      std::fill_n(sum, count, 0.0f);
      std::fill_n(biasSum, s.o, 0.0f);
#pragma omp for schedule(static)
      for (int64_t image = 0; image < s.n; image++) {
        for (int64_t first = 0; first < places; first += tile) {
          const int64_t tileCount = std::min(tile, places - first);
          for (int64_t g = 0; g < s.params.groups; g++) {
            take(gradient + image * places * s.o, first, tileCount, g, from);
            layOut(x + image * s.h * s.w * s.c, first, tileCount, g, columns);
            product(s.outer, patch, tileCount, from, 1, s.outer, columns, patch, sum + g * s.outer * patch, patch,
                    true);
            if (!db) continue;
            for (int64_t q = 0; q < tileCount; q++) {
              for (int64_t k = 0; k < s.outer; k++) biasSum[g * s.outer + k] += from[q * s.outer + k];
            }
          }
        }
      }
    }
    const size_t sums = round(tile * patch) + round(tile * s.outer);
    auto total = [&](size_t offset) {
      float v = 0;
      for (int t = 0; t < started; t++) v += scratch[own * t + offset];
      return v;
    };
    for (int64_t i = 0; i < count; i++) dw[i] = total(sums + i);
    if (db)
      for (int64_t k = 0; k < s.o; k++) db[k] = total(sums + round(count) + k);
  }

  void run(Stream& stream, void* const* buffers) override {
    auto in = [&](int i) { return static_cast<const float*>(buffers[i]); };
    auto out = [&](int i) { return static_cast<float*>(buffers[i]); };
    float* scratch = static_cast<float*>(stream.workspace);
    if (s.kernel == Kernel::convolution) {
      forward(in(0), in(1), Finish(s.params.epilogue, buffers), out(s.params.epilogue.outputAt()), scratch);
    } else if (s.kernel == Kernel::convolutionData) {
      data(in(0), in(1), out(2), scratch);
    } else {
      weights(in(0), in(1), out(2), s.hasBias() ? out(3) : nullptr, scratch);
    }
  }
};

}  // namespace

std::unique_ptr<Prepared> convolutionByLoops(const ConvolutionShape& shape) {
  return std::make_unique<LoopConvolution>(shape);
}

}  // namespace needletail
