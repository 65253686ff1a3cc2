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
  // f(thread, first row, rows)
  template <class F>
  void each(F f) const {
#pragma omp parallel num_threads(team) if (team > 1)
    {
      const int64_t id = omp_get_thread_num(), of = omp_get_num_threads();
      const int64_t last = rows * (id + 1) / of;
      for (int64_t r = rows * id / of; r < last; r += chunk) f(static_cast<int>(id), r, std::min(chunk, last - r));
    }
  }
};

struct BatchNormRun final : Prepared {
  BatchNorm p;
  DType dtype, affine;  // of x, and of scale and offset
  Rows rows;
  int64_t channels;
  size_t rowBytes, sumBytes, chunkBytes, own;
  bool gradient;

  BatchNormRun(const Call& call, bool gradient)
      : p(read<BatchNorm>(call.params)),
        dtype(call.in[0].dtype),
        affine(call.in[gradient ? 2 : 1].dtype),
        rows(call.in[0].shape.product(0, call.in[0].shape.rank() - 1), call.in[0].shape.fromEnd(1), costOf(call)),
        channels(call.in[0].shape.fromEnd(1)),
        gradient(gradient) {
    cost = costOf(call);
    threadBound = rows.team > 1;
    rowBytes = aligned(channels * 4);
    sumBytes = aligned(channels * 8);
    chunkBytes = dtype == DType::float32 && !p.relu ? 0 : aligned(rows.chunk * channels * 4);
    own = 2 * sumBytes + 3 * chunkBytes;
    workspace = 5 * rowBytes + own * rows.team;
  }
  static double costOf(const Call& call) { return 500 + static_cast<double>(call.in[0].elements()) * 1.0; }

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

  void run(Stream& stream, void* const* buffers) override {
    const Space space{static_cast<char*>(stream.workspace), *this};
    if (gradient)
      backward(space, buffers);
    else
      forward(space, buffers);
  }

  void forward(const Space& space, void* const* buffers) {
    const void* x = buffers[0];
    void* const* out = buffers + 5 + p.residual;
    const float *scale = floats(affine, buffers[1], 0, channels, space.row(0)),
                *offset = floats(affine, buffers[2], 0, channels, space.row(1));
    float *factor = space.row(2), *mean = space.row(3);
    if (p.training) {
      float *savedMean = static_cast<float*>(out[1]), *inverse = static_cast<float*>(out[2]);
      float *runningMean = static_cast<float*>(out[3]), *runningVariance = static_cast<float*>(out[4]);
      const auto moments = channelMomentsForIsa();
      const double count = static_cast<double>(std::max<int64_t>(rows.rows, 1));
      // Twice: a variance from squares alone loses all digits where the mean is large.
      for (int pass = 0; pass < 2; pass++) {
        space.clear();
        rows.each([&](int thread, int64_t first, int64_t n) {
          const float* values = floats(dtype, x, first * channels, n * channels, space.chunk(thread, 0));
          moments(n, channels, values, pass ? mean : nullptr, space.sums(thread, 0),
                  pass ? space.sums(thread, 1) : nullptr);
        });
        for (int64_t c = 0; c < channels; c++) {
          const double first = space.total(0, c) / count;
          if (pass == 0) {
            mean[c] = savedMean[c] = static_cast<float>(first);
            if (rows.rows > 0)
              runningMean[c] = static_cast<float>((1 - p.momentum) * runningMean[c] + p.momentum * first);
            continue;
          }
          // About the mean as a float: what that differs by is taken back.
          const double variance = std::max(0.0, space.total(1, c) / count - first * first);
          inverse[c] = static_cast<float>(1 / std::sqrt(variance + p.epsilon));
          factor[c] = inverse[c] * scale[c];
          const double unbiased = variance * count / std::max(count - 1, 1.0);
          if (rows.rows > 0)
            runningVariance[c] = static_cast<float>((1 - p.momentum) * runningVariance[c] + p.momentum * unbiased);
        }
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
    rows.each([&](int thread, int64_t first, int64_t n) {
      const int64_t at = first * channels, count = n * channels;
      float* y = target(dtype, out[0], at, space.chunk(thread, 1));
      normalise(n, channels, floats(dtype, x, at, count, space.chunk(thread, 0)), mean, factor, offset, y);
      if (p.residual) {
        finish(dtype, out[0], at, count, y);  // rounded as where the addition is a call of its own
        floats(dtype, out[0], at, count, y);
        const float* residual = floats(dtype, buffers[5], at, count, space.chunk(thread, 2));
        for (int64_t i = 0; i < count; i++) y[i] += residual[i];
      }
      if (p.relu) {
        for (int64_t i = 0; i < count; i++) y[i] = y[i] < 0 ? 0 : y[i];  // a NaN comes through
      }
      finish(dtype, out[0], at, count, y);
    });
  }

  void backward(const Space& space, void* const* buffers) {
    const void *g = buffers[0], *x = buffers[1];
    const float* scale = floats(affine, buffers[2], 0, channels, space.row(0));
    const float *mean = static_cast<const float*>(buffers[3]), *inverse = static_cast<const float*>(buffers[4]);
    float *factor = space.row(1), *meanG = space.row(2), *meanGH = space.row(3), *sum = space.row(4);
    void* const* out = buffers + 5 + p.relu;
    // The gradient that came through the ReLU.
    const auto incoming = [&](int thread, int64_t at, int64_t count) {
      const float* values = floats(dtype, g, at, count, space.chunk(thread, 0));
      if (!p.relu) return values;
      const float* y = floats(dtype, buffers[5], at, count, space.chunk(thread, 2));
      float* kept = space.chunk(thread, 0);
      for (int64_t i = 0; i < count; i++) kept[i] = y[i] > 0 ? values[i] : 0;
      return const_cast<const float*>(kept);
    };
    const auto products = channelProductsForIsa();
    space.clear();
    rows.each([&](int thread, int64_t first, int64_t n) {
      const int64_t at = first * channels, count = n * channels;
      products(n, channels, incoming(thread, at, count), floats(dtype, x, at, count, space.chunk(thread, 1)), mean,
               inverse, space.sums(thread, 0), space.sums(thread, 1));
    });
    const double share = 1 / static_cast<double>(std::max<int64_t>(rows.rows, 1));
    for (int output = 0; output < 2; output++) {  // dscale, then doffset
      float* to = target(affine, out[1 + output], 0, sum);
      for (int64_t c = 0; c < channels; c++) to[c] = static_cast<float>(space.total(1 - output, c));
      finish(affine, out[1 + output], 0, channels, to);
    }
    for (int64_t c = 0; c < channels; c++) {
      factor[c] = inverse[c] * scale[c];
      meanG[c] = static_cast<float>(space.total(0, c) * share);
      meanGH[c] = static_cast<float>(space.total(1, c) * share);
    }
    const auto gradient = channelGradientForIsa();
    rows.each([&](int thread, int64_t first, int64_t n) {
      const int64_t at = first * channels, count = n * channels;
      const float* values = incoming(thread, at, count);
      if (p.residual) {
        float* dresidual = target(dtype, out[3], at, space.chunk(thread, 2));
        std::copy_n(values, count, dresidual);
        finish(dtype, out[3], at, count, dresidual);
      }
      float* dx = target(dtype, out[0], at, space.chunk(thread, 0));
      gradient(n, channels, values, floats(dtype, x, at, count, space.chunk(thread, 1)), mean, inverse, factor, meanG,
               meanGH, dx);
      finish(dtype, out[0], at, count, dx);
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

std::unique_ptr<Prepared> prepareBatchNorm(const Call& call) { return prepare<BatchNormRun>(call, false); }
std::unique_ptr<Prepared> prepareBatchNormGradient(const Call& call) { return prepare<BatchNormRun>(call, true); }
std::unique_ptr<Prepared> prepareLayerNorm(const Call& call) { return prepare<LayerNormRun>(call, false); }
std::unique_ptr<Prepared> prepareLayerNormGradient(const Call& call) { return prepare<LayerNormRun>(call, true); }

}  // namespace needletail
