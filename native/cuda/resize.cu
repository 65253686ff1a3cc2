// Resizing: a thread a result; the gradient a thread a pixel, which looks at the results that lie near.
#include <cmath>

#include "cuda/divide.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

// A range of places that holds all whose two pixels may be `pixel`.
NT_INLINE void near(const ResizeAxis& axis, int64_t pixel, int64_t& first, int64_t& last) {
  const auto& [r, size, places] = axis;
  const double step = static_cast<double>(places) / static_cast<double>(size);
  // Corners stretch the steps to (places - 1) / (size - 1): wider by less than two steps at the far end.
  const double wide =
      r.alignCorners && size > 1 ? static_cast<double>(places - 1) / static_cast<double>(size - 1) : step;
  const double low = static_cast<double>(pixel - 2) * (wide < step ? wide : step) - 2;
  const double high = static_cast<double>(pixel + 2) * (wide > step ? wide : step) + 2;
  first = low < 0 ? 0 : static_cast<int64_t>(low);
  last = high > static_cast<double>(places - 1) ? places - 1 : static_cast<int64_t>(high);
  if (size == 1) first = 0, last = places - 1;
}

struct ResizeShape {
  ResizeAxis rows, columns;
  int64_t n, c;
  int64_t results() const { return n * rows.places * columns.places * c; }
  int64_t pixels() const { return n * rows.size * columns.size * c; }
};

// Nearest neighbours of any dtype: values are moved.
template <class T>
struct NearestBody {
  ResizeShape s;
  Places<1> places;
  const T* x;
  T* y;
  NT_INLINE void operator()(int64_t k) const {
    const auto [image, i, j, c] = places.at(k);
    const int64_t row = s.rows.at(i).first, column = s.columns.at(j).first;
    y[k] = x[((image * s.rows.size + row) * s.columns.size + column) * s.c + c];
  }
};

struct BilinearBody {
  ResizeShape s;
  Places<1> places;
  DType dtype;
  const void* x;
  void* y;
  NT_INLINE void operator()(int64_t k) const {
    const auto at = places.at(k);
    const ResizeAxis::Source row = s.rows.at(at.y), column = s.columns.at(at.x);
    auto pixel = [&](int64_t y, int64_t x_) {
      return load<float>(x, dtype, ((at.image * s.rows.size + y) * s.columns.size + x_) * s.c + at.c);
    };
    auto along = [&](int64_t x_) {
      const float upper = pixel(row.first, x_);
      return upper + (pixel(row.second, x_) - upper) * row.part;
    };
    const float left = along(column.first);
    store<float>(y, dtype, k, left + (along(column.second) - left) * column.part);
  }
};

struct ResizeGradientBody {
  ResizeShape s;
  Places<1> places;
  DType dtype;
  const void* g;
  void* dx;
  // How much of place `at` of an axis comes from `pixel`.
  static NT_INLINE float share(const ResizeAxis::Source& at, int64_t pixel) {
    float sum = at.first == pixel ? 1 - at.part : 0.0f;
    if (at.part != 0 && at.second == pixel) sum += at.part;
    return sum;
  }
  NT_INLINE void operator()(int64_t k) const {
    const auto [image, y, x, c] = places.at(k);
    int64_t top, bottom, left, right;
    near(s.rows, y, top, bottom);
    near(s.columns, x, left, right);
    float sum = 0;
    for (int64_t i = top; i <= bottom; i++) {
      const float row = share(s.rows.at(i), y);
      if (row == 0) continue;
      float line = 0;
      for (int64_t j = left; j <= right; j++) {
        const float column = share(s.columns.at(j), x);
        if (column == 0) continue;
        line += column * load<float>(g, dtype, ((image * s.rows.places + i) * s.columns.places + j) * s.c + c);
      }
      sum += row * line;
    }
    store<float>(dx, dtype, k, sum);
  }
};

struct ResizeRun final : Prepared {
  ResizeShape s;
  DType dtype;
  bool gradient;
  void run(Stream& stream, void* const* buffers) override {
    const Places<1> pixels(s.rows.size, s.columns.size, s.c), results(s.rows.places, s.columns.places, s.c);
    if (gradient) return each(stream, s.pixels(), ResizeGradientBody{s, pixels, dtype, buffers[0], buffers[1]});
    if (s.rows.r.method == Interpolation::bilinear) {
      return each(stream, s.results(), BilinearBody{s, results, dtype, buffers[0], buffers[1]});
    }
    dispatchSize(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      each(stream, s.results(),
           NearestBody<T>{s, results, static_cast<const T*>(buffers[0]), static_cast<T*>(buffers[1])});
    });
  }
};

std::unique_ptr<Prepared> prepare(const Call& call, bool gradient) {
  const Spec &image = gradient ? call.out[0] : call.in[0], &resized = gradient ? call.in[0] : call.out[0];
  const auto r = read<Resize>(call.params);
  auto run = std::make_unique<ResizeRun>();
  run->dtype = image.dtype;
  run->gradient = gradient;
  run->s = {
      {r, image.shape[1], resized.shape[1]}, {r, image.shape[2], resized.shape[2]}, image.shape[0], image.shape[3]};
  return run;
}

}  // namespace

std::unique_ptr<Prepared> prepareResize(const Call& call) { return prepare(call, false); }
std::unique_ptr<Prepared> prepareResizeGradient(const Call& call) {
  return isFloat(call.in[0].dtype) ? prepare(call, true) : nullptr;
}

}  // namespace needletail::cuda
