#include "cpu/isa/pool.h"

#include "cpu/isa/vector.h"

namespace needletail::NT_ISA {

void poolMaximum(int64_t channels, int count, const float* const* x, const int32_t* index, float* y,
                 int32_t* positions) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    Vector best = load(x[0] + c);
    Integers position = splat(index[0]);
    for (int k = 1; k < count; k++) {
      const Vector v = load(x[k] + c);
      const Integers better = (v > best) | (v != v);
      best = better ? v : best;
      position = better ? splat(index[k]) : position;
    }
    store(y + c, best);
    if (positions) store(positions + c, position);
  }
  for (; c < channels; c++) {
    float best = x[0][c];
    int32_t position = index[0];
    for (int k = 1; k < count; k++) {
      const float v = x[k][c];
      if (v > best || v != v) best = v, position = index[k];
    }
    y[c] = best;
    if (positions) positions[c] = position;
  }
}

void poolAverage(int64_t channels, int count, const float* const* x, float scale, float* y) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    Vector sum = load(x[0] + c);
    for (int k = 1; k < count; k++) sum += load(x[k] + c);
    store(y + c, sum * splat(scale));
  }
  for (; c < channels; c++) {
    float sum = x[0][c];
    for (int k = 1; k < count; k++) sum += x[k][c];
    y[c] = sum * scale;
  }
}

void poolPlace(int64_t channels, int count, float* const* dx, const int32_t* index, const float* g,
               const int32_t* positions) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    const Vector v = load(g + c);
    const Integers position = loadIntegers(positions + c);
    for (int k = 0; k < count; k++) store(dx[k] + c, position == splat(index[k]) ? v : Vector{});
  }
  for (; c < channels; c++) {
    for (int k = 0; k < count; k++) dx[k][c] = positions[c] == index[k] ? g[c] : 0;
  }
}

void addScaled(int64_t channels, const float* x, float scale, float* y) {
#pragma GCC ivdep
  for (int64_t c = 0; c < channels; c++) y[c] += x[c] * scale;
}

void blend(int64_t channels, const float* a, const float* b, float part, float* y) {
  const float rest = 1 - part;
#pragma GCC ivdep
  for (int64_t c = 0; c < channels; c++) y[c] = a[c] * rest + b[c] * part;
}

}  // namespace needletail::NT_ISA
