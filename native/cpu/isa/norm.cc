#include "cpu/isa/norm.h"

#include "cpu/isa/vector.h"

namespace needletail::NT_ISA {

namespace {

constexpr int64_t kBlock = 64;  // values added up as floats before they go into a double

NT_ALWAYS double total(Vector v) {
  double sum = 0;
  for (int i = 0; i < kLanes; i++) sum += v[i];
  return sum;
}

}  // namespace

void channelMoments(int64_t rows, int64_t channels, const float* x, const float* mean, double* sum, double* squares) {
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t count = rows - first < kBlock ? rows - first : kBlock;
    const float* block = x + first * channels;
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) {
      const Vector m = mean ? load(mean + c) : Vector{};
      Vector s{}, q{};
      for (int64_t r = 0; r < count; r++) {
        const Vector v = load(block + r * channels + c) - m;
        s += v;
        q += v * v;
      }
      for (int i = 0; i < kLanes; i++) sum[c + i] += s[i];
      if (squares)
        for (int i = 0; i < kLanes; i++) squares[c + i] += q[i];
    }
    for (; c < channels; c++) {
      float s = 0, q = 0;
      for (int64_t r = 0; r < count; r++) {
        const float v = block[r * channels + c] - (mean ? mean[c] : 0);
        s += v;
        q += v * v;
      }
      sum[c] += s;
      if (squares) squares[c] += q;
    }
  }
}

void channelProducts(int64_t rows, int64_t channels, const float* g, const float* x, const float* mean,
                     const float* inverse, double* sum, double* products) {
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t count = rows - first < kBlock ? rows - first : kBlock, offset = first * channels;
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) {
      const Vector m = load(mean + c), scale = load(inverse + c);
      Vector s{}, p{};
      for (int64_t r = 0; r < count; r++) {
        const int64_t i = offset + r * channels + c;
        const Vector v = load(g + i);
        s += v;
        p += v * ((load(x + i) - m) * scale);
      }
      for (int i = 0; i < kLanes; i++) sum[c + i] += s[i], products[c + i] += p[i];
    }
    for (; c < channels; c++) {
      float s = 0, p = 0;
      for (int64_t r = 0; r < count; r++) {
        const int64_t i = offset + r * channels + c;
        s += g[i];
        p += g[i] * ((x[i] - mean[c]) * inverse[c]);
      }
      sum[c] += s;
      products[c] += p;
    }
  }
}

void channelNormalise(int64_t rows, int64_t channels, const float* x, const float* mean, const float* factor,
                      const float* offset, float* y) {
  for (int64_t r = 0; r < rows; r++, x += channels, y += channels) {
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; c++) y[c] = (x[c] - mean[c]) * factor[c] + offset[c];
  }
}

void channelGradient(int64_t rows, int64_t channels, const float* g, const float* x, const float* mean,
                     const float* inverse, const float* factor, const float* meanG, const float* meanGH, float* dx) {
  for (int64_t r = 0; r < rows; r++, g += channels, x += channels, dx += channels) {
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; c++)
      dx[c] = factor[c] * (g[c] - meanG[c] - (x[c] - mean[c]) * inverse[c] * meanGH[c]);
  }
}

void rowMoments(int64_t n, const float* x, double* mean, double* variance) {
  constexpr int64_t kStep = kBlock * kLanes;
  // Twice: a variance from squares alone loses all digits where the mean is large.
  double result[2] = {0, 0};
  for (int pass = 0; pass < 2; pass++) {
    const float m = pass ? static_cast<float>(result[0]) : 0;
    double sum = 0, rest = 0;
    int64_t i = 0;
    while (i + kLanes <= n) {
      const int64_t end = i + kStep <= n ? i + kStep : n - kLanes + 1;
      Vector s{}, d{};
      for (; i < end; i += kLanes) {
        const Vector v = load(x + i) - splat(m);
        s += pass ? v * v : v;
        d += v;
      }
      sum += total(s);
      rest += total(d);
    }
    for (; i < n; i++) {
      const double v = x[i] - m;
      sum += pass ? v * v : v;
      rest += v;
    }
    const double count = static_cast<double>(n);
    result[pass] = sum / count;
    // The second pass is about the mean as a float: what that differs by is taken back.
    if (pass) result[1] -= rest / count * (rest / count);
  }
  *mean = result[0];
  *variance = result[1] > 0 || result[1] != result[1] ? result[1] : 0;
}

void rowNormalise(int64_t n, const float* x, float mean, float inverse, const float* scale, const float* offset,
                  float* y) {
  if (scale) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * inverse * scale[i] + offset[i];
  } else {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * inverse;
  }
}

void rowGradient(int64_t n, const float* g, const float* x, float mean, float inverse, const float* scale, float* dx) {
  constexpr int64_t kStep = kBlock * kLanes;
  double sum = 0, products = 0;
  int64_t i = 0;
  while (i + kLanes <= n) {
    const int64_t end = i + kStep <= n ? i + kStep : n - kLanes + 1;
    Vector s{}, p{};
    for (; i < end; i += kLanes) {
      const Vector v = scale ? load(g + i) * load(scale + i) : load(g + i);
      s += v;
      p += v * ((load(x + i) - splat(mean)) * splat(inverse));
    }
    sum += total(s);
    products += total(p);
  }
  for (; i < n; i++) {
    const float v = scale ? g[i] * scale[i] : g[i];
    sum += v;
    products += v * ((x[i] - mean) * inverse);
  }
  const float a = static_cast<float>(sum / static_cast<double>(n)),
              b = static_cast<float>(products / static_cast<double>(n));
  if (scale) {
#pragma GCC ivdep
    for (int64_t k = 0; k < n; k++) dx[k] = inverse * (g[k] * scale[k] - a - (x[k] - mean) * inverse * b);
  } else {
#pragma GCC ivdep
    for (int64_t k = 0; k < n; k++) dx[k] = inverse * (g[k] - a - (x[k] - mean) * inverse * b);
  }
}

void rowScaleGradient(int64_t n, const float* g, const float* x, float mean, float inverse, double* dscale,
                      double* doffset) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) {
    dscale[i] += g[i] * ((x[i] - mean) * inverse);
    doffset[i] += g[i];
  }
}

}  // namespace needletail::NT_ISA
