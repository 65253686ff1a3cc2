#include "cpu/isa/winograd.h"

#include <algorithm>
#include <cstring>

#include "cpu/isa/register_tile.h"
#include "cpu/isa/winograd_transforms.h"

namespace needletail::NT_ISA {

namespace {

// Channels may end inside a vector.
NT_ALWAYS Vector loadSome(const float* p, int64_t count) {
  if (count >= kLanes) return load(p);
  Vector v{};
  std::memcpy(&v, p, static_cast<size_t>(count) * 4);
  return v;
}
NT_ALWAYS Integers loadSome(const int32_t* p, int64_t count) {
  if (count >= kLanes) return loadIntegers(p);
  Integers v{};
  std::memcpy(&v, p, static_cast<size_t>(count) * 4);
  return v;
}
template <class T, class V>
NT_ALWAYS void storeSome(T* p, V v, int64_t count) {
  if (count >= kLanes)
    store(p, v);
  else
    std::memcpy(p, &v, static_cast<size_t>(count) * 4);
}

struct Tile {
  int64_t image, row, column;
};
inline Tile tileOf(const WinogradShape& s, int64_t index) {
  return {index / (s.tilesH() * s.tilesW()), index / s.tilesW() % s.tilesH(), index % s.tilesW()};
}

// Size x Size pixels of an image [h, w, c] from (top, left) on; those outside are 0.
template <int Size>
struct Patch {
  const float* rows[Size];  // at column `first`
  int first, last;  // columns inside of the image
  int64_t channels;

  // zeros: that many channels of Size pixels
  Patch(const float* image, int64_t h, int64_t w, int64_t c, int64_t top, int64_t left, const float* zeros)
      : first(static_cast<int>(std::clamp<int64_t>(-left, 0, Size))),
        last(static_cast<int>(std::clamp<int64_t>(w - left, first, Size))),
        channels(c) {
    for (int i = 0; i < Size; i++) {
      const int64_t r = top + i;
      rows[i] = r >= 0 && r < h ? image + (r * w + left + first) * c : zeros;
    }
  }
  NT_ALWAYS Vector at(int i, int j, int64_t c) const {
    return j >= first && j < last ? load(rows[i] + (j - first) * channels + c) : Vector{};
  }
  // Becomes a patch of one vector, of the last `count` channels.
  void narrow(float* block, int64_t c, int64_t count) {
    for (int i = 0; i < Size; i++) {
      for (int j = first; j < last; j++)
        store(block + (i * Size + j - first) * kLanes, loadSome(rows[i] + (j - first) * channels + c, count));
      rows[i] = block + i * Size * kLanes;
    }
    channels = kLanes;
  }
};

// Inputs of `count` tiles, transformed: channels of tile t at `to` + t * row in each frequency's matrix.
void transformInputs(const WinogradShape& s, const float* x, int64_t start, int64_t count, const float* zeros,
                     float* to, int64_t row, int64_t matrix) {
  alignas(64) float block[kFrequencies * kLanes];
  for (int64_t t = 0; t < count; t++) {
    const Tile tile = tileOf(s, start + t);
    Patch<6> patch(x + tile.image * s.h * s.w * s.c, s.h, s.w, s.c, tile.row * 4 - s.low[0], tile.column * 4 - s.low[1],
                   zeros);
    for (int64_t c = 0; c < s.c; c += kLanes) {
      int64_t channel = c;
      if (s.c - c < kLanes) patch.narrow(block, c, s.c - c), channel = 0;
      float* out = to + t * row + c;
      bothAxes<6, 6, inputs>([&](int i, int j) { return patch.at(i, j, channel); },
                             [&](int i, int j, Vector v) { store(out + (i * 6 + j) * matrix, v); });
    }
  }
}

// The 2x2 gradients of what was pooled from one tile, and the places they go to.
struct PooledTile {
  int64_t at[2][2];  // negative: no window there
  int32_t place[2][2];  // of a window's first pixel, in the image
  PooledTile(const WinogradShape& s, const Tile& tile) {
    for (int i = 0; i < 2; i++) {
      for (int j = 0; j < 2; j++) {
        const int64_t r = tile.row * 2 + i, q = tile.column * 2 + j;
        at[i][j] = r < s.pooledH && q < s.pooledW ? ((tile.image * s.pooledH + r) * s.pooledW + q) * s.o : -1;
        place[i][j] = static_cast<int32_t>(2 * (r * s.ow + q));
      }
    }
  }
};

// Gradients of `count` tiles, transformed: channels of tile t at `to` + t * row in each frequency's matrix. Their sums
// are added to `bias`.
void transformGradients(const WinogradBackward& job, int64_t start, int64_t count, const float* zeros, float* to,
                        int64_t row, int64_t matrix, float* bias) {
  const WinogradShape& s = job.shape;
  alignas(64) float block[16 * kLanes];
  for (int64_t t = 0; t < count; t++) {
    const Tile tile = tileOf(s, start + t);
    auto transform = [&](int64_t c, auto from) {
      float* out = to + t * row + c;
      bothAxes<4, 6, gradients>(from, [&](int i, int j, Vector v) {
        // The second row of A is all ones: this one is the sum of the tile.
        if (i == 1 && j == 1) store(bias + c, load(bias + c) + v);
        store(out + (i * 6 + j) * matrix, v);
      });
    };
    if (s.pooled()) {
      const PooledTile pooled(s, tile);
      for (int64_t c = 0; c < s.o; c += kLanes) {
        Vector gradient[2][2];
        Integers place[2][2];
        NT_UNROLL for (int k = 0; k < 4; k++) {
          const int i = k / 2, j = k % 2;
          gradient[i][j] = Vector{};
          place[i][j] = Integers{};
          if (pooled.at[i][j] < 0) continue;
          const int64_t at = pooled.at[i][j] + c, left = s.o - c;
          gradient[i][j] = loadSome(job.gradient + at, left);
          place[i][j] = loadSome(job.positions + at, left) - splat(pooled.place[i][j]);
          if (job.pooled) gradient[i][j] = loadSome(job.pooled + at, left) > 0.0f ? gradient[i][j] : Vector{};
        }
        const int32_t width = static_cast<int32_t>(s.ow);
        transform(c, [&](int i, int j) {
          const Integers here = splat(i % 2 * width + j % 2);
          return place[i / 2][j / 2] == here ? gradient[i / 2][j / 2] : Vector{};
        });
      }
    } else {
      Patch<4> patch(job.gradient + tile.image * s.oh * s.ow * s.o, s.oh, s.ow, s.o, tile.row * 4, tile.column * 4,
                     zeros);
      for (int64_t c = 0; c < s.o; c += kLanes) {
        int64_t channel = c;
        if (s.o - c < kLanes) patch.narrow(block, c, s.o - c), channel = 0;
        transform(c, [&](int i, int j) { return patch.at(i, j, channel); });
      }
    }
  }
}

// All frequencies of rows times transformed weights (depth x columns, in panels).
NT_ALWAYS void timesWeights(int64_t rows, int64_t columns, int64_t depth, const float* a, int64_t aRow,
                            const float* weights, float* c, int64_t cRow) {
  for (int64_t p = 0; p < columns; p += kWinogradPanel) {
    const int64_t width = std::min(kWinogradPanel, columns - p);
    multiplyTiles(rows, width, depth, Factor<float>{a, aRow, 1}, weights + p * depth, width, c + p, cRow, false);
  }
}

}  // namespace

void winogradWeights(const WinogradWeights& layout, const float* w, int64_t firstBlock, int64_t lastBlock, float* to) {
  const int64_t rows = layout.rows(), columns = winogradChannels(layout.columns());
  const int64_t matrix = winogradWeightMatrix(rows, layout.columns());
  constexpr int64_t kBlock = WinogradWeights::kBlock;
  for (int64_t first = firstBlock * kBlock; first < std::min(rows, lastBlock * kBlock); first += kBlock) {
    const int64_t count = std::min(kBlock, rows - first);
    for (int64_t column = 0; column < columns; column += kLanes) {
      const int64_t width = std::min<int64_t>(kLanes, layout.columns() - column);
      alignas(64) float taps[9][kBlock][kLanes] = {};
      for (int k = 0; k < 9; k++) {
        if (layout.transposed) {
          for (int64_t r = 0; r < count; r++) {
            for (int64_t l = 0; l < width; l++) taps[k][r][l] = w[((first + r) * 9 + k) * layout.c + column + l];
          }
        } else {
          for (int64_t l = 0; l < width; l++) {
            for (int64_t r = 0; r < count; r++) taps[k][r][l] = w[((column + l) * 9 + k) * layout.c + first + r];
          }
        }
      }
      const int64_t panel = column / kWinogradPanel * kWinogradPanel;
      const int64_t panelWidth = std::min(kWinogradPanel, columns - panel);
      for (int64_t r = 0; r < count; r++) {
        float* out = to + panel * rows + (first + r) * panelWidth + column - panel;
        bothAxes<3, 6, weights>([&](int i, int j) { return load(taps[i * 3 + j][r]); },
                                [&](int i, int j, Vector v) { store(out + (i * 6 + j) * matrix, v); });
      }
    }
  }
}

void winogradForward(const WinogradForward& job, int64_t first, int64_t last) {
  const WinogradShape& s = job.shape;
  const int64_t row = winogradRow(s.c), matrix = winogradMatrix(s.chunk * row);
  const int64_t productRow = winogradRow(s.o), productMatrix = winogradMatrix(s.chunk * productRow);
  const int64_t weightMatrix = winogradWeightMatrix(s.c, s.o), columns = winogradChannels(s.o);
  float *zeros = job.scratch, *input = zeros + 6 * winogradChannels(s.c), *product = input + kFrequencies * matrix;
  std::memset(zeros, 0, static_cast<size_t>(6 * winogradChannels(s.c)) * 4);
  for (int64_t start = first; start < last; start += s.chunk) {
    const int64_t count = std::min(s.chunk, last - start);
    transformInputs(s, job.x, start, count, zeros, input, row, matrix);
    for (int f = 0; f < kFrequencies; f++) {
      timesWeights(count, columns, s.c, input + f * matrix, row, job.weights + f * weightMatrix,
                   product + f * productMatrix, productRow);
    }
    for (int64_t t = 0; t < count; t++) {
      const Tile tile = tileOf(s, start + t);
      const int64_t height = std::min<int64_t>(4, s.oh - tile.row * 4),
                    width = std::min<int64_t>(4, s.ow - tile.column * 4);
      const int64_t corner = ((tile.image * s.oh + tile.row * 4) * s.ow + tile.column * 4) * s.o;
      const PooledTile pooled(s, tile);
      for (int64_t c = 0; c < s.o; c += kLanes) {
        const float* from = product + t * productRow + c;
        const int64_t left = s.o - c;
        const Vector bias = job.bias ? loadSome(job.bias + c, left) : Vector{};
        Vector y[4][4];
        bothAxes<6, 4, outputs>([&](int i, int j) { return load(from + (i * 6 + j) * productMatrix); },
                                [&](int i, int j, Vector v) {
                                  v += bias;
                                  if (job.residual && i < height && j < width)
                                    v += loadSome(job.residual + corner + (i * s.ow + j) * s.o + c, left);
                                  y[i][j] = job.relu ? (v < 0.0f ? Vector{} : v) : v;
                                });
        if (!s.pooled()) {
          for (int i = 0; i < height; i++) {
            for (int j = 0; j < width; j++) storeSome(job.y + corner + (i * s.ow + j) * s.o + c, y[i][j], left);
          }
          continue;
        }
        NT_UNROLL for (int k = 0; k < 4; k++) {
          const int i = k / 2 * 2, j = k % 2 * 2;
          Vector best = y[i][j];
          Integers place{};
          NT_UNROLL for (int e = 1; e < 4; e++) {
            const Vector v = y[i + e / 2][j + e % 2];
            const Integers better = (v > best) | (v != v);  // a NaN wins
            best = better ? v : best;
            place = better ? splat(static_cast<int32_t>(e / 2 * s.ow + e % 2)) : place;
          }
          const int64_t at = pooled.at[k / 2][k % 2];
          if (at < 0) continue;
          storeSome(job.y + at + c, best, left);
          if (job.positions) storeSome(job.positions + at + c, place + splat(pooled.place[k / 2][k % 2]), left);
        }
      }
    }
  }
}

namespace {

// Adds tile after tile of the input's gradient. Of 6x6 values, the last two columns go on to the next tile (`beside`),
// the last two rows to the next strip (`below`), and the others are complete.
struct GradientSum {
  const WinogradBackward& job;
  const WinogradShape& s;
  int64_t channels, belowRow;
  float* beside;
  int64_t firstStrip;
  GradientSum(const WinogradBackward& job, float* beside, int64_t firstStrip)
      : job(job),
        s(job.shape),
        channels(winogradChannels(s.c)),
        belowRow((4 * s.tilesW() + 2) * channels),
        beside(beside),
        firstStrip(firstStrip) {}

  void add(int64_t index, const float* from, int64_t matrix) {
    const Tile tile = tileOf(s, index);
    const bool isLast = tile.column == s.tilesW() - 1, isBottom = tile.row == s.tilesH() - 1;
    const bool hasAbove = tile.row > 0 && index / s.tilesW() > firstStrip;
    const int64_t top = tile.row * 4 - s.low[0], left = tile.column * 4 - s.low[1];
    const int width = isLast ? 6 : 4, height = isBottom ? 6 : 4;
    const int firstRow = static_cast<int>(std::max<int64_t>(0, -top)),
              lastRow = static_cast<int>(std::min<int64_t>(height, s.h - top)),
              firstColumn = static_cast<int>(std::max<int64_t>(0, -left)),
              lastColumn = static_cast<int>(std::min<int64_t>(width, s.w - left));
    const int64_t corner = ((tile.image * s.h + top) * s.w + left) * s.c;
    for (int64_t c = 0; c < s.c; c += kLanes) {
      Vector d[6][6];
      bothAxes<6, 6, inputGradients>([&](int i, int j) { return load(from + (i * 6 + j) * matrix + c); },
                                     [&](int i, int j, Vector v) { d[i][j] = v; });
      float* side = beside + c;
      NT_UNROLL for (int i = 0; i < 6; i++) {
        NT_UNROLL for (int j = 0; j < 2; j++) {
          float* next = side + (i * 2 + j) * channels;
          if (tile.column > 0) d[i][j] += load(next);
          store(next, d[i][j + 4]);
        }
      }
      float* under = job.below + tile.column * 4 * channels + c;
      NT_UNROLL for (int i = 0; i < 2; i++) {
        for (int j = 0; j < width; j++) {
          float* next = under + i * belowRow + j * channels;
          if (hasAbove) d[i][j] += load(next);
          store(next, d[i + 4][j]);
        }
      }
      const int64_t count = s.c - c;
      for (int i = firstRow; i < lastRow; i++) {
        for (int j = firstColumn; j < lastColumn; j++) write(corner + (i * s.w + j) * s.c + c, d[i][j], count);
      }
    }
  }
  NT_ALWAYS void write(int64_t at, Vector v, int64_t count) const {
    if (job.values) v = loadSome(job.values + at, count) > 0.0f ? v : Vector{};
    storeSome(job.dx + at, v, count);
  }
};

}  // namespace

void winogradBackward(const WinogradBackward& job, int64_t first, int64_t last) {
  const WinogradShape& s = job.shape;
  const int64_t row = winogradRow(s.c), matrix = winogradMatrix(s.chunk * row);
  const int64_t gradientRow = winogradRow(s.o), gradientMatrix = winogradMatrix(s.chunk * gradientRow);
  const int64_t columns = winogradChannels(s.c), sumMatrix = winogradSumMatrix(s);
  const int64_t weightMatrix = winogradWeightMatrix(s.o, s.c);
  const int64_t zeroFloats = 6 * std::max(winogradChannels(s.c), winogradChannels(s.o));
  float *zeros = job.scratch, *beside = zeros + zeroFloats, *input = beside + 12 * columns,
        *gradient = input + kFrequencies * matrix, *bias = job.sums + winogradBiasAt(s);
  std::memset(zeros, 0, static_cast<size_t>(zeroFloats) * 4);
  std::memset(bias, 0, static_cast<size_t>(winogradChannels(s.o)) * 4);
  GradientSum sum(job, beside, first);
  for (int64_t start = first * s.tilesW(), end = last * s.tilesW(); start < end; start += s.chunk) {
    const int64_t count = std::min(s.chunk, end - start);
    transformGradients(job, start, count, zeros, gradient, gradientRow, gradientMatrix, bias);
    if (job.x) transformInputs(s, job.x, start, count, zeros, input, row, matrix);
    for (int f = 0; f < kFrequencies; f++) {
      const float* g = gradient + f * gradientMatrix;
      float* xs = input + f * matrix;
      if (job.x) {
        multiplyTiles(s.o, columns, count, Factor<float>{g, 1, gradientRow}, xs, row, job.sums + f * sumMatrix, columns,
                      start > first * s.tilesW());
      }
      // The inputs of this frequency have done their work: the input's gradient takes their place.
      if (job.weights) timesWeights(count, columns, s.o, g, gradientRow, job.weights + f * weightMatrix, xs, row);
    }
    if (job.weights) {
      for (int64_t t = 0; t < count; t++) sum.add(start + t, input + t * row, matrix);
    }
  }
}

void winogradJoin(const WinogradBackward& job, int64_t strip, const float* below) {
  const WinogradShape& s = job.shape;
  const int64_t channels = winogradChannels(s.c), belowRow = (4 * s.tilesW() + 2) * channels;
  const int64_t image = strip / s.tilesH(), top = strip % s.tilesH() * 4 - s.low[0];
  for (int64_t i = std::max<int64_t>(0, -top); i < std::min<int64_t>(2, s.h - top); i++) {
    for (int64_t j = 0; j < s.w; j++) {
      const int64_t at = ((image * s.h + top + i) * s.w + j) * s.c;
      const float* from = below + i * belowRow + (j + s.low[1]) * channels;
      for (int64_t c = 0; c < s.c; c += kLanes) {
        const int64_t count = s.c - c;
        Vector v = load(from + c);
        if (job.values) v = loadSome(job.values + at + c, count) > 0.0f ? v : Vector{};
        storeSome(job.dx + at + c, loadSome(job.dx + at + c, count) + v, count);
      }
    }
  }
}

void winogradWeightGradient(const WinogradShape& s, const float* sums, int64_t step, int threads, int64_t first,
                            int64_t last, float* dw) {
  const int64_t columns = winogradChannels(s.c), matrix = winogradSumMatrix(s);
  for (int64_t o = first; o < last; o++) {
    for (int64_t c = 0; c < s.c; c += kLanes) {
      const float* from = sums + o * columns + c;
      float* out = dw + o * 9 * s.c + c;
      bothAxes<6, 3, weightGradients>(
          [&](int i, int j) {
            Vector v = load(from + (i * 6 + j) * matrix);
            for (int t = 1; t < threads; t++) v += load(from + t * step + (i * 6 + j) * matrix);
            return v;
          },
          [&](int i, int j, Vector v) { storeSome(out + (i * 3 + j) * s.c, v, s.c - c); });
    }
  }
}

}  // namespace needletail::NT_ISA
