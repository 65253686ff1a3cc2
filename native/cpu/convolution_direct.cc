// Convolutions of images with few channels, as a network's first layer has: sums over the image as it lies, with a
// maximum pooling that follows and its gradient row by row, while the rows are in the cache.
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "cpu/convolution.h"
#include "cpu/dtype.h"
#include "cpu/epilogue.h"
#include "cpu/isa/direct.h"

namespace needletail {

namespace {

constexpr int64_t kMostChannels = 8;  // of the image
constexpr int64_t kMostWeights = int64_t{1} << 18;
// Bytes of the rows that a thread works on at a time: they stay in the first cache or, where windows overlap, in the
// second, since the rows that two blocks share are computed twice.
constexpr int64_t kBlockBytes = 32 << 10, kOverlappingBytes = 384 << 10;

size_t aligned(int64_t bytes) { return static_cast<size_t>((bytes + 63) / 64 * 64); }
int64_t roundedUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Whether more follows the sums than a bias and a ReLU.
bool hasMore(const Epilogue& epilogue) { return epilogue.residual || epilogue.activation == Activation::gelu; }

struct DirectConvolution final : Prepared {
  ConvolutionShape s;
  PoolShape pool;
  DirectShape row;
  DirectPool windows;
  bool positions;
  int team = 1;
  int64_t element, lines, block;  // bytes; lines of the results in an image, and how many are computed at a time
  // Bytes of scratch memory: of all threads, and of each in order: rows of the image, the same as pairs, rows of the
  // convolution's results or one row's gradient, the same as pairs, sums.
  size_t shared = 0, image = 0, imagePairs = 0, results = 0, pairs = 0, sums = 0;
  size_t own() const { return image + imagePairs + results + pairs + sums; }

  explicit DirectConvolution(const ConvolutionShape& shape) : s(shape), pool(shape) {
    const Convolution& p = s.params;
    const bool half = s.dtype != DType::float32;
    element = static_cast<int64_t>(size(s.dtype));
    const int64_t columns = roundedUp(s.o, kDirectChannels), even = roundedUp(s.ow, 2);
    row = {half, s.ow, p.stride[1] * s.c, s.kh, s.kw * s.c, ((even - 1) * p.stride[1] + s.kw) * s.c, columns};
    windows = {half, s.ow, columns, s.pw, s.o, p.pool.size[1], p.pool.stride[1], p.pool.low[1], 0};
    positions = p.pooled && s.positions;

    cost = 500 + s.products() * 0.01 + static_cast<double>(s.n * s.oh * s.ow * s.o) * 0.1;
    threadBound = worthParallel(cost);
    if (threadBound) team = threads();
    const bool forward = s.kernel == Kernel::convolution;
    lines = forward && p.pooled ? s.ph : s.oh;
    const bool overlapping = forward && p.pooled && p.pool.size[0] > p.pool.stride[0];
    const int64_t most = overlapping ? kOverlappingBytes : kBlockBytes;
    block = lines;
    while (block > 1 && (bytesOf(block) > most || s.n * lines < team * block)) block--;
    image = aligned(imageRows(block) * row.pitch * element);
    if (forward) {
      packing = {1, aligned(s.kh * row.units() * columns * 4)};
      shared = packing.bytes + aligned(columns * 4);
      if (!direct()) results = aligned(resultRows(block) * s.ow * columns * element);
    } else {
      imagePairs = half ? aligned(imageRows(block) * row.pitch * 4) : 0;
      results = aligned(s.ow * columns * element);
      pairs = half ? aligned(row.placeUnits() * columns * 4) : 0;
      sums = aligned((row.rows * row.run + 1) * columns * 4);
    }
    workspace = shared + own() * static_cast<size_t>(team);
  }

  // Rows of the convolution's results under so many lines of results, and rows of the image under them.
  int64_t resultRows(int64_t count) const {
    if (s.kernel != Kernel::convolution || !s.params.pooled) return count;
    return std::min(s.oh, (count - 1) * s.params.pool.stride[0] + s.params.pool.size[0]);
  }
  int64_t imageRows(int64_t count) const { return (resultRows(count) - 1) * s.params.stride[0] + s.kh; }
  int64_t bytesOf(int64_t count) const {
    return (imageRows(count) * row.pitch + resultRows(count) * s.ow * row.columns) * element;
  }
  // Whether the rows of results lie as the kernel writes and reads them.
  bool direct() const { return !s.params.pooled && s.o == row.columns; }

  // Lays the image's rows under `count` rows of results, from row `first` of them, with zeros around.
  void layOut(const char* x, int64_t first, int64_t count, char* to) const {
    const Convolution& p = s.params;
    const int64_t pitch = row.pitch * element, before = std::min(pitch, p.low[1] * s.c * element),
                  inside = std::min(pitch - before, s.w * s.c * element);
    const int64_t top = first * p.stride[0] - p.low[0];
    for (int64_t y = top; y < top + (count - 1) * p.stride[0] + s.kh; y++, to += pitch) {
      if (y < 0 || y >= s.h) {
        std::memset(to, 0, static_cast<size_t>(pitch));
        continue;
      }
      std::memset(to, 0, static_cast<size_t>(before));
      std::memcpy(to + before, x + y * s.w * s.c * element, static_cast<size_t>(inside));
      std::memset(to + before + inside, 0, static_cast<size_t>(pitch - before - inside));
    }
  }

  // Calls f(image, first line, lines, its scratch memory) for all blocks; gives how many threads shared them.
  template <class F>
  int forBlocks(char* scratch, F f) const {
    const int64_t blocks = (lines + block - 1) / block;
    int started = 1;
#pragma omp parallel num_threads(team) if (team > 1)
    {
#pragma omp single nowait
      started = omp_get_num_threads();
      char* mine = scratch + shared + own() * omp_get_thread_num();
      if (sums) std::memset(mine + own() - sums, 0, sums);
#pragma omp for schedule(static)
      for (int64_t i = 0; i < s.n * blocks; i++) {
        const int64_t first = i % blocks * block;
        f(i / blocks, first, std::min(block, lines - first), mine);
      }
    }
    return started;
  }

  // Weights [o, kh, kw * c] to units [kh, units, columns].
  void pack(Stream&, const void* weights, void* packed) override {
    const char* from = static_cast<const char*>(weights);
    uint32_t* to = static_cast<uint32_t*>(packed);
    for (int64_t k = 0; k < row.columns; k++) {
      for (int64_t r = 0; r < s.kh; r++) {
        for (int64_t u = 0; u < row.units(); u++) {
          uint32_t unit = 0;
          const int64_t t = row.half ? 2 * u : u, count = std::min<int64_t>(row.half ? 2 : 1, row.run - t);
          if (k < s.o) std::memcpy(&unit, from + ((k * s.kh + r) * row.run + t) * element, count * element);
          to[(r * row.units() + u) * row.columns + k] = unit;
        }
      }
    }
  }

  void forward(void* const* buffers, const uint32_t* weights, char* scratch) const {
    const Epilogue& epilogue = s.params.epilogue;
    const char* x = static_cast<const char*>(buffers[0]);
    char* y = static_cast<char*>(buffers[epilogue.outputAt()]);
    int32_t* winners = positions ? static_cast<int32_t*>(buffers[epilogue.outputAt() + 1]) : nullptr;
    float* bias = reinterpret_cast<float*>(scratch + packing.bytes);
    std::fill_n(bias, row.columns, 0.0f);
    if (epilogue.bias) std::copy_n(floats(s.dtype, buffers[2], 0, s.o, bias), s.o, bias);
    // What comes after a residual is not done to the sums as they are made.
    Finish rest(epilogue, buffers);
    rest.bias = nullptr;
    const bool later = hasMore(epilogue), relu = !later && epilogue.activation == Activation::relu;
    const auto compute = directForwardForIsa();
    const auto maximum = directPoolForIsa();

    forBlocks(scratch, [&](int64_t n, int64_t line, int64_t count, char* mine) {
      const PoolShape::Range under =
          s.params.pooled ? PoolShape::Range{pool.range(0, line).first, pool.range(0, line + count - 1).last}
                          : PoolShape::Range{line, line + count};
      layOut(x + n * s.h * s.w * s.c * element, under.first, under.last - under.first, mine);
      const int64_t rowBytes = s.ow * row.columns * element;
      char* made = direct() ? y + (n * s.oh + line) * rowBytes : mine + image;
      for (int64_t r = 0; r < under.last - under.first; r++) {
        compute(row, mine + r * s.params.stride[0] * row.pitch * element, weights, bias, relu, made + r * rowBytes);
      }
      if (s.params.pooled) {
        for (int64_t i = line; i < line + count; i++) {
          const PoolShape::Range rows = pool.range(0, i);
          DirectPool window = windows;
          window.first = static_cast<int32_t>(rows.first * s.ow);
          const int64_t at = (n * s.ph + i) * s.pw * s.o;
          maximum(window, rows.last - rows.first, made + (rows.first - under.first) * rowBytes, y + at * element,
                  winners ? winners + at : nullptr);
        }
      } else if (!direct()) {
        for (int64_t q = 0; q < count * s.ow; q++) {
          std::memcpy(y + ((n * s.oh + line) * s.ow + q) * s.o * element, made + q * row.columns * element,
                      static_cast<size_t>(s.o * element));
        }
      }
      for (int64_t q = 0; later && q < count * s.ow; q++) {
        const int64_t at = ((n * s.oh + line) * s.ow + q) * s.o;
        rest.row(reinterpret_cast<float*>(y) + at, s.o, at, 0);
      }
    });
  }

  // The gradient of row `r` of the convolution's results as [ow, columns]: where it lies, or brought to `to`; null:
  // all 0.
  const char* gradientRow(void* const* buffers, int64_t n, int64_t r, char* to) const {
    const char* gradient = static_cast<const char*>(buffers[0]);
    const int64_t rowBytes = s.ow * row.columns * element;
    if (direct()) return gradient + (n * s.oh + r) * rowBytes;
    if (!s.params.pooled) {
      std::memset(to, 0, static_cast<size_t>(rowBytes));
      for (int64_t q = 0; q < s.ow; q++) {
        std::memcpy(to + q * row.columns * element, gradient + ((n * s.oh + r) * s.ow + q) * s.o * element,
                    static_cast<size_t>(s.o * element));
      }
      return to;
    }
    // The lines whose windows reach the row.
    const Pool& p = s.params.pool;
    const int64_t reach = r + p.low[0] - p.size[0];
    const int64_t first = reach < 0 ? 0 : reach / p.stride[0] + 1,
                  last = std::min(s.ph, (r + p.low[0]) / p.stride[0] + 1);
    if (first >= last) return nullptr;
    const bool covering = last - first == 1 && p.stride[1] == p.size[1] && p.low[1] == 0 && s.pw * p.stride[1] >= s.ow;
    if (!covering) std::memset(to, 0, static_cast<size_t>(rowBytes));
    const auto spread = directSpreadForIsa();
    DirectPool window = windows;
    window.first = static_cast<int32_t>(r * s.ow);
    for (int64_t i = first; i < last; i++) {
      const int64_t at = (n * s.ph + i) * s.pw * s.o;
      spread(window, gradient + at * element, static_cast<const int32_t*>(buffers[2]) + at,
             p.reluGradient ? static_cast<const char*>(buffers[3]) + at * element : nullptr, !covering, to);
    }
    return to;
  }

  void gradient(void* const* buffers, char* scratch) const {
    const char* x = static_cast<const char*>(buffers[1]);
    const auto compute = directGradientForIsa();
    const auto pair = directPairsForIsa();
    const int started = forBlocks(scratch, [&](int64_t n, int64_t line, int64_t count, char* mine) {
      char *units = mine + image, *made = units + imagePairs, *madePairs = made + results;
      layOut(x + n * s.h * s.w * s.c * element, line, count, mine);
      if (row.half) {
        const uint16_t* from = reinterpret_cast<const uint16_t*>(mine);
        const int64_t all = imageRows(count) * row.pitch - row.step;
        pair(all, from, from + row.step, reinterpret_cast<uint32_t*>(units));
        pair(row.step, from + all, nullptr, reinterpret_cast<uint32_t*>(units) + all);
      } else {
        units = mine;
      }
      for (int64_t r = 0; r < count; r++) {
        const char* g = gradientRow(buffers, n, line + r, made);
        if (!g) continue;
        if (row.half) {
          for (int64_t q = 0; q < s.ow; q += 2) {
            const uint16_t* from = reinterpret_cast<const uint16_t*>(g) + q * row.columns;
            pair(row.columns, from, q + 1 < s.ow ? from + row.columns : nullptr,
                 reinterpret_cast<uint32_t*>(madePairs) + q / 2 * row.columns);
          }
          g = madePairs;
        }
        compute(row, reinterpret_cast<const uint32_t*>(units) + r * s.params.stride[0] * row.pitch,
                reinterpret_cast<const uint32_t*>(g), reinterpret_cast<float*>(madePairs + pairs));
      }
    });

    // The threads' sums in their order, then [kh * kw * c, o] turned round.
    auto sumsOf = [&](int thread) { return reinterpret_cast<float*>(scratch + own() * (thread + 1) - sums); };
    float* total = sumsOf(0);
    const int64_t weights = row.rows * row.run;
    for (int t = 1; t < started; t++) {
      const float* other = sumsOf(t);
      for (int64_t i = 0; i < (weights + 1) * row.columns; i++) total[i] += other[i];
    }
    const int next = 2 + s.params.pooled + s.params.pool.reluGradient;
    float* line = reinterpret_cast<float*>(scratch);  // the rows of the image are done with
    for (int64_t k = 0; k < s.o; k++) {
      float* to = target(s.dtype, buffers[next], k * weights, line);
      for (int64_t t = 0; t < weights; t++) to[t] = total[t * row.columns + k];
      finish(s.dtype, buffers[next], k * weights, weights, to);
    }
    if (!s.hasBias()) return;
    const float* bias = total + weights * row.columns;
    if (row.half)
      floatToHalf(s.dtype, bias, buffers[next + 1], s.o);
    else
      std::copy_n(bias, s.o, static_cast<float*>(buffers[next + 1]));
  }

  void run(Stream& stream, void* const* buffers) override {
    char* scratch = static_cast<char*>(stream.workspace);
    if (s.kernel != Kernel::convolution) return gradient(buffers, scratch);
    pack(stream, buffers[1], scratch);
    forward(buffers, reinterpret_cast<const uint32_t*>(scratch), scratch);
  }
  void runPacked(Stream& stream, void* const* buffers) override {
    forward(buffers, static_cast<const uint32_t*>(buffers[1]), static_cast<char*>(stream.workspace));
  }
};

}  // namespace

std::unique_ptr<Prepared> convolutionByDirect(const ConvolutionShape& s) {
  const Convolution& p = s.params;
  const Epilogue& epilogue = p.epilogue;
  const bool gradient = s.kernel == Kernel::convolutionWeights;
  if (s.kernel != Kernel::convolution && !gradient) return nullptr;
  if (epilogue.activation == Activation::reluGradient) return nullptr;
  if (hasMore(epilogue) && (s.dtype != DType::float32 || p.pooled)) return nullptr;
  if (s.c > kMostChannels || p.groups > 1 || p.dilation[0] > 1 || p.dilation[1] > 1) return nullptr;
  if (s.dtype != DType::float32 && !(s.dtype == DType::bfloat16 && hasBFloat16())) return nullptr;
  if (s.products() == 0 || s.o * s.kh * s.kw * s.c > kMostWeights) return nullptr;
  return std::make_unique<DirectConvolution>(s);
}

}  // namespace needletail
