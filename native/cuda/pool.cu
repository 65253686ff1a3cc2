// Pooling: a thread makes a result in several neighbouring channels; the gradient a pixel, for which it looks at the
// windows that see it.
#include "cuda/channels.h"
#include "cuda/divide.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/report.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

template <int V>
struct PoolBody {
  PoolShape s;
  Places<V> places;
  const void* x;
  void* y;
  int32_t* positions;  // null where nobody asks for them
  NT_INLINE void operator()(int64_t k) const {
    const auto at = places.at(k);
    const auto rows = s.range(0, at.y), columns = s.range(1, at.x);
    float best[V] = {}, sum[V] = {};
    Pack<int32_t, V> winners;
    NT_UNROLL
    for (int e = 0; e < V; e++) winners.of[e] = -1;
    for (int64_t row = rows.first; row < rows.last; row++) {
      for (int64_t column = columns.first; column < columns.last; column++) {
        float v[V];
        loadFloats(x, s.dtype, ((at.image * s.h + row) * s.w + column) * s.c + at.c, v);
        NT_UNROLL
        for (int e = 0; e < V; e++) {
          sum[e] += v[e];
          // The first of equal values; a NaN wins.
          if (winners.of[e] < 0 || v[e] > best[e] || (v[e] != v[e] && best[e] == best[e])) {
            best[e] = v[e];
            winners.of[e] = static_cast<int32_t>(row * s.w + column);
          }
        }
      }
    }
    const float scale = s.scale(rows, columns);
    NT_UNROLL
    for (int e = 0; e < V; e++) sum[e] = s.p.maximum ? best[e] : sum[e] * scale;
    storeFloats(y, s.dtype, k * V, sum);
    if (positions) storePack(positions + k * V, winners);
  }
};

template <int V>
struct PoolGradientBody {
  PoolShape s;
  Places<V> places;
  Divider stride[2];
  const void* g;
  const int32_t* positions;
  const void* pooled;  // a ReLU's values: where one isn't positive, no gradient comes through; null: none
  void* dx;
  Report report;  // positions come from a tensor: one outside of the image is told, as it is on the CPU

  // The windows along an axis that see place `at`: [first, last).
  NT_INLINE PoolShape::Range windows(int axis, int64_t at) const {
    const int64_t count = axis == 0 ? s.oh : s.ow, place = at + s.p.low[axis], before = place - s.p.size[axis] + 1;
    const int64_t first = before <= 0 ? 0 : stride[axis](before - 1) + 1, last = stride[axis](place) + 1;
    return {first, last < count ? last : count};
  }
  NT_INLINE void operator()(int64_t k) const {
    const auto at = places.at(k);
    const auto rows = windows(0, at.y), columns = windows(1, at.x);
    const int32_t own = static_cast<int32_t>(at.y * s.w + at.x);
    float sum[V] = {};
    for (int64_t i = rows.first; i < rows.last; i++) {
      for (int64_t j = columns.first; j < columns.last; j++) {
        const int64_t window = ((at.image * s.oh + i) * s.ow + j) * s.c + at.c;
        float v[V];
        loadFloats(g, s.dtype, window, v);
        if (s.p.maximum) {
          const auto winners = loadPack<V>(positions + window);
          if (pooled) {
            float values[V];
            loadFloats(pooled, s.dtype, window, values);
            NT_UNROLL
            for (int e = 0; e < V; e++) v[e] = values[e] > 0 ? v[e] : 0;
          }
          NT_UNROLL
          for (int e = 0; e < V; e++) {
            if (report.within(winners.of[e], s.h * s.w) && winners.of[e] == own) sum[e] += v[e];
          }
        } else {
          const float scale = s.scale(s.range(0, i), s.range(1, j));
          NT_UNROLL
          for (int e = 0; e < V; e++) sum[e] += v[e] * scale;
        }
      }
    }
    storeFloats(dx, s.dtype, k * V, sum);
  }
};

struct PoolRun final : Prepared {
  PoolShape s;
  bool positions;
  explicit PoolRun(const Call& call) : s(call, call.in[0], call.out[0]), positions(call.out.size() > 1) {}
  void run(Stream& stream, void* const* buffers) override {
    s.c % kWide == 0 ? with<kWide>(stream, buffers) : with<1>(stream, buffers);
  }
  template <int V>
  void with(Stream& stream, void* const* buffers) const {
    each(stream, s.n * s.oh * s.ow * s.c / V,
         PoolBody<V>{s, Places<V>(s.oh, s.ow, s.c), buffers[0], buffers[1],
                     positions ? static_cast<int32_t*>(buffers[2]) : nullptr});
  }
};

struct PoolGradientRun final : Prepared {
  PoolShape s;
  explicit PoolGradientRun(const Call& call) : s(call, call.out[0], call.in[0]) {}
  void run(Stream& stream, void* const* buffers) override {
    s.c % kWide == 0 ? with<kWide>(stream, buffers) : with<1>(stream, buffers);
  }
  template <int V>
  void with(Stream& stream, void* const* buffers) const {
    const int32_t* positions = s.p.maximum ? static_cast<const int32_t*>(buffers[1]) : nullptr;
    each(stream, s.n * s.h * s.w * s.c / V,
         PoolGradientBody<V>{s,
                             Places<V>(s.h, s.w, s.c),
                             {Divider(s.p.stride[0]), Divider(s.p.stride[1])},
                             buffers[0],
                             positions,
                             s.p.reluGradient ? buffers[2] : nullptr,
                             buffers[1 + s.p.maximum + s.p.reluGradient],
                             Report(stream, Wrong::position)});
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
