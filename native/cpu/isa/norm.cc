#include "cpu/isa/norm.h"

#include <algorithm>
#include <type_traits>

#include "cpu/isa/rows.h"

namespace needletail::NT_ISA {

namespace {

constexpr int64_t kBlock = 64;  // values added up as floats before they go into a double

NT_ALWAYS double total(Vector v) {
  double sum = 0;
  for (int i = 0; i < kLanes; i++) sum += v[i];
  return sum;
}

typedef double Doubles __attribute__((vector_size(kLanes * 8), aligned(8), may_alias));
// sum[i] += v[i]
template <class Lanes>
NT_ALWAYS void addTo(double* sum, Vector v, Lanes lanes) {
  if constexpr (std::is_same_v<Lanes, Whole>) {
    *reinterpret_cast<Doubles*>(sum) += __builtin_convertvector(v, Doubles);
  } else {
    for (int i = 0; i < lanes; i++) sum[i] += v[i];
  }
}
// f(T()) with the type of the values.
template <class F>
NT_ALWAYS void withType(const ChannelRows& size, F f) {
  size.half ? f(BFloat16()) : f(float());
}
// What is read later is asked for now: the processor's own prefetching stops at each page.
constexpr int64_t kRowsAhead = 16, kAhead = 2048;  // rows, and elements of rows that are read one after another
template <class T>
NT_ALWAYS void ahead(const T* p, int64_t elements) {
  __builtin_prefetch(p + elements);
}
constexpr int kSums = 4;  // vectors of sums in registers: whole lines are read one after another

}  // namespace

void channelMoments(const ChannelRows& size, const void* values, const float* shift, double* total, double* squares) {
  withType(size, [&](auto type) {
    using T = decltype(type);
    const T* x = static_cast<const T*>(values);
    for (int64_t first = 0; first < size.rows; first += kBlock) {
      const int64_t last = std::min(size.rows, first + kBlock);
      eachVector<kSums>(size.channels, [&](int64_t c, auto vectors, auto lanes) {
        Vector m[vectors], s[vectors], q[vectors];
        for (int k = 0; k < vectors; k++) m[k] = take(shift + c + k * kLanes, lanes), s[k] = q[k] = Vector{};
        for (int64_t r = first; r < last; r++) {
          for (int k = 0; k < vectors; k++) {
            const T* at = x + r * size.channels + c + k * kLanes;
            ahead(at, kRowsAhead * size.channels);
            const Vector v = take(at, lanes) - m[k];
            s[k] += v;
            q[k] += v * v;
          }
        }
        for (int k = 0; k < vectors; k++) {
          addTo(total + c + k * kLanes, s[k], lanes);
          addTo(squares + c + k * kLanes, q[k], lanes);
        }
      });
    }
  });
}

void channelNormalise(const ChannelRows& size, const void* values, const float* mean, const float* factor,
                      const float* offset, const void* residual, bool relu, void* result) {
  withType(size, [&](auto type) {
    using T = decltype(type);
    for (int64_t r = 0; r < size.rows; r++) {
      const T* x = static_cast<const T*>(values) + r * size.channels;
      const T* more = residual ? static_cast<const T*>(residual) + r * size.channels : nullptr;
      T* y = static_cast<T*>(result) + r * size.channels;
      eachVector<1>(size.channels, [&](int64_t c, auto, auto lanes) {
        ahead(x + c, kAhead);
        if (more) ahead(more + c, kAhead);
        Vector v = (take(x + c, lanes) - take(mean + c, lanes)) * take(factor + c, lanes) + take(offset + c, lanes);
        if (more) v = rounded(type, v) + take(more + c, lanes);
        if (relu) v = v < Vector{} ? Vector{} : v;  // a NaN comes through
        put(y + c, v, lanes);
      });
    }
  });
}

void channelProducts(const ChannelRows& size, const void* gradient, const void* made, const void* values,
                     const float* mean, void* through, double* total, double* products) {
  withType(size, [&](auto type) {
    using T = decltype(type);
    const T *g = static_cast<const T*>(gradient), *y = static_cast<const T*>(made), *x = static_cast<const T*>(values);
    T* kept = static_cast<T*>(through);
    for (int64_t first = 0; first < size.rows; first += kBlock) {
      const int64_t last = std::min(size.rows, first + kBlock);
      eachVector<kSums>(size.channels, [&](int64_t c, auto vectors, auto lanes) {
        Vector m[vectors], s[vectors], p[vectors];
        for (int k = 0; k < vectors; k++) m[k] = take(mean + c + k * kLanes, lanes), s[k] = p[k] = Vector{};
        for (int64_t r = first; r < last; r++) {
          for (int k = 0; k < vectors; k++) {
            const int64_t at = r * size.channels + c + k * kLanes;
            ahead(g + at, kRowsAhead * size.channels);
            ahead(x + at, kRowsAhead * size.channels);
            if (y) ahead(y + at, kRowsAhead * size.channels);
            Vector v = take(g + at, lanes);
            if (y) v = where(take(y + at, lanes) > Vector{}, v);
            if (kept) put(kept + at, v, lanes);
            s[k] += v;
            p[k] += v * (take(x + at, lanes) - m[k]);
          }
        }
        for (int k = 0; k < vectors; k++) {
          addTo(total + c + k * kLanes, s[k], lanes);
          addTo(products + c + k * kLanes, p[k], lanes);
        }
      });
    }
  });
}

void channelGradient(const ChannelRows& size, const void* gradient, const void* made, const void* values,
                     const float* mean, const float* factor, const float* slope, const float* offset, void* result) {
  withType(size, [&](auto type) {
    using T = decltype(type);
    for (int64_t r = 0; r < size.rows; r++) {
      const T* g = static_cast<const T*>(gradient) + r * size.channels;
      const T* x = static_cast<const T*>(values) + r * size.channels;
      const T* y = made ? static_cast<const T*>(made) + r * size.channels : nullptr;
      T* dx = static_cast<T*>(result) + r * size.channels;
      eachVector<1>(size.channels, [&](int64_t c, auto, auto lanes) {
        ahead(g + c, kAhead);
        ahead(x + c, kAhead);
        if (y) ahead(y + c, kAhead);
        Vector v = take(g + c, lanes);
        if (y) v = where(take(y + c, lanes) > Vector{}, v);
        const Vector h = take(x + c, lanes) - take(mean + c, lanes);
        put(dx + c, v * take(factor + c, lanes) + h * take(slope + c, lanes) + take(offset + c, lanes), lanes);
      });
    }
  });
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
