// The transforms of Winograd's F(4x4, 3x3), a vector of channels at a time. Included inside each instruction set's
// namespace.
#pragma once
#include "cpu/isa/vector.h"

namespace needletail::NT_ISA {

namespace {

// One-dimensional transforms, in the paper's names: B^T of 6 inputs, B back to 6 of their gradients, A^T to 4 outputs,
// A of 4 gradients, G of 3 weights, G^T to 3.
inline void inputs(const Register* d, Register* t) {
  const Register a = d[4] - 4.0f * d[2], b = d[3] - 4.0f * d[1], c = d[4] - d[2], e = 2.0f * (d[3] - d[1]);
  t[0] = 4.0f * d[0] + (d[4] - 5.0f * d[2]);
  t[1] = a + b;
  t[2] = a - b;
  t[3] = c + e;
  t[4] = c - e;
  t[5] = 4.0f * d[1] + (d[5] - 5.0f * d[3]);
}
inline void inputGradients(const Register* t, Register* d) {
  const Register p = t[1] + t[2], q = t[1] - t[2], r = t[3] + t[4], s = t[3] - t[4];
  d[0] = 4.0f * t[0];
  d[1] = 4.0f * (t[5] - q) - 2.0f * s;
  d[2] = -5.0f * t[0] - (4.0f * p + r);
  d[3] = 2.0f * s + q - 5.0f * t[5];
  d[4] = t[0] + p + r;
  d[5] = t[5];
}
inline void outputs(const Register* m, Register* y) {
  const Register a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
  y[0] = m[0] + a + c;
  y[1] = 2.0f * d + b;
  y[2] = 4.0f * c + a;
  y[3] = 8.0f * d + b + m[5];
}
inline void gradients(const Register* y, Register* t) {
  const Register e = y[0] + y[2], f = y[1] + y[3], g = 4.0f * y[2] + y[0], h = 8.0f * y[3] + 2.0f * y[1];
  t[0] = y[0];
  t[1] = e + f;
  t[2] = e - f;
  t[3] = g + h;
  t[4] = g - h;
  t[5] = y[3];
}
inline void weights(const Register* g, Register* u) {
  const Register a = (g[0] + g[2]) * (-1 / 6.0f), b = g[1] * (-1 / 6.0f);
  const Register c = g[0] * (1 / 24.0f) + g[2] * (1 / 6.0f), d = g[1] * (1 / 12.0f);
  u[0] = g[0] * 0.25f;
  u[1] = a + b;
  u[2] = a - b;
  u[3] = c + d;
  u[4] = c - d;
  u[5] = g[2];
}
inline void weightGradients(const Register* u, Register* g) {
  const Register p = u[1] + u[2], q = u[1] - u[2], r = u[3] + u[4], s = u[3] - u[4];
  g[0] = u[0] * 0.25f - p * (1 / 6.0f) + r * (1 / 24.0f);
  g[1] = s * (1 / 12.0f) - q * (1 / 6.0f);
  g[2] = r * (1 / 6.0f) - p * (1 / 6.0f) + u[5];
}

// A transform of both axes: In x In values come from `from(i, j)`, Out x Out go to `to(i, j, value)`.
template <int In, int Out, void (*F)(const Register*, Register*), class From, class To>
NT_ALWAYS void bothAxes(From from, To to) {
  Register half[Out][In];
  NT_UNROLL for (int j = 0; j < In; j++) {
    Register column[In], result[Out];
    NT_UNROLL for (int i = 0; i < In; i++) column[i] = from(i, j);
    F(column, result);
    NT_UNROLL for (int i = 0; i < Out; i++) half[i][j] = result[i];
  }
  NT_UNROLL for (int i = 0; i < Out; i++) {
    Register result[Out];
    F(half[i], result);
    NT_UNROLL for (int j = 0; j < Out; j++) to(i, j, result[j]);
  }
}

}  // namespace
}  // namespace needletail::NT_ISA
