// Pooling: a thread a result; the gradient a thread a pixel, which looks at the windows that see it.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/report.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

// The windows along an axis that see place `at`: [first, last).
NT_INLINE PoolShape::Range windows(const PoolShape& s, int axis, int64_t at) {
  const int64_t count = axis == 0 ? s.oh : s.ow, place = at + s.p.low[axis], stride = s.p.stride[axis];
  const int64_t before = place - s.p.size[axis] + 1;
  const int64_t first = before <= 0 ? 0 : (before + stride - 1) / stride, last = place / stride + 1;
  return {first, last < count ? last : count};
}

struct PoolBody {
  PoolShape s;
  const void* x;
  void* y;
  int32_t* positions;  // null where nobody asks for them
  NT_INLINE void operator()(int64_t k) const {
    const int64_t c = k % s.c, j = k / s.c % s.ow, i = k / s.c / s.ow % s.oh, image = k / s.c / s.ow / s.oh;
    const auto rows = s.range(0, i), columns = s.range(1, j);
    float best = 0, sum = 0;
    int32_t at = -1;
    for (int64_t row = rows.first; row < rows.last; row++) {
      for (int64_t column = columns.first; column < columns.last; column++) {
        const float v = load<float>(x, s.dtype, ((image * s.h + row) * s.w + column) * s.c + c);
        sum += v;
        // The first of equal values; a NaN wins.
        if (at < 0 || v > best || (v != v && best == best)) {
          best = v;
          at = static_cast<int32_t>(row * s.w + column);
        }
      }
    }
    store<float>(y, s.dtype, k, s.p.maximum ? best : sum * s.scale(rows, columns));
    if (positions) positions[k] = at;
  }
};

struct PoolGradientBody {
  PoolShape s;
  const void* g;
  const int32_t* positions;
  const void* pooled;  // a ReLU's values: where one isn't positive, no gradient comes through; null: none
  void* dx;
  NT_INLINE void operator()(int64_t k) const {
    const int64_t c = k % s.c, x = k / s.c % s.w, y = k / s.c / s.w % s.h, image = k / s.c / s.w / s.h;
    const auto rows = windows(s, 0, y), columns = windows(s, 1, x);
    const int32_t own = static_cast<int32_t>(y * s.w + x);
    float sum = 0;
    for (int64_t i = rows.first; i < rows.last; i++) {
      for (int64_t j = columns.first; j < columns.last; j++) {
        const int64_t at = ((image * s.oh + i) * s.ow + j) * s.c + c;
        if (s.p.maximum) {
          if (positions[at] == own && (!pooled || load<float>(pooled, s.dtype, at) > 0))
            sum += load<float>(g, s.dtype, at);
        } else {
          sum += load<float>(g, s.dtype, at) * s.scale(s.range(0, i), s.range(1, j));
        }
      }
    }
    store<float>(dx, s.dtype, k, sum);
  }
};

// Positions come from a tensor: one outside of the image is told, as it is on the CPU.
struct CheckBody {
  const int32_t* positions;
  int64_t places;
  Report report;
  NT_INLINE void operator()(int64_t k) const { report.within(positions[k], places); }
};

struct PoolRun final : Prepared {
  PoolShape s;
  bool positions;
  explicit PoolRun(const Call& call) : s(call, call.in[0], call.out[0]), positions(call.out.size() > 1) {}
  void run(Stream& stream, void* const* buffers) override {
    each(stream, s.n * s.oh * s.ow * s.c,
         PoolBody{s, buffers[0], buffers[1], positions ? static_cast<int32_t*>(buffers[2]) : nullptr});
  }
};

struct PoolGradientRun final : Prepared {
  PoolShape s;
  explicit PoolGradientRun(const Call& call) : s(call, call.out[0], call.in[0]) {}
  void run(Stream& stream, void* const* buffers) override {
    const int32_t* positions = s.p.maximum ? static_cast<const int32_t*>(buffers[1]) : nullptr;
    if (positions)
      each(stream, s.n * s.oh * s.ow * s.c, CheckBody{positions, s.h * s.w, Report(stream, Wrong::position)});
    const void* pooled = s.p.reluGradient ? buffers[2] : nullptr;
    each(stream, s.n * s.h * s.w * s.c,
         PoolGradientBody{s, buffers[0], positions, pooled, buffers[1 + s.p.maximum + s.p.reluGradient]});
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
