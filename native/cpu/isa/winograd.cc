#include "cpu/isa/winograd.h"

#include <algorithm>
#include <cstring>

#include "cpu/isa/gemm_inner.h"

namespace needletail::NT_ISA {

namespace {

// Channels may end inside a vector.
inline Vector loadSome(const float* p, int64_t count) {
  if (count >= kLanes) return load(p);
  Vector v{};
  std::memcpy(&v, p, static_cast<size_t>(count) * 4);
  return v;
}
inline void storeSome(float* p, Vector v, int64_t count) {
  if (count >= kLanes)
    store(p, v);
  else
    std::memcpy(p, &v, static_cast<size_t>(count) * 4);
}

// One-dimensional transforms, in the paper's names: B^T of 6 inputs, A^T to 4 outputs, A of 4 gradients, G of 3
// weights, G^T to 3.
inline void inputs(const Vector* d, Vector* t) {
  const Vector a = d[4] - 4.0f * d[2], b = d[3] - 4.0f * d[1], c = d[4] - d[2], e = 2.0f * (d[3] - d[1]);
  t[0] = 4.0f * d[0] - 5.0f * d[2] + d[4];
  t[1] = a + b;
  t[2] = a - b;
  t[3] = c + e;
  t[4] = c - e;
  t[5] = 4.0f * d[1] - 5.0f * d[3] + d[5];
}
inline void outputs(const Vector* m, Vector* y) {
  const Vector a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
  y[0] = m[0] + a + c;
  y[1] = 2.0f * d + b;
  y[2] = 4.0f * c + a;
  y[3] = 8.0f * d + b + m[5];
}
inline void gradients(const Vector* y, Vector* t) {
  const Vector e = y[0] + y[2], f = y[1] + y[3], g = 4.0f * y[2] + y[0], h = 8.0f * y[3] + 2.0f * y[1];
  t[0] = y[0];
  t[1] = e + f;
  t[2] = e - f;
  t[3] = g + h;
  t[4] = g - h;
  t[5] = y[3];
}
inline void weights(const Vector* g, Vector* u) {
  const Vector a = (g[0] + g[2]) * (-1 / 6.0f), b = g[1] * (-1 / 6.0f);
  const Vector c = g[0] * (1 / 24.0f) + g[2] * (1 / 6.0f), d = g[1] * (1 / 12.0f);
  u[0] = g[0] * 0.25f;
  u[1] = a + b;
  u[2] = a - b;
  u[3] = c + d;
  u[4] = c - d;
  u[5] = g[2];
}
inline void weightGradients(const Vector* u, Vector* g) {
  const Vector p = u[1] + u[2], q = u[1] - u[2], r = u[3] + u[4], s = u[3] - u[4];
  g[0] = u[0] * 0.25f - p * (1 / 6.0f) + r * (1 / 24.0f);
  g[1] = s * (1 / 12.0f) - q * (1 / 6.0f);
  g[2] = r * (1 / 6.0f) - p * (1 / 6.0f) + u[5];
}

// A transform of both axes: In x In values come from `from(i, j)`, Out x Out go to `to(i, j, value)`.
template <int In, int Out, void (*F)(const Vector*, Vector*), class From, class To>
__attribute__((always_inline)) inline void bothAxes(From from, To to) {
  Vector half[Out][In];
#pragma GCC unroll 8
  for (int j = 0; j < In; j++) {
    Vector column[In], result[Out];
#pragma GCC unroll 8
    for (int i = 0; i < In; i++) column[i] = from(i, j);
    F(column, result);
#pragma GCC unroll 8
    for (int i = 0; i < Out; i++) half[i][j] = result[i];
  }
#pragma GCC unroll 8
  for (int i = 0; i < Out; i++) {
    Vector result[Out];
    F(half[i], result);
#pragma GCC unroll 8
    for (int j = 0; j < Out; j++) to(i, j, result[j]);
  }
}

alignas(64) const float kZeros[8192] = {};  // stands for a row of channels outside of the image

struct Tile {
  int64_t image, row, column;
};
inline Tile tileOf(const WinogradShape& s, int64_t index) {
  return {index / (s.tilesH * s.tilesW), index / s.tilesW % s.tilesH, index % s.tilesW};
}

// Where the channels of each of 6x6 inputs of a tile begin.
inline void inputPointers(const WinogradShape& s, const Tile& tile, const float* x, const float* (&at)[36]) {
  const int64_t top = tile.row * 4 - s.low[0], left = tile.column * 4 - s.low[1];
  for (int i = 0; i < 6; i++) {
    for (int j = 0; j < 6; j++) {
      const int64_t r = top + i, q = left + j;
      const bool inside = r >= 0 && r < s.h && q >= 0 && q < s.w;
      at[i * 6 + j] = inside ? x + ((tile.image * s.h + r) * s.w + q) * s.c : kZeros;
    }
  }
}

// Transforms of the inputs of `count` tiles; address(t, c): where vector c of tile t goes in each frequency's matrix.
template <class Address>
inline void transformInputs(const WinogradShape& s, const float* x, int64_t first, int64_t count, float* to,
                            int64_t stride, int64_t channels, Address address) {
  for (int64_t t = 0; t < count; t++) {
    const float* at[36];
    inputPointers(s, tileOf(s, first + t), x, at);
    for (int64_t c = 0; c < channels; c += kLanes) {
      float* out = to + address(t, c);
      if (c >= s.c) {
        for (int f = 0; f < kFrequencies; f++) store(out + f * stride, Vector{});
      } else if (s.c - c >= kLanes) {
        bothAxes<6, 6, inputs>([&](int i, int j) { return load(at[i * 6 + j] + c); },
                               [&](int i, int j, Vector v) { store(out + (i * 6 + j) * stride, v); });
      } else {
        bothAxes<6, 6, inputs>([&](int i, int j) { return loadSome(at[i * 6 + j] + c, s.c - c); },
                               [&](int i, int j, Vector v) { store(out + (i * 6 + j) * stride, v); });
      }
    }
  }
}

}  // namespace

void winogradWeights(const float* w, int64_t o, int64_t c, int64_t first, int64_t last, float* to) {
  const int64_t channels = winogradChannels(c), stride = winogradStride(channels * gemmPanels(o) * kGemmWidth);
  for (int64_t p = first / kGemmWidth; p * kGemmWidth < last; p++) {
    const int64_t width = std::min<int64_t>(kGemmWidth, o - p * kGemmWidth);
    for (int64_t b = 0; b < channels; b += kLanes) {
      float* panel = to + (p * channels + b) * kGemmWidth;
      for (int64_t j = 0; j < kGemmWidth; j++) {
        alignas(64) float turned[kFrequencies][kLanes] = {};
        if (j < width && b < c) {
          const float* from = w + (p * kGemmWidth + j) * 9 * c + b;
          bothAxes<3, 6, weights>([&](int i, int k) { return loadSome(from + (i * 3 + k) * c, c - b); },
                                  [&](int i, int k, Vector v) { store(turned[i * 6 + k], v); });
        }
        for (int f = 0; f < kFrequencies; f++) {
          for (int l = 0; l < kLanes; l++) panel[f * stride + l * kGemmWidth + j] = turned[f][l];
        }
      }
    }
  }
}

void winogradWeightsTurned(const float* w, int64_t o, int64_t c, int64_t first, int64_t last, float* to) {
  const int64_t rows = winogradChannels(o), columns = gemmPanels(c) * kGemmWidth,
                stride = winogradStride(rows * columns);
  for (int64_t k = first; k < last; k++) {
    for (int64_t b = 0; b < columns; b += kLanes) {
      float* out = to + (b / kGemmWidth * rows + k) * kGemmWidth + b % kGemmWidth;
      if (k >= o || b >= c) {
        for (int f = 0; f < kFrequencies; f++) store(out + f * stride, Vector{});
        continue;
      }
      const float* from = w + k * 9 * c + b;
      bothAxes<3, 6, weights>([&](int i, int j) { return loadSome(from + ((2 - i) * 3 + 2 - j) * c, c - b); },
                              [&](int i, int j, Vector v) { store(out + (i * 6 + j) * stride, v); });
    }
  }
}

void winogradForward(const WinogradForward& job, int64_t first, int64_t last) {
  const WinogradShape& s = job.shape;
  const int64_t channels = winogradChannels(s.c), panels = gemmPanels(s.o), columns = panels * kGemmWidth;
  const int64_t stride = winogradStride(s.chunk * channels), productStride = winogradStride(s.chunk * columns);
  const int64_t weightStride = winogradStride(channels * columns);
  float *input = job.scratch, *product = input + kFrequencies * stride;
  const Vector zero{};
  for (int64_t start = first; start < last; start += s.chunk) {
    const int64_t count = std::min(s.chunk, last - start);
    transformInputs(s, job.x, start, count, input, stride, channels,
                    [&](int64_t t, int64_t c) { return t * channels + c; });
    for (int f = 0; f < kFrequencies; f++) {
      for (int64_t t = 0; t < count; t += kRows) {
        for (int64_t p = 0; p < panels; p++) {
          rowsTimesPanel(static_cast<int>(std::min<int64_t>(kRows, count - t)), input + f * stride + t * channels,
                         channels, 1, job.weights + f * weightStride + p * channels * kGemmWidth, channels,
                         product + f * productStride + t * columns + p * kGemmWidth, columns, kGemmWidth, false);
        }
      }
    }
    for (int64_t t = 0; t < count; t++) {
      const Tile tile = tileOf(s, start + t);
      const int64_t height = std::min<int64_t>(4, s.oh - tile.row * 4),
                    width = std::min<int64_t>(4, s.ow - tile.column * 4);
      for (int64_t c = 0; c < s.o; c += kLanes) {
        const float* from = product + t * columns + c;
        const int64_t at = ((tile.image * s.oh + tile.row * 4) * s.ow + tile.column * 4) * s.o + c;
        const int64_t left = s.o - c;
        const Vector bias = job.bias ? loadSome(job.bias + c, left) : zero;
        bothAxes<6, 4, outputs>([&](int i, int j) { return load(from + (i * 6 + j) * productStride); },
                                [&](int i, int j, Vector v) {
                                  if (i >= height || j >= width) return;
                                  const int64_t place = at + (i * s.ow + j) * s.o;
                                  v += bias;
                                  if (job.residual) v += loadSome(job.residual + place, left);
                                  if (job.relu) v = v < zero ? zero : v;
                                  storeSome(job.y + place, v, left);
                                });
      }
    }
  }
}

void winogradGradient(const WinogradGradient& job, int64_t first, int64_t last) {
  const WinogradShape& s = job.shape;
  const int64_t panels = gemmPanels(s.c), columns = panels * kGemmWidth, rows = winogradChannels(s.o);
  const int64_t stride = winogradStride(s.chunk * columns), gradientStride = winogradStride(s.chunk * rows);
  const int64_t sumStride = winogradStride(s.o * columns);
  float *input = job.scratch, *gradient = input + kFrequencies * stride, *bias = job.sums + winogradBiasAt(s);
  for (int64_t start = first; start < last; start += s.chunk) {
    const int64_t count = std::min(s.chunk, last - start);
    transformInputs(s, job.x, start, count, input, stride, columns,
                    [&](int64_t t, int64_t c) { return (c / kGemmWidth * s.chunk + t) * kGemmWidth + c % kGemmWidth; });
    for (int64_t t = 0; t < count; t++) {
      const Tile tile = tileOf(s, start + t);
      const float* at[16];
      for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
          const int64_t r = tile.row * 4 + i, q = tile.column * 4 + j;
          at[i * 4 + j] = r < s.oh && q < s.ow ? job.gradient + ((tile.image * s.oh + r) * s.ow + q) * s.o : kZeros;
        }
      }
      for (int64_t c = 0; c < s.o; c += kLanes) {
        float* out = gradient + t * rows + c;
        bothAxes<4, 6, gradients>([&](int i, int j) { return loadSome(at[i * 4 + j] + c, s.o - c); },
                                  [&](int i, int j, Vector v) {
                                    // The second row of A is all ones: this one is the sum of the tile.
                                    if (i == 1 && j == 1) store(bias + c, load(bias + c) + v);
                                    store(out + (i * 6 + j) * gradientStride, v);
                                  });
      }
    }
    for (int f = 0; f < kFrequencies; f++) {
      for (int64_t o = 0; o < s.o; o += kRows) {
        for (int64_t p = 0; p < panels; p++) {
          rowsTimesPanel(static_cast<int>(std::min<int64_t>(kRows, s.o - o)), gradient + f * gradientStride + o, 1,
                         rows, input + f * stride + p * s.chunk * kGemmWidth, count,
                         job.sums + f * sumStride + o * columns + p * kGemmWidth, columns, kGemmWidth, true);
        }
      }
    }
  }
}

void winogradGradientFinish(const WinogradShape& s, const float* sums, int64_t step, int threads, int64_t first,
                            int64_t last, float* dw) {
  const int64_t columns = gemmPanels(s.c) * kGemmWidth, stride = winogradStride(s.o * columns);
  for (int64_t o = first; o < last; o++) {
    for (int64_t c = 0; c < s.c; c += kLanes) {
      const float* from = sums + o * columns + c;
      float* out = dw + o * 9 * s.c + c;
      bothAxes<6, 3, weightGradients>(
          [&](int i, int j) {
            Vector v = load(from + (i * 6 + j) * stride);
            for (int t = 1; t < threads; t++) v += load(from + t * step + (i * 6 + j) * stride);
            return v;
          },
          [&](int i, int j, Vector v) { storeSome(out + (i * 3 + j) * s.c, v, s.c - c); });
    }
  }
}

}  // namespace needletail::NT_ISA
