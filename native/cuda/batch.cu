// A batch gathered from stored pictures, normalised and augmented as native/augmentation.h says; and the counts of a
// confusion matrix.
//
// A picture is mapped, blurred along its rows, then along its columns; the last of these that it needs gives it noise
// and cutouts and writes the result. Where some are blurred and a channel fits into the memory that a block shares, a
// block does all of it for a channel of a picture. Else each of the three is a launch over parts of pictures. What is
// blurred has margins with the pixels that are mirrored there, made as the others are: a sum then asks nothing.
#include <cmath>
#include <type_traits>

#include "augmentation.h"
#include "cuda/divide.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/report.h"

namespace needletail::cuda {

namespace {

using augmentation::Changes;
using augmentation::mirrored;

constexpr int64_t kPart = 8 * kThreads;  // values of a picture that are worth a block of their job
constexpr int kPlane = 5120;  // values that a block's memory holds twice: 64 x 64 with margins of 8
constexpr int kTaps = 2 * augmentation::kMaxRadius + 1;

enum Step { kMap = 1, kAlongRows = 2, kAlongColumns = 4 };

struct BatchSizes {
  int64_t pictures, listed, count, height, width, channels;  // listed: indices, of which a batch has `count`
  int64_t margin;  // on each side, of what is blurred
  // Values of a channel before it is blurred along rows, along columns.
  int64_t mapped() const { return height * (width + 2 * margin); }
  int64_t across() const { return (height + 2 * margin) * width; }
  bool fits() const { return std::max(mapped(), across()) <= kPlane; }
};

// kWhole: a block has one channel of a picture, and does all steps; else it has a part of a picture's values.
template <bool kWhole>
struct BatchBody {
  using Index = std::conditional_t<kWhole, int, int64_t>;  // of a value, a row, a column
  struct Place {
    Index y, x, lane;
  };
  // What a block has: channels from `channel` on of the picture at `bytes`.
  struct Job {
    int32_t index;
    Index channel;
    const uint8_t* bytes;
    const float* normalised;  // kWhole: its channel
    float* result;
    Changes changes;
  };

  Batch params;
  int64_t pictures, listed, units;  // units: blocks of a picture
  Index height, width, channels, radius;
  Divider byUnits, byRow, byWide, byLanes;
  int steps;
  const uint8_t* images;
  const int32_t* indices;
  const float *mean, *deviation;
  const int32_t *epoch, *first;  // null where the parameters say all
  float* out;
  float *mapped, *across;  // not for kWhole: of the whole batch, where some are blurred
  Report report;

  BatchBody(const Batch& batch, const BatchSizes& s, int does, bool isPlaced, void* const* buffers, Stream& stream)
      : params(batch),
        pictures(s.pictures),
        listed(s.listed),
        units(kWhole ? s.channels : (s.height * s.width * s.channels + kPart - 1) / kPart),
        height(static_cast<Index>(s.height)),
        width(static_cast<Index>(s.width)),
        channels(static_cast<Index>(s.channels)),
        radius(static_cast<Index>(s.margin)),
        byUnits(units),
        byRow(s.width * (kWhole ? 1 : s.channels)),
        byWide((s.width + 2 * s.margin) * (kWhole ? 1 : s.channels)),
        byLanes(s.channels),
        steps(does),
        images(static_cast<const uint8_t*>(buffers[0])),
        indices(static_cast<const int32_t*>(buffers[1])),
        mean(static_cast<const float*>(buffers[2])),
        deviation(static_cast<const float*>(buffers[3])),
        epoch(isPlaced ? static_cast<const int32_t*>(buffers[4]) : nullptr),
        first(isPlaced ? static_cast<const int32_t*>(buffers[5]) : nullptr),
        out(static_cast<float*>(buffers[isPlaced ? 6 : 4])),
        mapped(static_cast<float*>(stream.workspace)),
        across(mapped + (kWhole ? 0 : s.count * s.channels * s.mapped())),
        report(stream, Wrong::index) {}

  // Channels that lie beside each other in what a block works on.
  NT_INLINE Index lanes() const { return kWhole ? 1 : channels; }

  NT_INLINE void operator()(const Block& block) const {
    int64_t at = block.index;
    const Index unit = static_cast<Index>(byUnits.split(at));
    const int64_t place = (first ? *first : 0) + at;
    if (!report.within(place, listed)) return;  // the same for all threads
    const int32_t index = indices[place];
    if (!report.within(index, pictures)) return;
    const int64_t size = int64_t{height} * width * channels;
    Job job{index, kWhole ? unit : 0, images + index * size, nullptr, out + at * size, {}};
    job.changes =
        block.once([&] { return augmentation::changesOf(augmentation::inEpoch(params, epoch), index, height, width); });
    if constexpr (kWhole) {
      NT_SHARED(float, first, kPlane);
      NT_SHARED(float, second, kPlane);
      block.each([&](int t) {
        for (int i = t; i < height * width; i += kThreads) first[i] = normalised(job.bytes[i * channels + unit], unit);
      });
      job.normalised = first;
      make(block, job, 0, second, first);
    } else {
      const Index row = width * channels, wide = row + 2 * radius * channels;
      make(block, job, unit, mapped + at * height * wide, across + at * (height + 2 * radius) * row);
    }
  }

  // A unit's values: mapped -> across (the rows blurred) -> the result.
  NT_INLINE void make(const Block& block, const Job& job, Index unit, float* mapped, float* across) const {
    // Calls f(i, row, column, lane) for the i-th value of [rows, columns, lanes].
    const auto values = [&](Step step, Index rows, Index columns, const Divider& by, auto f) {
      if (!kWhole && !(steps & step)) return;
      const Index row = columns * lanes(), n = rows * row;
      const Index from = kWhole ? 0 : n * unit / static_cast<Index>(units);
      const Index to = kWhole ? n : n * (unit + 1) / static_cast<Index>(units);
      block.each([&](int t) {
        for (Index i = from + t; i < to; i += kThreads) {
          const Index y = static_cast<Index>(by(i));
          int64_t x = i - y * row;
          const Index lane = kWhole ? 0 : static_cast<Index>(byLanes.split(x));
          f(i, y, static_cast<Index>(x), lane);
        }
      });
    };
    const double sigma = job.changes.sigma;
    if (!(sigma > 0)) {
      return values(kMap, height, width, byRow, [&](Index, Index y, Index x, Index lane) {
        finish(job, {y, x, lane}, sampled(job, {y, x, lane}));
      });
    }
    values(kMap, height, width + 2 * radius, byWide, [&](Index i, Index y, Index x, Index lane) {
      mapped[i] = sampled(job, {y, mirrored(x - radius, width), lane});
    });
    NT_SHARED(float, weights, kTaps);
    block.each([&](int t) {
      for (Index k = t - radius; k <= radius; k += kThreads) weights[k + radius] = weight(k, sigma);
    });
    float total = weights[radius];
    for (Index k = 1; k <= radius; k++) total += 2 * weights[radius + k];
    const auto blurred = [&](const float* first, Index stride) {
      float sum = 0;
      for (Index k = 0; k <= 2 * radius; k++) sum += first[k * stride] * weights[k];
      return sum / total;
    };
    const Index row = width * lanes(), wide = row + 2 * radius * lanes();
    values(kAlongRows, height + 2 * radius, width, byRow, [&](Index i, Index y, Index x, Index lane) {
      across[i] = blurred(mapped + mirrored(y - radius, height) * wide + x * lanes() + lane, lanes());
    });
    values(kAlongColumns, height, width, byRow,
           [&](Index i, Index y, Index x, Index lane) { finish(job, {y, x, lane}, blurred(across + i, row)); });
  }

  NT_INLINE float weight(Index k, double sigma) const {
    const double deviations = static_cast<double>(k) / sigma;
    return static_cast<float>(std::exp(-deviations * deviations / 2));
  }

  NT_INLINE float normalised(float value, Index c) const { return (value / 255.0f - mean[c]) / deviation[c]; }
  NT_INLINE float outside(Index c) const { return params.fill == BatchFill::black ? normalised(0, c) : 0.0f; }
  NT_INLINE float at(const Job& job, Index y, Index x, Index lane) const {
    if (y < 0 || y >= height || x < 0 || x >= width) return outside(job.channel + lane);
    const Index i = (y * width + x) * lanes() + lane;
    return kWhole ? job.normalised[i] : normalised(job.bytes[i], lane);
  }
  // Row or column for row or column `at` of a moved picture; -1: outside.
  NT_INLINE Index source(Index at, Index n) const {
    if (at >= 0 && at < n) return at;
    if (params.fill == BatchFill::edge) return at < 0 ? 0 : n - 1;
    return params.fill == BatchFill::reflect ? mirrored(at, n) : -1;
  }
  // A coordinate that a map gives, brought to where pixels (or their border) are.
  NT_INLINE double inside(double at, Index n) const {
    const double last = static_cast<double>(n - 1);
    if (params.fill == BatchFill::reflect) at = mirrored(at, last);
    const bool bordered = params.fill == BatchFill::mean || params.fill == BatchFill::black;
    const double low = bordered ? -1 : 0, high = bordered ? last + 1 : last;
    return at < low ? low : at > high ? high : at;
  }

  // Flips, whole pixels, or the map: a value before blur, noise and cutout.
  NT_INLINE float sampled(const Job& job, Place p) const {
    const Changes& m = job.changes;
    if (m.exact) {
      Index row = source(p.y - static_cast<Index>(m.dy), height),
            column = source(p.x - static_cast<Index>(m.dx), width);
      if (row < 0 || column < 0) return outside(job.channel + p.lane);
      if (m.flipVertical) row = height - 1 - row;
      if (m.flip) column = width - 1 - column;
      return at(job, row, column, p.lane);
    }
    const double i = static_cast<double>(p.y), j = static_cast<double>(p.x);
    const double column = inside(m.x0 + m.xy * i + m.xx * j, width), row = inside(m.y0 + m.yy * i + m.yx * j, height);
    const Index left = static_cast<Index>(std::floor(column)), top = static_cast<Index>(std::floor(row));
    const float right = static_cast<float>(column - static_cast<double>(left));
    const float down = static_cast<float>(row - static_cast<double>(top));
    const auto along = [&](Index y) {
      const float value = at(job, y, left, p.lane);
      return value + (at(job, y, left + 1, p.lane) - value) * right;
    };
    const float upper = along(top), lower = along(top + 1);
    return upper + (lower - upper) * down;
  }

  // What is left to do with a value, which is then one of the result.
  NT_INLINE void finish(const Job& job, Place p, float value) const {
    const Changes& m = job.changes;
    const Index c = job.channel + p.lane, i = (p.y * width + p.x) * channels + c;
    if (m.noise) value += noise(job.index, i) * (static_cast<float>(params.noise) / deviation[c]);
    const int64_t y = p.y - m.cutTop, x = p.x - m.cutLeft;
    if (m.cutout && y >= 0 && y < params.cutout && x >= 0 && x < params.cutout) value = 0;
    job.result[i] = value;
  }

  NT_INLINE float noise(int32_t index, int64_t i) const {
    const philox::Block words = philox::block(static_cast<uint64_t>(params.seed),
                                              augmentation::noiseCounter(index, static_cast<uint64_t>(i / 4)),
                                              static_cast<uint64_t>(augmentation::inEpoch(params, epoch).epoch));
    float a, b;
    const bool isLater = i % 4 > 1;
    // Chosen as values: an array with an index that isn't known would lie in memory.
    philox::normalPair(isLater ? words.word[2] : words.word[0], isLater ? words.word[3] : words.word[1], a, b);
    return i % 2 ? b : a;
  }
};

struct BatchRun final : Prepared {
  Batch params;
  BatchSizes sizes;
  bool isPlaced;
  void run(Stream& stream, void* const* buffers) override {
    const auto launch = [&]<bool kWhole>(int steps) {
      const BatchBody<kWhole> body(params, sizes, steps, isPlaced, buffers, stream);
      blocks(stream, sizes.count * body.units, body);
    };
    const bool isBlurred = params.blurProbability > 0;
    if (isBlurred && sizes.fits()) return launch.template operator()<true>(kMap | kAlongRows | kAlongColumns);
    launch.template operator()<false>(kMap);
    if (!isBlurred) return;
    launch.template operator()<false>(kAlongRows);
    launch.template operator()<false>(kAlongColumns);
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
  const bool isBlurred = run->params.blurProbability > 0;
  const BatchSizes sizes = run->sizes = {images[0],
                                         call.in[1].shape[0],
                                         call.out[0].shape[0],
                                         images[1],
                                         images[2],
                                         images[3],
                                         augmentation::blurRadius(run->params)};
  run->isPlaced = call.in.size() > 4;
  if (isBlurred && !sizes.fits()) {
    run->workspace =
        static_cast<size_t>(sizes.count * sizes.channels * (sizes.mapped() + sizes.across())) * sizeof(float);
  }
  return run;
}

std::unique_ptr<Prepared> prepareCount(const Call& call) {
  auto run = std::make_unique<CountRun>();
  run->n = call.in[0].elements();
  run->classes = call.in[2].shape[0];
  return run;
}

}  // namespace needletail::cuda
