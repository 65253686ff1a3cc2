// Resizing, a row of the result at a time: two rows of the image are blended, then the pixels along the row.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/isa/pool.h"
#include "cpu/kernels.h"
#include "geometry.h"

namespace needletail {

namespace {

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

using Source = ResizeAxis::Source;
std::vector<Source> sources(const ResizeAxis& axis) {
  std::vector<Source> list;
  for (int64_t i = 0; i < axis.places; i++) list.push_back(axis.at(i));
  return list;
}

struct ResizeRun final : Prepared {
  Resize r;
  DType dtype;
  int64_t n, h, w, c, oh, ow;  // of the image, and of the resized one
  std::vector<Source> rows, columns;
  int team;
  size_t rowBytes, wideBytes, own;
  bool gradient;

  ResizeRun(const Call& call, bool gradient) : r(read<Resize>(call.params)), gradient(gradient) {
    const Spec &image = gradient ? call.out[0] : call.in[0], &resized = gradient ? call.in[0] : call.out[0];
    dtype = image.dtype;
    n = image.shape[0], h = image.shape[1], w = image.shape[2], c = image.shape[3];
    oh = resized.shape[1], ow = resized.shape[2];
    rows = sources({r, h, oh});
    columns = sources({r, w, ow});
    cost = 500 + static_cast<double>(n) * oh * (ow * (c * 0.3 + 3) + w * c * 0.3) +
           static_cast<double>(n) * h * w * c * 0.2;
    threadBound = worthParallel(cost);
    team = threadBound ? threads() : 1;
    rowBytes = aligned(w * c * 4);
    wideBytes = aligned(ow * c * 4);
    const bool half = dtype != DType::float32;
    own = gradient ? rowBytes + wideBytes + (half ? aligned(h * w * c * 4) : 0) : 3 * rowBytes + wideBytes;
    workspace = own * team;
  }
  bool floats() const { return dtype == DType::float32; }

  void run(Stream& stream, void* const* buffers) override {
    char* space = static_cast<char*>(stream.workspace);
    if (gradient)
      backward(space, buffers[0], buffers[1]);
    else if (r.method == Interpolation::nearest)
      nearest(buffers[0], buffers[1]);
    else
      bilinear(space, buffers[0], buffers[1]);
  }

  void nearest(const void* x, void* y) const {
    const size_t pixel = c * size(dtype);
#pragma omp parallel for schedule(static) num_threads(team) if (team > 1)
    for (int64_t line = 0; line < n * oh; line++) {
      const char* from = static_cast<const char*>(x) + (line / oh * h + rows[line % oh].first) * w * pixel;
      char* to = static_cast<char*>(y) + line * ow * pixel;
      for (int64_t j = 0; j < ow; j++) std::memcpy(to + j * pixel, from + columns[j].first * pixel, pixel);
    }
  }

  void bilinear(char* space, const void* x, void* y) const {
    const auto blend = blendForIsa();
    const int64_t row = w * c, wide = ow * c;
    const size_t element = size(dtype);
#pragma omp parallel for schedule(static) num_threads(team) if (team > 1)
    for (int64_t line = 0; line < n * oh; line++) {
      float* scratch = reinterpret_cast<float*>(space + own * omp_get_thread_num());
      const Source& s = rows[line % oh];
      auto rowAt = [&](int64_t i, float* to) {
        const char* from = static_cast<const char*>(x) + (line / oh * h + i) * row * element;
        if (floats()) return reinterpret_cast<const float*>(from);
        halfToFloat(dtype, from, to, row);
        return static_cast<const float*>(to);
      };
      const int64_t step = rowBytes / 4;
      float* blended = scratch + 2 * step;
      blend(row, rowAt(s.first, scratch), rowAt(s.second, scratch + step), s.part, blended);
      char* result = static_cast<char*>(y) + line * wide * element;
      float* to = floats() ? reinterpret_cast<float*>(result) : scratch + 3 * step;
      for (int64_t j = 0; j < ow; j++) {
        blend(c, blended + columns[j].first * c, blended + columns[j].second * c, columns[j].part, to + j * c);
      }
      if (!floats()) floatToHalf(dtype, to, result, wide);
    }
  }

  // The transpose: pixels of the result are shared out along a row, the row then to two rows of the image.
  void backward(char* space, const void* gradient, void* dx) const {
    const auto add = addScaledForIsa();
    const int64_t row = w * c, wide = ow * c, pixels = h * row;
    const size_t element = size(dtype);
#pragma omp parallel for schedule(static) num_threads(team) if (team > 1)
    for (int64_t image = 0; image < n; image++) {
      float* line = reinterpret_cast<float*>(space + own * omp_get_thread_num());
      float* converted = line + rowBytes / 4;
      float* sum = floats() ? static_cast<float*>(dx) + image * pixels : converted + wideBytes / 4;
      std::fill_n(sum, pixels, 0.0f);
      for (int64_t i = 0; i < oh; i++) {
        const char* from = static_cast<const char*>(gradient) + (image * oh + i) * wide * element;
        const float* g = reinterpret_cast<const float*>(from);
        if (!floats()) {
          halfToFloat(dtype, from, converted, wide);
          g = converted;
        }
        std::fill_n(line, row, 0.0f);
        for (int64_t j = 0; j < ow; j++) {
          const Source& s = columns[j];
          add(c, g + j * c, 1 - s.part, line + s.first * c);
          if (s.part != 0) add(c, g + j * c, s.part, line + s.second * c);
        }
        add(row, line, 1 - rows[i].part, sum + rows[i].first * row);
        if (rows[i].part != 0) add(row, line, rows[i].part, sum + rows[i].second * row);
      }
      if (!floats()) floatToHalf(dtype, sum, static_cast<char*>(dx) + image * pixels * element, pixels);
    }
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareResize(const Call& call) { return std::make_unique<ResizeRun>(call, false); }
std::unique_ptr<Prepared> prepareResizeGradient(const Call& call) {
  return isFloat(call.in[0].dtype) ? std::make_unique<ResizeRun>(call, true) : nullptr;
}

}  // namespace needletail
