// Pooling: a row of the result at a time, channels innermost.
#include "backend.h"

#include <omp.h>

#include <algorithm>
#include <string>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/isa/pool.h"
#include "cpu/kernels.h"
#include "geometry.h"

namespace needletail {

namespace {

// Pixels that a window sees at most.
int64_t windowOf(const PoolShape& s) {
  return std::min<int64_t>(s.p.size[0], s.h) * std::min<int64_t>(s.p.size[1], s.w);
}
double costOf(const PoolShape& s) {
  return 200 + static_cast<double>(s.n * s.oh * s.ow) * windowOf(s) * (5 + s.c * 0.15) + s.n * s.h * s.w * s.c * 0.3;
}

// Scratch memory of a thread, after one another.
size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

struct PoolRun final : Prepared {
  PoolShape s;
  bool positions;
  int team;
  size_t own, imageBytes, rowBytes, pointerBytes;
  explicit PoolRun(const Call& call) : s(call, call.in[0], call.out[0]), positions(call.out.size() > 1) {
    cost = costOf(s);
    threadBound = worthParallel(cost);
    team = threadBound ? threads() : 1;
    const bool half = s.dtype != DType::float32;
    // Half types: the image's rows under the window and the row of the result, as floats.
    imageBytes = half ? aligned(std::min<int64_t>(s.p.size[0], s.h) * s.w * s.c * 4) : 0;
    rowBytes = half ? aligned(s.ow * s.c * 4) : 0;
    pointerBytes = aligned(windowOf(s) * sizeof(float*));
    own = imageBytes + rowBytes + pointerBytes + aligned(windowOf(s) * sizeof(int32_t));
    workspace = own * team;
  }

  void run(Stream& stream, void* const* buffers) override {
    const auto maximum = poolMaximumForIsa();
    const auto average = poolAverageForIsa();
    const size_t element = size(s.dtype);
    const int64_t row = s.w * s.c;
#pragma omp parallel for schedule(static) num_threads(team) if (team > 1)
    for (int64_t line = 0; line < s.n * s.oh; line++) {
      char* scratch = static_cast<char*>(stream.workspace) + own * omp_get_thread_num();
      const float** from = reinterpret_cast<const float**>(scratch + imageBytes + rowBytes);
      int32_t* index = reinterpret_cast<int32_t*>(scratch + imageBytes + rowBytes + pointerBytes);
      const auto rows = s.range(0, line % s.oh);
      const char* image = static_cast<const char*>(buffers[0]) + (line / s.oh * s.h + rows.first) * row * element;
      char* result = static_cast<char*>(buffers[1]) + line * s.ow * s.c * element;
      const float* x = reinterpret_cast<const float*>(image);
      float* y = reinterpret_cast<float*>(result);
      if (s.dtype != DType::float32) {
        halfToFloat(s.dtype, image, reinterpret_cast<float*>(scratch), (rows.last - rows.first) * row);
        x = reinterpret_cast<const float*>(scratch);
        y = reinterpret_cast<float*>(scratch + imageBytes);
      }
      for (int64_t j = 0; j < s.ow; j++) {
        const auto columns = s.range(1, j);
        int count = 0;
        for (int64_t i = rows.first; i < rows.last; i++) {
          for (int64_t k = columns.first; k < columns.last; k++) {
            from[count] = x + (i - rows.first) * row + k * s.c;
            index[count++] = static_cast<int32_t>(i * s.w + k);
          }
        }
        if (s.p.maximum) {
          int32_t* to = positions ? static_cast<int32_t*>(buffers[2]) + (line * s.ow + j) * s.c : nullptr;
          maximum(s.c, count, from, index, y + j * s.c, to);
        } else {
          average(s.c, count, from, s.scale(rows, columns), y + j * s.c);
        }
      }
      if (s.dtype != DType::float32) floatToHalf(s.dtype, y, result, s.ow * s.c);
    }
  }
};

struct PoolGradientRun final : Prepared {
  PoolShape s;
  bool disjoint, covering;  // windows don't overlap; together they cover the image just once
  int team;
  size_t own, imageBytes, lineBytes, pointerBytes;
  explicit PoolGradientRun(const Call& call) : s(call, call.out[0], call.in[0]) {
    cost = costOf(s);
    threadBound = worthParallel(cost);
    team = threadBound ? threads() : 1;
    disjoint = s.p.stride[0] >= s.p.size[0] && s.p.stride[1] >= s.p.size[1];
    covering = disjoint && s.p.stride[0] == s.p.size[0] && s.p.stride[1] == s.p.size[1] && s.p.low[0] == 0 &&
               s.p.low[1] == 0 && s.oh * s.p.size[0] >= s.h && s.ow * s.p.size[1] >= s.w;
    const bool half = s.dtype != DType::float32;
    imageBytes = half ? aligned(s.h * s.w * s.c * 4) : 0;
    lineBytes = (half + s.p.reluGradient) * aligned(s.ow * s.c * 4);  // of the gradient, of the ReLU's values
    pointerBytes = aligned(windowOf(s) * sizeof(float*));
    own = imageBytes + lineBytes + pointerBytes + aligned(windowOf(s) * sizeof(int32_t));
    workspace = own * team;
  }

  void run(Stream& stream, void* const* buffers) override {
    const auto place = poolPlaceForIsa();
    const auto add = addScaledForIsa();
    const size_t element = size(s.dtype);
    const int64_t pixels = s.h * s.w * s.c, line = s.ow * s.c;
    const int32_t* positions = s.p.maximum ? static_cast<const int32_t*>(buffers[1]) : nullptr;
    void* const result = buffers[1 + s.p.maximum + s.p.reluGradient];
    bool outside = false;
#pragma omp parallel for schedule(static) num_threads(team) reduction(|| : outside) if (team > 1)
    for (int64_t image = 0; image < s.n; image++) {
      char* scratch = static_cast<char*>(stream.workspace) + own * omp_get_thread_num();
      float** to = reinterpret_cast<float**>(scratch + imageBytes + lineBytes);
      int32_t* index = reinterpret_cast<int32_t*>(scratch + imageBytes + lineBytes + pointerBytes);
      const bool half = s.dtype != DType::float32;
      float* dx = half ? reinterpret_cast<float*>(scratch) : static_cast<float*>(result) + image * pixels;
      if (!(s.p.maximum && covering)) std::fill_n(dx, pixels, 0.0f);
      for (int64_t i = 0; i < s.oh; i++) {
        const char* raw = static_cast<const char*>(buffers[0]) + (image * s.oh + i) * line * element;
        const float* g = reinterpret_cast<const float*>(raw);
        if (half) {
          halfToFloat(s.dtype, raw, reinterpret_cast<float*>(scratch + imageBytes), line);
          g = reinterpret_cast<const float*>(scratch + imageBytes);
        }
        if (s.p.reluGradient) {
          float* kept = reinterpret_cast<float*>(scratch + imageBytes);
          const float* values = floats(s.dtype, buffers[2], (image * s.oh + i) * line, line, kept + line);
          for (int64_t k = 0; k < line; k++) kept[k] = values[k] > 0 ? g[k] : 0;
          g = kept;
        }
        const auto rows = s.range(0, i);
        for (int64_t j = 0; j < s.ow; j++, g += s.c) {
          const int32_t* winners = positions ? positions + ((image * s.oh + i) * s.ow + j) * s.c : nullptr;
          if (s.p.maximum && !disjoint) {
            for (int64_t c = 0; c < s.c; c++) {
              if (static_cast<uint64_t>(winners[c]) >= static_cast<uint64_t>(s.h * s.w))
                outside = true;
              else
                dx[winners[c] * s.c + c] += g[c];
            }
            continue;
          }
          const auto columns = s.range(1, j);
          int count = 0;
          for (int64_t y = rows.first; y < rows.last; y++) {
            for (int64_t x = columns.first; x < columns.last; x++) {
              to[count] = dx + (y * s.w + x) * s.c;
              index[count++] = static_cast<int32_t>(y * s.w + x);
            }
          }
          if (s.p.maximum) {
            place(s.c, count, to, index, g, winners);
          } else {
            const float scale = s.scale(rows, columns);
            for (int k = 0; k < count; k++) add(s.c, g, scale, to[k]);
          }
        }
      }
      if (half) floatToHalf(s.dtype, dx, static_cast<char*>(result) + image * pixels * element, pixels);
    }
    if (outside) throw Error("expected positions inside the image, got one outside", Fault::device);
  }
};

}  // namespace

std::unique_ptr<Prepared> preparePool(const Call& call) {
  return isFloat(call.in[0].dtype) ? std::make_unique<PoolRun>(call) : nullptr;
}
std::unique_ptr<Prepared> preparePoolGradient(const Call& call) {
  return isFloat(call.in[0].dtype) ? std::make_unique<PoolGradientRun>(call) : nullptr;
}

}  // namespace needletail
