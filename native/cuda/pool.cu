// Pooling: a thread makes a result in several neighbouring channels; the gradient a pixel, for which it looks at the
// windows that see it.
#include "cuda/divide.h"
#include "cuda/epilogue.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/report.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

template <class S, int V>
struct PoolBody {
  PoolShape s;
  Places<V> places;
  const S* x;
  S* y;
  int32_t* positions;  // null where nobody asks for them
  NT_INLINE void operator()(int64_t k) const {
    const auto at = places.at(k);
    const auto rows = s.range(0, at.y), columns = s.range(1, at.x);
    Floats<V> best{}, sum{};
    Pack<int32_t, V> winners;
    NT_UNROLL
    for (int e = 0; e < V; e++) winners.of[e] = -1;
    for (int64_t row = rows.first; row < rows.last; row++) {
      for (int64_t column = columns.first; column < columns.last; column++) {
        const int64_t place = row * s.w + column;
        const Floats<V> v = floatsOf(loadPack<V>(x + (at.image * s.h * s.w + place) * s.c + at.c));
        NT_UNROLL
        for (int e = 0; e < V; e++) {
          sum.of[e] += v.of[e];
          if (winners.of[e] < 0 || beats(v.of[e], best.of[e])) {
            best.of[e] = v.of[e];
            winners.of[e] = static_cast<int32_t>(place);
          }
        }
      }
    }
    const float scale = s.scale(rows, columns);
    NT_UNROLL
    for (int e = 0; e < V; e++) sum.of[e] = s.p.maximum ? best.of[e] : sum.of[e] * scale;
    storeAs(y + k * V, sum);
    if (positions) storePack(positions + k * V, winners);
  }
};

// The gradients of windows.
template <class S, int V>
struct WindowGradients {
  PoolShape s;
  const S* g;
  const int32_t* positions;
  const S* pooled;  // a ReLU's values: where one isn't positive, no gradient comes through; null: none
  Report report;  // positions come from a tensor: one outside of the image is told, as it is on the CPU
  struct Gradient {
    Floats<V> values;
    Pack<int32_t, V> winners;  // of the maximum; -1: none in the image
  };
  NT_INLINE Gradient of(int64_t at) const {
    const Pack<S, V> loaded = loadPack<V>(g + at);
    Gradient gradient{floatsOf(loaded), {}};
    if (!s.p.maximum) return gradient;
    gradient.winners = loadPack<V>(positions + at);
    NT_UNROLL
    for (int e = 0; e < V; e++)
      gradient.winners.of[e] = report.within(gradient.winners.of[e], s.h * s.w) ? gradient.winners.of[e] : -1;
    if (!pooled) return gradient;
    const Floats<V> value = floatsOf(loadPack<V>(pooled + at));
    NT_UNROLL
    for (int e = 0; e < V; e++) gradient.values.of[e] = value.of[e] > 0 ? gradient.values.of[e] : 0;
    return gradient;
  }
};

// A thread has a cell of the image, a stride high and wide: what its pixels have of a window is read once.
template <class S, int V>
struct PoolGradientBody {
  static constexpr int kMostPixels = 4;  // of a cell
  WindowGradients<S, V> gradients;
  int64_t cell[2];
  Places<V> places;  // of the cells
  Divider stride[2];
  S* dx;

  // The windows along an axis that see places from `first` to `last`: [first, last).
  NT_INLINE PoolShape::Range windows(int axis, int64_t first, int64_t last) const {
    const PoolShape& s = gradients.s;
    const int64_t count = axis == 0 ? s.oh : s.ow, before = first + s.p.low[axis] - s.p.size[axis] + 1;
    const int64_t begin = before <= 0 ? 0 : stride[axis](before - 1) + 1, end = stride[axis](last + s.p.low[axis]) + 1;
    return {begin, end < count ? end : count};
  }
  NT_INLINE void operator()(int64_t k) const {
    const PoolShape& s = gradients.s;
    const auto at = places.at(k);
    const int64_t top = at.y * cell[0], left = at.x * cell[1];
    const int64_t bottom = top + cell[0] < s.h ? top + cell[0] : s.h;
    const int64_t right = left + cell[1] < s.w ? left + cell[1] : s.w;
    const auto rows = windows(0, top, bottom - 1), columns = windows(1, left, right - 1);
    Floats<V> sums[kMostPixels] = {};
    for (int64_t i = rows.first; i < rows.last; i++) {
      for (int64_t j = columns.first; j < columns.last; j++) {
        const auto gradient = gradients.of(((at.image * s.oh + i) * s.ow + j) * s.c + at.c);
        const auto inside = s.range(0, i), across = s.range(1, j);
        const float scale = s.p.maximum ? 1 : s.scale(inside, across);
        eachPixel(top, left, [&](int pixel, int64_t y, int64_t x) {
          const bool sees = y >= inside.first && y < inside.last && x >= across.first && x < across.last;
          if (y >= bottom || !sees) return;
          NT_UNROLL
          for (int e = 0; e < V; e++) {
            if (!s.p.maximum || gradient.winners.of[e] == static_cast<int32_t>(y * s.w + x))
              sums[pixel].of[e] += gradient.values.of[e] * scale;
          }
        });
      }
    }
    eachPixel(top, left, [&](int pixel, int64_t y, int64_t x) {
      if (y < bottom && x < right) storeAs(dx + ((at.image * s.h + y) * s.w + x) * s.c + at.c, sums[pixel]);
    });
  }
  // visit(number, y, x) for kMostPixels pixels by rows, those below the cell's included.
  template <class F>
  NT_INLINE void eachPixel(int64_t top, int64_t left, F visit) const {
    int64_t y = top, x = left;
    NT_UNROLL
    for (int pixel = 0; pixel < kMostPixels; pixel++) {
      visit(pixel, y, x);
      if (++x == left + cell[1]) x = left, y++;
    }
  }
};

// Of windows that lie side by side and cover the image: a thread has one, whose gradient is read once.
template <class S, int V>
struct SideBySideBody {
  WindowGradients<S, V> gradients;
  Places<V> places;  // of the windows
  S* dx;
  NT_INLINE void operator()(int64_t k) const {
    const PoolShape& s = gradients.s;
    const auto at = places.at(k);
    const auto rows = s.range(0, at.y), columns = s.range(1, at.x);
    const auto gradient = gradients.of(k * V);
    const float scale = s.p.maximum ? 1 : s.scale(rows, columns);
    for (int64_t row = rows.first; row < rows.last; row++) {
      for (int64_t column = columns.first; column < columns.last; column++) {
        const int64_t place = row * s.w + column;
        Floats<V> v;
        NT_UNROLL
        for (int e = 0; e < V; e++) {
          const bool has = !s.p.maximum || gradient.winners.of[e] == static_cast<int32_t>(place);
          v.of[e] = has ? gradient.values.of[e] * scale : 0;
        }
        storeAs(dx + (at.image * s.h * s.w + place) * s.c + at.c, v);
      }
    }
  }
};

struct PoolRun final : Prepared {
  PoolShape s;
  bool positions;
  explicit PoolRun(const Call& call) : s(call, call.in[0], call.out[0]), positions(call.out.size() > 1) {}
  void run(Stream& stream, void* const* buffers) override {
    dispatchFloats(s.dtype, s.c, [&](auto type, auto v) {
      using S = typename decltype(type)::type;
      constexpr int V = decltype(v)::value;
      each(stream, s.n * s.oh * s.ow * s.c / V,
           PoolBody<S, V>{s, Places<V>(s.oh, s.ow, s.c), static_cast<const S*>(buffers[0]), static_cast<S*>(buffers[1]),
                          positions ? static_cast<int32_t*>(buffers[2]) : nullptr});
    });
  }
};

struct PoolGradientRun final : Prepared {
  PoolShape s;
  explicit PoolGradientRun(const Call& call) : s(call, call.out[0], call.in[0]) {}
  void run(Stream& stream, void* const* buffers) override {
    dispatchFloats(s.dtype, s.c, [&](auto type, auto v) {
      using S = typename decltype(type)::type;
      constexpr int V = decltype(v)::value;
      const int32_t* positions = s.p.maximum ? static_cast<const int32_t*>(buffers[1]) : nullptr;
      const S* pooled = s.p.reluGradient ? static_cast<const S*>(buffers[2]) : nullptr;
      const WindowGradients<S, V> gradients{s, static_cast<const S*>(buffers[0]), positions, pooled,
                                            Report(stream, Wrong::position)};
      S* dx = static_cast<S*>(buffers[1 + s.p.maximum + s.p.reluGradient]);
      if (sideBySide(0, s.h, s.oh) && sideBySide(1, s.w, s.ow))
        each(stream, s.n * s.oh * s.ow * s.c / V, SideBySideBody<S, V>{gradients, Places<V>(s.oh, s.ow, s.c), dx});
      else
        byCells<S, V>(stream, gradients, dx);
    });
  }
  template <class S, int V>
  void byCells(Stream& stream, const WindowGradients<S, V>& gradients, S* dx) const {
    using Body = PoolGradientBody<S, V>;
    const bool small = s.p.stride[0] * s.p.stride[1] <= Body::kMostPixels;
    const int64_t high = small ? s.p.stride[0] : 1, wide = small ? s.p.stride[1] : 1;
    const int64_t rows = (s.h + high - 1) / high, columns = (s.w + wide - 1) / wide;
    each(stream, s.n * rows * columns * s.c / V,
         Body{gradients,
              {high, wide},
              Places<V>(rows, columns, s.c),
              {Divider(s.p.stride[0]), Divider(s.p.stride[1])},
              dx});
  }
  bool sideBySide(int axis, int64_t places, int64_t windows) const {
    return s.p.size[axis] == s.p.stride[axis] && s.p.low[axis] == 0 && windows * s.p.stride[axis] == places;
  }
};

}  // namespace

std::unique_ptr<Prepared> preparePool(const Call& call) {
  return isFloat(call.in[0].dtype) ? std::make_unique<PoolRun>(call) : nullptr;
}
std::unique_ptr<Prepared> preparePoolGradient(const Call& call) {
  return isFloat(call.in[0].dtype) ? std::make_unique<PoolGradientRun>(call) : nullptr;
}

}  // namespace needletail::cuda
