#include "cpu/isa/winograd.h"

#include <algorithm>
#include <cstring>

#include "cpu/isa/register_tile.h"
#include "cpu/isa/rows.h"
#include "cpu/isa/transpose.h"
#include "cpu/isa/winograd_transforms.h"

namespace needletail::NT_ISA {

namespace {

// f(T()) with the type of the tensors' elements.
template <class F>
NT_ALWAYS void withElement(bool half, F f) {
  half ? f(BFloat16()) : f(float());
}
// What is multiplied at a time, and how many elements that is.
template <class T>
using UnitOf = std::conditional_t<std::is_same_v<T, float>, float, Pair>;
template <class T>
constexpr int kElements = sizeof(float) / sizeof(T);
template <class T>
NT_ALWAYS UnitOf<T>* units(float* memory) {
  return reinterpret_cast<UnitOf<T>*>(memory);
}
NT_ALWAYS void storePairs(Pair* p, Pairs v) { store(reinterpret_cast<uint32_t*>(p), v); }

// Channels may end inside a vector.
template <class T>
NT_ALWAYS Vector loadSome(const T* p, int64_t count) {
  return count >= kLanes ? load(p) : take(p, static_cast<int>(count));
}
template <class T>
NT_ALWAYS void storeSome(T* p, Vector v, int64_t count) {
  count >= kLanes ? store(p, v) : put(p, v, static_cast<int>(count));
}
NT_ALWAYS Integers loadSome(const int32_t* p, int64_t count) {
  if (count >= kLanes) return loadIntegers(p);
  Integers v{};
  std::memcpy(&v, p, static_cast<size_t>(count) * 4);
  return v;
}
NT_ALWAYS void storeSome(int32_t* p, Integers v, int64_t count) {
  if (count >= kLanes)
    store(p, v);
  else
    std::memcpy(p, &v, static_cast<size_t>(count) * 4);
}

struct TilePlace {
  int64_t image, row, column;
  TilePlace(const WinogradShape& s, int64_t index)
      : image(index / (s.tilesH() * s.tilesW())), row(index / s.tilesW() % s.tilesH()), column(index % s.tilesW()) {}
};

// Asks for what the strip of tiles that follows will read or write: the processor's own prefetching doesn't see tiles
// coming. Past the end of a tensor nothing happens.
template <int Size, class T>
NT_ALWAYS void prefetchTile(const T* corner, int64_t row, int64_t step) {
  NT_UNROLL for (int i = 0; i < Size; i++) {
    NT_UNROLL for (int j = 0; j < Size; j++) __builtin_prefetch(corner + i * row + j * step, 0, 2);
  }
}

// Size x Size pixels of an image [h, w, c] from (top, left) on; those outside are 0.
template <class T, int Size>
struct Patch {
  const T* rows[Size];  // at column `first`
  int first, last;  // columns inside of the image
  int64_t channels, narrowed = 0;
  const T* next;  // what the next strip's patch has beyond this one
  int64_t nextRow, nextStep;
  T block[Size * Size * kLanes];

  // zeros: that many channels of Size pixels
  Patch(const T* image, int64_t h, int64_t w, int64_t c, int64_t top, int64_t left, const T* zeros)
      : first(static_cast<int>(std::clamp<int64_t>(-left, 0, Size))),
        last(static_cast<int>(std::clamp<int64_t>(w - left, first, Size))),
        channels(c),
        next(image + ((top + Size) * w + left + (Size - 4) / 2) * c),
        nextRow(w * c),
        nextStep(c) {
    for (int i = 0; i < Size; i++) {
      const int64_t r = top + i;
      rows[i] = r >= 0 && r < h ? image + (r * w + left + first) * c : zeros;
    }
  }
  // Has to be called before `at` for the channels from c on.
  NT_ALWAYS void begin(int64_t c) {
    prefetchTile<4>(next + c, nextRow, nextStep);
    if (channels - c < kLanes) narrowTo(c);
  }
  NT_ALWAYS Vector at(int i, int j, int64_t c) const {
    return j >= first && j < last ? load(rows[i] + (j - first) * channels + c - narrowed) : Vector{};
  }

 private:
  // Becomes a patch of the one vector that holds the last channels.
  void narrowTo(int64_t c) {
    for (int i = 0; i < Size; i++) {
      T* to = block + i * Size * kLanes;
      for (int j = first; j < last; j++)
        store(to + (j - first) * kLanes, loadSome(rows[i] + (j - first) * channels + c, channels - c));
      rows[i] = to;
    }
    channels = kLanes;
    narrowed = c;
  }
};

// Tiles that are transformed: transform(c, to) calls to(frequency, value) for the vector of channels from c on.
template <class T>
struct InputTile {
  Patch<T, 6> patch;
  InputTile(const WinogradShape& s, const T* x, const TilePlace& tile, const T* zeros)
      : patch(x + tile.image * s.h * s.w * s.c, s.h, s.w, s.c, tile.row * 4 - s.low[0], tile.column * 4 - s.low[1],
              zeros) {}
  template <class To>
  NT_ALWAYS void transform(int64_t c, To to) {
    patch.begin(c);
    bothAxes<6, 6, inputs>([&](int i, int j) { return patch.at(i, j, c); },
                           [&](int i, int j, Vector v) { to(i * 6 + j, v); });
  }
};

// The sum of a tile's gradients, which is one of the frequencies (the second row of A is all ones), is also that of the
// bias.
template <class From, class To>
NT_ALWAYS void transformGradients(From from, To to, float* bias) {
  bothAxes<4, 6, gradients>(from, [&](int i, int j, Vector v) {
    if (i == 1 && j == 1) store(bias, load(bias) + v);
    to(i * 6 + j, v);
  });
}

template <class T>
struct GradientTile {
  Patch<T, 4> patch;
  float* bias;
  GradientTile(const WinogradBackward& job, const TilePlace& tile, const T* zeros, float* bias)
      : patch(static_cast<const T*>(job.gradient) + tile.image * job.shape.oh * job.shape.ow * job.shape.o,
              job.shape.oh, job.shape.ow, job.shape.o, tile.row * 4, tile.column * 4, zeros),
        bias(bias) {}
  template <class To>
  NT_ALWAYS void transform(int64_t c, To to) {
    patch.begin(c);
    transformGradients([&](int i, int j) { return patch.at(i, j, c); }, to, bias + c);
  }
};

// Where a tile's four pooling windows lie.
struct Windows {
  int64_t at[2][2];  // their elements among the pooled ones; negative: no window there
  int32_t place[2][2];  // of their first pixels, in the image
  Windows(const WinogradShape& s, const TilePlace& tile) {
    for (int i = 0; i < 2; i++) {
      for (int j = 0; j < 2; j++) {
        const int64_t r = tile.row * 2 + i, q = tile.column * 2 + j;
        at[i][j] = r < s.pooledH && q < s.pooledW ? ((tile.image * s.pooledH + r) * s.pooledW + q) * s.o : -1;
        place[i][j] = static_cast<int32_t>(2 * (r * s.ow + q));
      }
    }
  }
};

// The gradients of what was pooled, each at the place of its winner.
template <class T>
struct PooledGradientTile {
  const WinogradBackward& job;
  Windows windows;
  float* bias;
  PooledGradientTile(const WinogradBackward& job, const TilePlace& tile, float* bias)
      : job(job), windows(job.shape, tile), bias(bias) {}
  template <class To>
  NT_ALWAYS void transform(int64_t c, To to) {
    Register gradient[2][2];
    Integers place[2][2];
    const int64_t count = job.shape.o - c, row = job.shape.pooledW * job.shape.o;
    if (windows.at[0][0] >= 0) {
      const int64_t next = windows.at[0][0] + 2 * row + c;
      prefetchTile<2>(static_cast<const T*>(job.gradient) + next, row, job.shape.o);
      prefetchTile<2>(job.positions + next, row, job.shape.o);
      if (job.pooled) prefetchTile<2>(static_cast<const T*>(job.pooled) + next, row, job.shape.o);
    }
    NT_UNROLL for (int k = 0; k < 4; k++) {
      const int i = k / 2, j = k % 2;
      const int64_t at = windows.at[i][j] + c;
      gradient[i][j] = Vector{};
      place[i][j] = Integers{};
      if (windows.at[i][j] < 0) continue;
      gradient[i][j] = loadSome(static_cast<const T*>(job.gradient) + at, count);
      place[i][j] = loadSome(job.positions + at, count) - splat(windows.place[i][j]);
      if (job.pooled)
        gradient[i][j] = where(loadSome(static_cast<const T*>(job.pooled) + at, count) > Vector{}, gradient[i][j]);
    }
    const int32_t width = static_cast<int32_t>(job.shape.ow);
    transformGradients(
        [&](int i, int j) {
          return where(place[i / 2][j / 2] == splat(i % 2 * width + j % 2), gradient[i / 2][j / 2]);
        },
        to, bias + c);
  }
};

// Transforms `count` tiles to matrices whose rows are tiles, and to matrices whose units are pairs of tiles; null: not
// to these. Of floats, which are units of their own, the two are one.
template <class T, class TileAt>
void transformTiles(int64_t count, int64_t channels, float* memory, const WinogradMatrices* rows,
                    const WinogradMatrices* pairsOfRows, TileAt tileAt) {
  if constexpr (std::is_same_v<T, float>) {
    const WinogradMatrices& to = rows ? *rows : *pairsOfRows;
    for (int64_t t = 0; t < count; t++) {
      auto tile = tileAt(t);
      for (int64_t c = 0; c < channels; c += kLanes) {
        float* out = memory + to.at + t * to.row + c;
        tile.transform(c, [&](int f, Vector v) { store(out + f * to.step, v); });
      }
    }
  } else {
    for (int64_t t = 0; t < count; t += 2) {
      const bool isPair = t + 1 < count;
      auto first = tileAt(t), second = tileAt(t + isPair);
      for (int64_t c = 0; c < channels; c += kLanes) {
        Register values[2][kFrequencies];
        first.transform(c, [&](int f, Vector v) { values[0][f] = v; });
        if (isPair)
          second.transform(c, [&](int f, Vector v) { values[1][f] = v; });
        else
          std::fill_n(values[1], kFrequencies, Register{});
        for (int f = 0; f < kFrequencies; f++) {
          if (rows) {
            T* out = reinterpret_cast<T*>(memory + rows->at + t * rows->row + f * rows->step) + c;
            store(out, values[0][f]);
            store(out + rows->row * 2, values[1][f]);
          }
          if (pairsOfRows) {
            float* out = memory + pairsOfRows->at + t / 2 * pairsOfRows->row + f * pairsOfRows->step + c;
            storePairs(units<T>(out), pairs(values[0][f], values[1][f]));
          }
        }
      }
    }
  }
}

// Rows of tiles times transformed weights (depth x columns, in panels).
template <class Unit>
NT_ALWAYS void timesWeights(int64_t rows, int64_t columns, int64_t depth, Factor<Unit> a, const Unit* weights, float* c,
                            int64_t cRow) {
  for (int64_t p = 0; p < columns; p += kWinogradPanel) {
    const int64_t width = std::min(kWinogradPanel, columns - p);
    multiplyTiles(rows, width, depth, a, weights + p * depth, width, c + p, cRow, false);
  }
}

template <class T>
void transformWeights(const WinogradWeights& layout, const T* w, int64_t firstRow, int64_t lastRow, float* to) {
  const int64_t columns = winogradChannels(layout.columns()), depth = layout.depth(), step = layout.step();
  for (int64_t first = firstRow; first < lastRow; first += kLanes) {
    const int64_t count = std::min<int64_t>(kLanes, lastRow - first);
    for (int64_t column = 0; column < columns; column += kLanes) {
      const int64_t width = std::clamp<int64_t>(layout.columns() - column, 0, kLanes);
      const int64_t o = layout.transposed ? first : column, c = layout.transposed ? column : first;
      const int64_t outputs = layout.transposed ? count : width, inputs = layout.transposed ? width : count;
      Register taps[9][kLanes] = {};
      for (int k = 0; k < 9; k++) {
        for (int64_t r = 0; r < outputs; r++) taps[k][r] = loadSome(w + ((o + r) * 9 + k) * layout.c + c, inputs);
        if (!layout.transposed) transpose(taps[k]);
      }
      const int64_t panel = column / kWinogradPanel * kWinogradPanel;
      const int64_t panelWidth = std::min(kWinogradPanel, columns - panel);
      for (int64_t r = 0; r < count; r += kElements<T>) {
        Register values[2][kFrequencies];
        for (int e = 0; e < kElements<T>; e++) {
          bothAxes<3, 6, weights>([&](int i, int j) { return taps[i * 3 + j][r + e]; },
                                  [&](int i, int j, Vector v) { values[e][i * 6 + j] = v; });
        }
        float* out = to + panel * depth + (first + r) / kElements<T> * panelWidth + column - panel;
        for (int f = 0; f < kFrequencies; f++) {
          if constexpr (std::is_same_v<T, float>)
            store(out + f * step, values[0][f]);
          else
            storePairs(units<T>(out + f * step), pairs(values[0][f], values[1][f]));
        }
      }
    }
  }
}

// Sums of a tile to results.
template <class T>
struct Results {
  const WinogradForward& job;
  const WinogradShape& s;
  explicit Results(const WinogradForward& job) : job(job), s(job.shape) {}

  void write(const TilePlace& tile, const float* from, int64_t step) const {
    const int64_t height = std::min<int64_t>(4, s.oh - tile.row * 4),
                  width = std::min<int64_t>(4, s.ow - tile.column * 4);
    const int64_t corner = ((tile.image * s.oh + tile.row * 4) * s.ow + tile.column * 4) * s.o;
    const Windows windows(s, tile);
    const T *bias = static_cast<const T*>(job.bias), *residual = static_cast<const T*>(job.residual);
    for (int64_t c = 0; c < s.o; c += kLanes) {
      const int64_t count = s.o - c;
      if (!s.pooled()) prefetchTile<4>(static_cast<const T*>(job.y) + corner + 4 * s.ow * s.o + c, s.ow * s.o, s.o);
      const Vector shift = bias ? loadSome(bias + c, count) : Vector{};
      Register y[4][4];
      bothAxes<6, 4, outputs>([&](int i, int j) { return load(from + (i * 6 + j) * step + c); },
                              [&](int i, int j, Vector v) {
                                v += shift;
                                if (residual && i < height && j < width)
                                  v += loadSome(residual + corner + (i * s.ow + j) * s.o + c, count);
                                y[i][j] = job.relu ? (v < Vector{} ? Vector{} : v) : v;
                              });
      if (s.pooled()) {
        pool(y, windows, c);
        continue;
      }
      for (int i = 0; i < height; i++) {
        for (int j = 0; j < width; j++)
          storeSome(static_cast<T*>(job.y) + corner + (i * s.ow + j) * s.o + c, y[i][j], count);
      }
    }
  }

 private:
  NT_ALWAYS void pool(const Register (&y)[4][4], const Windows& windows, int64_t c) const {
    const int64_t count = s.o - c;
    NT_UNROLL for (int k = 0; k < 4; k++) {
      const int i = k / 2, j = k % 2;
      Vector best = rounded(T(), y[2 * i][2 * j]);
      Integers place{};
      NT_UNROLL for (int e = 1; e < 4; e++) {
        const Vector v = rounded(T(), y[2 * i + e / 2][2 * j + e % 2]);
        const Integers better = (v > best) | (v != v);  // a NaN wins
        best = better ? v : best;
        place = better ? splat(static_cast<int32_t>(e / 2 * s.ow + e % 2)) : place;
      }
      const int64_t at = windows.at[i][j] + c;
      if (windows.at[i][j] < 0) continue;
      storeSome(static_cast<T*>(job.y) + at, best, count);
      if (job.positions) storeSome(job.positions + at, place + splat(windows.place[i][j]), count);
    }
  }
};

// Adds up the input's gradient tile after tile. Of 6x6 values, the last two columns go on to the next tile (`beside`),
// the last two rows to the next strip (`below`), and the others are complete.
template <class T>
struct GradientSum {
  const WinogradBackward& job;
  const WinogradShape& s;
  const WinogradBackwardScratch layout;
  const int64_t channels, firstStrip;
  GradientSum(const WinogradBackward& job, int64_t firstStrip)
      : job(job), s(job.shape), layout(s), channels(winogradChannels(s.c)), firstStrip(firstStrip) {}

  void add(int64_t index, const float* from, int64_t step) const {
    const TilePlace tile(s, index);
    const bool hasAbove = tile.row > 0 && index / s.tilesW() > firstStrip;
    const int64_t top = tile.row * 4 - s.low[0], left = tile.column * 4 - s.low[1];
    const int64_t height = tile.row == s.tilesH() - 1 ? 6 : 4, width = tile.column == s.tilesW() - 1 ? 6 : 4;
    const int64_t firstRow = std::max<int64_t>(0, -top), lastRow = std::min<int64_t>(height, s.h - top);
    const int64_t firstColumn = std::max<int64_t>(0, -left), lastColumn = std::min<int64_t>(width, s.w - left);
    const int64_t corner = ((tile.image * s.h + top) * s.w + left) * s.c;
    for (int64_t c = 0; c < s.c; c += kLanes) {
      Register d[6][6];
      const int64_t next = corner + (4 * s.w + 1) * s.c + c;
      prefetchTile<4>(static_cast<const T*>(job.dx) + next, s.w * s.c, s.c);
      if (job.values) prefetchTile<4>(static_cast<const T*>(job.values) + next, s.w * s.c, s.c);
      bothAxes<6, 6, inputGradients>([&](int i, int j) { return load(from + (i * 6 + j) * step + c); },
                                     [&](int i, int j, Vector v) { d[i][j] = v; });
      float* beside = job.scratch + layout.beside + c;
      NT_UNROLL for (int i = 0; i < 6; i++) {
        NT_UNROLL for (int j = 0; j < 2; j++) {
          float* next = beside + (i * 2 + j) * channels;
          if (tile.column > 0) d[i][j] += load(next);
          store(next, d[i][j + 4]);
        }
      }
      float* below = job.scratch + layout.below + tile.column * 4 * channels + c;
      NT_UNROLL for (int i = 0; i < 2; i++) {
        for (int64_t j = 0; j < width; j++) {
          float* next = below + i * layout.belowRow + j * channels;
          if (hasAbove) d[i][j] += load(next);
          store(next, d[i + 4][j]);
        }
      }
      for (int64_t i = firstRow; i < lastRow; i++) {
        for (int64_t j = firstColumn; j < lastColumn; j++) write(corner + (i * s.w + j) * s.c + c, d[i][j], s.c - c);
      }
    }
  }

  // Adds what `scratch` has for the strip.
  void join(int64_t strip, const float* scratch) const {
    const int64_t image = strip / s.tilesH(), top = strip % s.tilesH() * 4 - s.low[0];
    for (int64_t i = std::max<int64_t>(0, -top); i < std::min<int64_t>(2, s.h - top); i++) {
      for (int64_t j = 0; j < s.w; j++) {
        const int64_t at = ((image * s.h + top + i) * s.w + j) * s.c;
        const float* from = scratch + layout.below + i * layout.belowRow + (j + s.low[1]) * channels;
        for (int64_t c = 0; c < s.c; c += kLanes)
          write(at + c, load(from + c) + loadSome(static_cast<const T*>(job.dx) + at + c, s.c - c), s.c - c);
      }
    }
  }

 private:
  NT_ALWAYS void write(int64_t at, Vector v, int64_t count) const {
    if (job.values) v = where(loadSome(static_cast<const T*>(job.values) + at, count) > Vector{}, v);
    storeSome(static_cast<T*>(job.dx) + at, v, count);
  }
};

template <class T>
void forward(const WinogradForward& job, int64_t first, int64_t last) {
  const WinogradShape& s = job.shape;
  const WinogradForwardScratch layout(s);
  const WinogradMatrices &input = layout.input, &product = layout.product;
  const WinogradWeights weights{s.o, s.c, s.half, false};
  const Results<T> results(job);
  float *memory = job.scratch, *zeros = memory + layout.zeros;
  std::fill_n(zeros, 6 * winogradChannels(s.c), 0.0f);
  for (int64_t start = first; start < last; start += s.chunk) {
    const int64_t count = std::min(s.chunk, last - start);
    transformTiles<T>(count, s.c, memory, &input, nullptr, [&](int64_t t) {
      return InputTile<T>(s, static_cast<const T*>(job.x), TilePlace(s, start + t), reinterpret_cast<const T*>(zeros));
    });
    for (int f = 0; f < kFrequencies; f++) {
      const Factor<UnitOf<T>> tiles{units<T>(memory + input.at + f * input.step), input.row, 1};
      timesWeights(count, winogradChannels(s.o), weights.depth(), tiles,
                   reinterpret_cast<const UnitOf<T>*>(job.weights + f * weights.step()),
                   memory + product.at + f * product.step, product.row);
    }
    for (int64_t t = 0; t < count; t++)
      results.write(TilePlace(s, start + t), memory + product.at + t * product.row, product.step);
  }
}

template <class T>
void backward(const WinogradBackward& job, int64_t first, int64_t last) {
  const WinogradShape& s = job.shape;
  const WinogradBackwardScratch layout(s);
  const WinogradMatrices &gradient = layout.gradient, &gradientPairs = layout.gradientPairs, &input = layout.input,
                         &sums = layout.sums;
  const WinogradWeights weights{s.o, s.c, s.half, true};
  const GradientSum<T> sum(job, first);
  float *memory = job.scratch, *bias = memory + layout.bias;
  const T* zeros = reinterpret_cast<const T*>(memory + layout.zeros);
  std::fill_n(memory + layout.zeros, 6 * winogradChannels(std::max(s.c, s.o)), 0.0f);
  std::fill_n(bias, winogradChannels(s.o), 0.0f);
  for (int64_t start = first * s.tilesW(), end = last * s.tilesW(); start < end; start += s.chunk) {
    const int64_t count = std::min(s.chunk, end - start);
    const auto transformTo = [&](auto tileAt) {
      transformTiles<T>(count, s.o, memory, job.weights ? &gradient : nullptr, job.x ? &gradientPairs : nullptr,
                        tileAt);
    };
    if (s.pooled())
      transformTo([&](int64_t t) { return PooledGradientTile<T>(job, TilePlace(s, start + t), bias); });
    else
      transformTo([&](int64_t t) { return GradientTile<T>(job, TilePlace(s, start + t), zeros, bias); });
    if (job.x) {
      transformTiles<T>(count, s.c, memory, nullptr, &input, [&](int64_t t) {
        return InputTile<T>(s, static_cast<const T*>(job.x), TilePlace(s, start + t), zeros);
      });
    }
    for (int f = 0; f < kFrequencies; f++) {
      float* inputs = memory + input.at + f * input.step;
      if (job.x) {
        const Factor<UnitOf<T>> turned{units<T>(memory + gradientPairs.at + f * gradientPairs.step), 1,
                                       gradientPairs.row};
        multiplyTiles(s.o, winogradChannels(s.c), gemmUnits(s.half, count), turned,
                      const_cast<const UnitOf<T>*>(units<T>(inputs)), input.row, memory + sums.at + f * sums.step,
                      sums.row, start > first * s.tilesW());
      }
      // The inputs of this frequency have done their work: the input's gradient takes their place.
      if (job.weights) {
        const Factor<UnitOf<T>> tiles{units<T>(memory + gradient.at + f * gradient.step), gradient.row, 1};
        timesWeights(count, winogradChannels(s.c), weights.depth(), tiles,
                     reinterpret_cast<const UnitOf<T>*>(job.weights + f * weights.step()), inputs, input.row);
      }
    }
    if (job.weights) {
      for (int64_t t = 0; t < count; t++) sum.add(start + t, memory + input.at + t * input.row, input.step);
    }
  }
}

template <class T>
void weightGradient(const WinogradShape& s, const float* scratch, int64_t step, int threads, int64_t first,
                    int64_t last, T* dw) {
  const WinogradMatrices sums = WinogradBackwardScratch(s).sums;
  for (int64_t o = first; o < last; o++) {
    for (int64_t c = 0; c < s.c; c += kLanes) {
      const float* from = scratch + sums.at + o * sums.row + c;
      T* out = dw + o * 9 * s.c + c;
      bothAxes<6, 3, weightGradients>(
          [&](int i, int j) {
            Vector v = load(from + (i * 6 + j) * sums.step);
            for (int t = 1; t < threads; t++) v += load(from + t * step + (i * 6 + j) * sums.step);
            return v;
          },
          [&](int i, int j, Vector v) { storeSome(out + (i * 3 + j) * s.c, v, s.c - c); });
    }
  }
}

}  // namespace

void winogradWeights(const WinogradWeights& layout, const void* w, int64_t firstBlock, int64_t lastBlock, float* to) {
  const int64_t first = firstBlock * WinogradWeights::kBlock,
                last = std::min(lastBlock * WinogradWeights::kBlock, layout.rows());
  withElement(layout.half, [&](auto element) {
    transformWeights(layout, static_cast<const decltype(element)*>(w), first, last, to);
  });
}

void winogradForward(const WinogradForward& job, int64_t first, int64_t last) {
  withElement(job.shape.half, [&](auto element) { forward<decltype(element)>(job, first, last); });
}

void winogradBackward(const WinogradBackward& job, int64_t first, int64_t last) {
  withElement(job.shape.half, [&](auto element) { backward<decltype(element)>(job, first, last); });
}

void winogradJoin(const WinogradBackward& job, int64_t strip, const float* scratch) {
  withElement(job.shape.half, [&](auto element) { GradientSum<decltype(element)>(job, strip).join(strip, scratch); });
}

void winogradWeightGradient(const WinogradShape& shape, const float* scratch, int64_t step, int threads, int64_t first,
                            int64_t last, void* dw) {
  withElement(shape.half, [&](auto element) {
    weightGradient(shape, scratch, step, threads, first, last, static_cast<decltype(element)*>(dw));
  });
}

}  // namespace needletail::NT_ISA
