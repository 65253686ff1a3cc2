// Batch and layer normalisation. Sums are added up in double across blocks of rows; threads take their own rows, and
// their sums are added in the threads' order.
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/isa/norm.h"
#include "cpu/kernels.h"

namespace needletail {

namespace {

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Rows of some floats, cut into chunks that fit the first cache, and shared out to a team of threads.
struct Rows {
  int64_t rows, width, chunk;
  int team = 1;
  Rows(int64_t rows, int64_t width, double cost) : rows(rows), width(width) {
    chunk = std::clamp<int64_t>(4096 / std::max<int64_t>(width, 1), 1, 64);
    if (worthParallel(cost)) team = static_cast<int>(std::min<int64_t>(threads(), std::max<int64_t>(rows / chunk, 1)));
  }
  // f(thread, first row, rows). Backwards: a second pass begins with what the first has left in the caches.
  template <class F>
  void each(F f, bool backwards = false) const {
#pragma omp parallel num_threads(team) if (team > 1)
    {
      const int64_t id = omp_get_thread_num(), of = omp_get_num_threads();
      const int64_t first = rows * id / of, last = rows * (id + 1) / of, chunks = (last - first + chunk - 1) / chunk;
      for (int64_t i = 0; i < chunks; i++) {
        const int64_t r = first + (backwards ? chunks - 1 - i : i) * chunk;
        f(static_cast<int>(id), r, std::min(chunk, last - r));
      }
    }
  }
};

struct BatchNormRun final : Prepared {
  BatchNorm p;
  DType dtype, affine;  // of x, and of scale and offset
  Rows rows;
  int64_t channels;
  size_t rowBytes, sumBytes, chunkBytes, own;
  bool gradient, converted;  // float16: a chunk at a time becomes float32 and back

  BatchNormRun(const Call& call, bool gradient)
      : p(read<BatchNorm>(call.params)),
        dtype(call.in[0].dtype),
        affine(call.in[gradient ? 2 : 1].dtype),
        rows(call.in[0].shape.product(0, call.in[0].shape.rank() - 1), call.in[0].shape.fromEnd(1), costOf(call)),
        channels(call.in[0].shape.fromEnd(1)),
        gradient(gradient),
        converted(dtype == DType::float16) {
    cost = costOf(call);
    threadBound = rows.team > 1;
    if (!converted) rows.chunk = 64;
    rowBytes = aligned(channels * 4);
    sumBytes = aligned(channels * 8);
    chunkBytes = converted ? aligned(rows.chunk * channels * 4) : 0;
    own = 2 * sumBytes + 4 * chunkBytes;
    workspace = 5 * rowBytes + own * rows.team;
  }
  static double costOf(const Call& call) { return 500 + static_cast<double>(call.in[0].elements()) * 1.0; }
  ChannelRows chunk(int64_t n) const { return {n, channels, dtype == DType::bfloat16}; }

  // The scratch memory: five rows of floats that all share, then each thread's sums and chunks.
  struct Space {
    char* base;
    const BatchNormRun& run;
    float* row(int i) const { return reinterpret_cast<float*>(base + run.rowBytes * i); }
    char* mine(int thread) const { return base + 5 * run.rowBytes + run.own * thread; }
    double* sums(int thread, int i) const { return reinterpret_cast<double*>(mine(thread) + run.sumBytes * i); }
    float* chunk(int thread, int i) const {
      return reinterpret_cast<float*>(mine(thread) + 2 * run.sumBytes + run.chunkBytes * i);
    }
    void clear() const {
      for (int t = 0; t < run.rows.team; t++) std::fill_n(sums(t, 0), 2 * run.sumBytes / 8, 0.0);
    }
    double total(int i, int64_t c) const {
      double v = 0;
      for (int t = 0; t < run.rows.team; t++) v += sums(t, i)[c];
      return v;
    }
  };
  // n rows from `first` on, as the loops take them: where they lie, or in the thread's chunk `i`.
  struct Chunk {
    const Space& space;
    int thread;
    int64_t first, n;
    int64_t at() const { return first * space.run.channels; }
    int64_t count() const { return n * space.run.channels; }
    char* place(const void* data) const {
      return static_cast<char*>(const_cast<void*>(data)) + at() * size(space.run.dtype);
    }
    const void* in(const void* data, int i) const {
      if (!space.run.converted) return place(data);
      return floats(space.run.dtype, data, at(), count(), space.chunk(thread, i));
    }
    void* out(void* data, int i) const {
      if (!space.run.converted) return place(data);
      return space.chunk(thread, i);
    }
    void done(void* data, int i) const {
      if (space.run.converted) finish(space.run.dtype, data, at(), count(), space.chunk(thread, i));
    }
  };
  template <class F>
  void each(const Space& space, bool backwards, F f) const {
    rows.each([&](int thread, int64_t first, int64_t n) { f(Chunk{space, thread, first, n}); }, backwards);
  }

  void run(Stream& stream, void* const* buffers) override {
    const Space space{static_cast<char*>(stream.workspace), *this};
    if (gradient)
      backward(space, buffers);
    else
      forward(space, buffers);
  }

  void forward(const Space& space, void* const* buffers) {
    const void* x = buffers[0];
    const void* residual = p.residual ? buffers[5] : nullptr;
    void* const* out = buffers + 5 + p.residual;
    const float *scale = floats(affine, buffers[1], 0, channels, space.row(0)),
                *offset = floats(affine, buffers[2], 0, channels, space.row(1));
    float *factor = space.row(2), *mean = space.row(3);
    if (p.training) {
      float *savedMean = static_cast<float*>(out[1]), *inverse = static_cast<float*>(out[2]);
      float *runningMean = static_cast<float*>(out[3]), *runningVariance = static_cast<float*>(out[4]);
      const auto moments = channelMomentsForIsa();
      // About the first row: squares about 0 would lose all digits where the mean is large.
      std::fill_n(space.row(4), channels, 0.0f);
      const float* shift = rows.rows > 0 ? floats(dtype, x, 0, channels, space.row(4)) : space.row(4);
      space.clear();
      each(space, false, [&](const Chunk& c) {
        moments(chunk(c.n), c.in(x, 0), shift, space.sums(c.thread, 0), space.sums(c.thread, 1));
      });
      const double count = static_cast<double>(std::max<int64_t>(rows.rows, 1));
      for (int64_t c = 0; c < channels; c++) {
        const double about = space.total(0, c) / count, first = about + shift[c];
        const double variance = std::max(0.0, space.total(1, c) / count - about * about);
        mean[c] = savedMean[c] = static_cast<float>(first);
        inverse[c] = static_cast<float>(1 / std::sqrt(variance + p.epsilon));
        factor[c] = inverse[c] * scale[c];
        if (rows.rows == 0) continue;
        const double unbiased = variance * count / std::max(count - 1, 1.0);
        runningMean[c] = static_cast<float>((1 - p.momentum) * runningMean[c] + p.momentum * first);
        runningVariance[c] = static_cast<float>((1 - p.momentum) * runningVariance[c] + p.momentum * unbiased);
      }
    } else {
      const float *runningMean = static_cast<const float*>(buffers[3]),
                  *runningVariance = static_cast<const float*>(buffers[4]);
      for (int64_t c = 0; c < channels; c++) {
        mean[c] = runningMean[c];
        factor[c] = scale[c] / std::sqrt(runningVariance[c] + static_cast<float>(p.epsilon));
      }
    }
    const auto normalise = channelNormaliseForIsa();
    each(space, true, [&](const Chunk& c) {
      normalise(chunk(c.n), c.in(x, 0), mean, factor, offset, residual ? c.in(residual, 1) : nullptr, p.relu,
                c.out(out[0], 2));
      c.done(out[0], 2);
    });
  }

  void backward(const Space& space, void* const* buffers) {
    const void *g = buffers[0], *x = buffers[1], *y = p.relu ? buffers[5] : nullptr;
    const float* scale = floats(affine, buffers[2], 0, channels, space.row(0));
    const float *mean = static_cast<const float*>(buffers[3]), *inverse = static_cast<const float*>(buffers[4]);
    float *factor = space.row(1), *slope = space.row(2), *offset = space.row(3), *sum = space.row(4);
    void* const* out = buffers + 5 + p.relu;
    void* through = p.residual ? out[3] : nullptr;
    const auto products = channelProductsForIsa();
    space.clear();
    each(space, false, [&](const Chunk& c) {
      products(chunk(c.n), c.in(g, 0), y ? c.in(y, 1) : nullptr, c.in(x, 2), mean,
               through ? c.out(through, 3) : nullptr, space.sums(c.thread, 0), space.sums(c.thread, 1));
      if (through) c.done(through, 3);
    });
    for (int output = 0; output < 2; output++) {  // dscale, then doffset
      float* to = target(affine, out[1 + output], 0, sum);
      for (int64_t c = 0; c < channels; c++)
        to[c] = static_cast<float>(output ? space.total(0, c) : space.total(1, c) * inverse[c]);
      finish(affine, out[1 + output], 0, channels, to);
    }
    // dx = factor * (g - mean(g) - h * mean(g * h)), where h = (x - mean) * inverse.
    const double share = 1 / static_cast<double>(std::max<int64_t>(rows.rows, 1));
    for (int64_t c = 0; c < channels; c++) {
      factor[c] = inverse[c] * scale[c];
      slope[c] = static_cast<float>(-factor[c] * space.total(1, c) * share * inverse[c] * inverse[c]);
      offset[c] = static_cast<float>(-factor[c] * space.total(0, c) * share);
    }
    const auto gradient = channelGradientForIsa();
    if (through) g = through, y = nullptr;
    each(space, true, [&](const Chunk& c) {
      gradient(chunk(c.n), c.in(g, 0), y ? c.in(y, 1) : nullptr, c.in(x, 2), mean, factor, slope, offset,
               c.out(out[0], 3));
      c.done(out[0], 3);
    });
  }
};

struct LayerNormRun final : Prepared {
  LayerNorm p;
  DType dtype;
  int64_t n;  // values of a row
  Rows rows;
  size_t rowBytes, sumBytes, own;
  bool gradient;

  LayerNormRun(const Call& call, bool gradient)
      : p(read<LayerNorm>(call.params)),
        dtype(call.in[0].dtype),
        n(inner(call)),
        rows(call.in[0].shape.product(0, call.in[0].shape.rank() - p.axes), n, costOf(call)),
        gradient(gradient) {
    cost = costOf(call);
    threadBound = rows.team > 1;
    rowBytes = aligned(n * 4);
    sumBytes = aligned(n * 8);
    own = 2 * rowBytes + (gradient && p.affine ? 2 * sumBytes : 0);
    workspace = 2 * rowBytes + own * rows.team;
  }
  int64_t inner(const Call& call) const {
    const Shape& x = call.in[0].shape;
    return x.product(x.rank() - p.axes, x.rank());
  }
  static double costOf(const Call& call) { return 500 + static_cast<double>(call.in[0].elements()) * 1.0; }

  char* mine(Stream& stream, int thread) const {
    return static_cast<char*>(stream.workspace) + 2 * rowBytes + own * thread;
  }
  float* row(Stream& stream, int i) const {
    return reinterpret_cast<float*>(static_cast<char*>(stream.workspace) + rowBytes * i);
  }

  void run(Stream& stream, void* const* buffers) override {
    if (gradient)
      backward(stream, buffers);
    else
      forward(stream, buffers);
  }

  void forward(Stream& stream, void* const* buffers) {
    const float* scale = p.affine ? floats(dtype, buffers[1], 0, n, row(stream, 0)) : nullptr;
    const float* offset = p.affine ? floats(dtype, buffers[2], 0, n, row(stream, 1)) : nullptr;
    void* const* out = buffers + (p.affine ? 3 : 1);
    float *means = static_cast<float*>(out[1]), *inverses = static_cast<float*>(out[2]);
    const auto moments = rowMomentsForIsa();
    const auto normalise = rowNormaliseForIsa();
    rows.each([&](int thread, int64_t first, int64_t count) {
      float* scratch = reinterpret_cast<float*>(mine(stream, thread));
      for (int64_t r = first; r < first + count; r++) {
        const float* x = floats(dtype, buffers[0], r * n, n, scratch);
        double mean, variance;
        moments(n, x, &mean, &variance);
        means[r] = static_cast<float>(mean);
        inverses[r] = static_cast<float>(1 / std::sqrt(variance + p.epsilon));
        float* y = target(dtype, out[0], r * n, scratch);
        normalise(n, x, means[r], inverses[r], scale, offset, y);
        finish(dtype, out[0], r * n, n, y);
      }
    });
  }

  void backward(Stream& stream, void* const* buffers) {
    const float *means = static_cast<const float*>(buffers[2]), *inverses = static_cast<const float*>(buffers[3]);
    const float* scale = p.affine ? floats(dtype, buffers[4], 0, n, row(stream, 0)) : nullptr;
    void* const* out = buffers + (p.affine ? 5 : 4);
    auto sums = [&](int thread, int i) {
      return reinterpret_cast<double*>(mine(stream, thread) + 2 * rowBytes + sumBytes * i);
    };
    if (p.affine)
      for (int t = 0; t < rows.team; t++) std::fill_n(sums(t, 0), 2 * sumBytes / 8, 0.0);
    const auto gradient = rowGradientForIsa();
    const auto scaleGradient = rowScaleGradientForIsa();
    rows.each([&](int thread, int64_t first, int64_t count) {
      float *scratchG = reinterpret_cast<float*>(mine(stream, thread)), *scratchX = scratchG + rowBytes / 4;
      for (int64_t r = first; r < first + count; r++) {
        const float *g = floats(dtype, buffers[0], r * n, n, scratchG),
                    *x = floats(dtype, buffers[1], r * n, n, scratchX);
        if (p.affine) scaleGradient(n, g, x, means[r], inverses[r], sums(thread, 0), sums(thread, 1));
        float* dx = target(dtype, out[0], r * n, scratchG);
        gradient(n, g, x, means[r], inverses[r], scale, dx);
        finish(dtype, out[0], r * n, n, dx);
      }
    });
    if (!p.affine) return;
    for (int output = 0; output < 2; output++) {
      float* to = target(dtype, out[1 + output], 0, row(stream, 1));
      for (int64_t i = 0; i < n; i++) {
        double v = 0;
        for (int t = 0; t < rows.team; t++) v += sums(t, output)[i];
        to[i] = static_cast<float>(v);
      }
      finish(dtype, out[1 + output], 0, n, to);
    }
  }
};

template <class Run>
std::unique_ptr<Prepared> prepare(const Call& call, bool gradient) {
  return isFloat(call.in[0].dtype) ? std::make_unique<Run>(call, gradient) : nullptr;
}

}  // namespace

std::unique_ptr<Prepared> prepareBatchNorm(const Call& call) {
  // The sum would be of values that aren't rounded to float16 before, as they are where the addition is its own call.
  if (read<BatchNorm>(call.params).residual && call.in[0].dtype == DType::float16) return nullptr;
  return prepare<BatchNormRun>(call, false);
}
std::unique_ptr<Prepared> prepareBatchNormGradient(const Call& call) {
  return read<BatchNorm>(call.params).added ? nullptr : prepare<BatchNormRun>(call, true);
}
std::unique_ptr<Prepared> prepareLayerNorm(const Call& call) { return prepare<LayerNormRun>(call, false); }
std::unique_ptr<Prepared> prepareLayerNormGradient(const Call& call) { return prepare<LayerNormRun>(call, true); }

}  // namespace needletail
