// A batch gathered from stored pictures, normalised and augmented as native/augmentation.h says: a block has a picture,
// or a part of one where none is blurred; and the counts of a confusion matrix.
#include <cmath>

#include "augmentation.h"
#include "cuda/divide.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/report.h"

namespace needletail::cuda {

namespace {

using augmentation::mirrored;

// A picture as its pixels are: bytes that are normalised when they are read.
struct Picture {
  const uint8_t* bytes;
  int64_t height, width, channels;
  const float *mean, *deviation;
  BatchFill fill;

  NT_INLINE float normalised(float value, int64_t c) const { return (value / 255.0f - mean[c]) / deviation[c]; }
  NT_INLINE float outside(int64_t c) const { return fill == BatchFill::black ? normalised(0, c) : 0.0f; }
  NT_INLINE float at(int64_t y, int64_t x, int64_t c) const {
    if (y < 0 || y >= height || x < 0 || x >= width) return outside(c);
    return normalised(static_cast<float>(bytes[(y * width + x) * channels + c]), c);
  }
  // Row or column for row or column `at` of a moved picture; -1: outside.
  NT_INLINE int64_t source(int64_t at, int64_t n) const {
    if (at >= 0 && at < n) return at;
    if (fill == BatchFill::edge) return at < 0 ? 0 : n - 1;
    return fill == BatchFill::reflect ? mirrored(at, n) : -1;
  }
  // A coordinate that a map gives, brought to where pixels (or their border) are.
  NT_INLINE double place(double at, int64_t n) const {
    const double last = static_cast<double>(n - 1);
    if (fill == BatchFill::reflect) at = mirrored(at, last);
    const bool bordered = fill == BatchFill::mean || fill == BatchFill::black;
    const double low = bordered ? -1 : 0, high = bordered ? last + 1 : last;
    return at < low ? low : at > high ? high : at;
  }
};

// Flips, whole pixels, or the map: the value of a pixel before blur, noise and cutout.
NT_INLINE float mapped(const Picture& p, const augmentation::Changes& m, int64_t y, int64_t x, int64_t c) {
  if (m.exact) {
    int64_t row = p.source(y - m.dy, p.height), column = p.source(x - m.dx, p.width);
    if (row < 0 || column < 0) return p.outside(c);
    if (m.flipVertical) row = p.height - 1 - row;
    if (m.flip) column = p.width - 1 - column;
    return p.at(row, column, c);
  }
  const double i = static_cast<double>(y), j = static_cast<double>(x);
  const double column = p.place(m.x0 + m.xy * i + m.xx * j, p.width),
               row = p.place(m.y0 + m.yy * i + m.yx * j, p.height);
  const int64_t left = static_cast<int64_t>(std::floor(column)), top = static_cast<int64_t>(std::floor(row));
  const float right = static_cast<float>(column - static_cast<double>(left));
  const float down = static_cast<float>(row - static_cast<double>(top));
  const float upper = p.at(top, left, c) + (p.at(top, left + 1, c) - p.at(top, left, c)) * right;
  const float lower = p.at(top + 1, left, c) + (p.at(top + 1, left + 1, c) - p.at(top + 1, left, c)) * right;
  return upper + (lower - upper) * down;
}

constexpr int kTaps = 64;  // weights of a blur that are kept
constexpr int64_t kPart = 8 * kThreads;  // values of a picture that are worth a block of their own

struct BatchBody {
  Batch params;
  int64_t pictures, height, width, channels, radius;
  Divider byParts, byRow, byChannels;
  int64_t parts;
  const uint8_t* images;
  const int32_t* indices;
  const float *mean, *deviation;
  float* out;
  float* scratch;  // two pictures for each block, where some are blurred
  Report report;

  struct Pixel {
    int64_t y, x, c;
  };
  NT_INLINE Pixel pixel(int64_t i) const {
    int64_t x = i;
    const int64_t y = byRow(i);
    x -= y * width * channels;
    const int64_t c = byChannels.split(x);
    return {y, x, c};
  }

  NT_INLINE void operator()(const Block& block) const {
    int64_t at = block.index;
    const int64_t part = byParts.split(at);
    const int32_t index = indices[at];
    if (!report.within(index, pictures)) return;  // the same for all threads
    const int64_t size = height * width * channels, first = size * part / parts, last = size * (part + 1) / parts;
    const Picture picture{images + index * size, height, width, channels, mean, deviation, params.fill};
    const augmentation::Changes changes =
        block.once([&] { return augmentation::changesOf(params, index, height, width); });
    float* result = out + at * size;
    float* before = changes.sigma > 0 ? scratch + 2 * at * size : result;
    block.each([&](int t) {
      for (int64_t i = first + t; i < last; i += kThreads) {
        const Pixel p = pixel(i);
        before[i] = mapped(picture, changes, p.y, p.x, p.c);
      }
    });
    if (changes.sigma > 0) blurred(block, changes.sigma, before, before + size, result);
    if (!changes.noise && !changes.cutout) return;
    block.each([&](int t) {
      for (int64_t i = first + t; i < last; i += kThreads) {
        const Pixel p = pixel(i);
        if (changes.noise) result[i] += noise(index, i) * (static_cast<float>(params.noise) / deviation[p.c]);
        const int64_t y = p.y - changes.cutTop, x = p.x - changes.cutLeft;
        if (changes.cutout && y >= 0 && y < params.cutout && x >= 0 && x < params.cutout) result[i] = 0;
      }
    });
  }

  NT_INLINE float weight(int64_t k, double sigma) const {
    const double deviations = static_cast<double>(k) / sigma;
    return static_cast<float>(std::exp(-deviations * deviations / 2));
  }

  // before -> across (along rows) -> result (along columns)
  NT_INLINE void blurred(const Block& block, double sigma, const float* before, float* across, float* result) const {
    const int64_t size = height * width * channels, row = width * channels;
    NT_SHARED(float, weights, kTaps);
    block.each([&](int t) {
      if (t < kTaps) weights[t] = weight(t, sigma);
    });
    const auto tap = [&](int64_t k) {
      k = k < 0 ? -k : k;
      return k < kTaps ? weights[k] : weight(k, sigma);
    };
    float total = tap(0);
    for (int64_t k = 1; k <= radius; k++) total += 2 * tap(k);
    block.each([&](int t) {
      for (int64_t i = t; i < size; i += kThreads) {
        const Pixel p = pixel(i);
        float sum = 0;
        for (int64_t k = -radius; k <= radius; k++) {
          sum += before[(p.y * width + mirrored(p.x + k, width)) * channels + p.c] * tap(k);
        }
        across[i] = sum / total;
      }
    });
    block.each([&](int t) {
      for (int64_t i = t; i < size; i += kThreads) {
        const int64_t y = i / row, rest = i % row;
        float sum = 0;
        for (int64_t k = -radius; k <= radius; k++) {
          sum += across[mirrored(y + k, height) * row + rest] * tap(k);
        }
        result[i] = sum / total;
      }
    });
  }

  NT_INLINE float noise(int32_t index, int64_t i) const {
    const philox::Block words = philox::block(static_cast<uint64_t>(params.seed),
                                              augmentation::noiseCounter(index, static_cast<uint64_t>(i / 4)),
                                              static_cast<uint64_t>(params.epoch));
    float a, b;
    const int pair = i % 4 / 2 * 2;
    philox::normalPair(words.word[pair], words.word[pair + 1], a, b);
    return i % 2 ? b : a;
  }
};

struct BatchRun final : Prepared {
  Batch params;
  int64_t pictures, count, height, width, channels;
  void run(Stream& stream, void* const* buffers) override {
    const int64_t row = width * channels;
    // Blurring needs the whole picture.
    const int64_t parts = params.blurProbability > 0 ? 1 : (height * row + kPart - 1) / kPart;
    blocks(stream, count * parts,
           BatchBody{params, pictures, height, width, channels, augmentation::blurRadius(params), Divider(parts),
                     Divider(row), Divider(channels), parts, static_cast<const uint8_t*>(buffers[0]),
                     static_cast<const int32_t*>(buffers[1]), static_cast<const float*>(buffers[2]),
                     static_cast<const float*>(buffers[3]), static_cast<float*>(buffers[4]),
                     static_cast<float*>(stream.workspace), Report(stream, Wrong::index)});
  }
};

// All are checked before the first is counted: a failure leaves the counts as they were.
struct CheckBody {
  const int32_t *predictions, *labels;
  int64_t classes;
  Report prediction, label;
  NT_INLINE void operator()(int64_t i) const {
    prediction.within(predictions[i], classes);
    label.within(labels[i], classes);
  }
};

struct CountBody {
  const int32_t *predictions, *labels;
  int64_t classes;
  int32_t* counts;
  const Complaint* complaint;
  NT_INLINE void operator()(int64_t i) const {
    if (complaint->kind != 0) return;
    int32_t* count = counts + static_cast<int64_t>(labels[i]) * classes + predictions[i];
#if defined(__CUDA_ARCH__)
    atomicAdd(count, 1);  // whole numbers: the order doesn't matter
#else
    ++*count;
#endif
  }
};

struct CountRun final : Prepared {
  int64_t n, classes;
  void run(Stream& stream, void* const* buffers) override {
    const auto *predictions = static_cast<const int32_t*>(buffers[0]),
               *labels = static_cast<const int32_t*>(buffers[1]);
    const Report prediction(stream, Wrong::prediction), label(stream, Wrong::label);
    each(stream, n, CheckBody{predictions, labels, classes, prediction, label});
    each(stream, n, CountBody{predictions, labels, classes, static_cast<int32_t*>(buffers[3]), label.complaint});
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareBatch(const Call& call) {
  auto run = std::make_unique<BatchRun>();
  run->params = read<Batch>(call.params);
  const Shape& images = call.in[0].shape;
  run->pictures = images[0];
  run->height = images[1];
  run->width = images[2];
  run->channels = images[3];
  run->count = call.in[1].shape[0];
  if (run->params.blurProbability > 0) run->workspace = 2 * call.out[0].bytes();
  return run;
}

std::unique_ptr<Prepared> prepareCount(const Call& call) {
  auto run = std::make_unique<CountRun>();
  run->n = call.in[0].elements();
  run->classes = call.in[2].shape[0];
  return run;
}

}  // namespace needletail::cuda
