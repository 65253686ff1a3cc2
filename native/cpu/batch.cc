// A batch gathered from stored pictures, normalised and augmented as native/augmentation.h says; and the counts of a
// confusion matrix.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "augmentation.h"
#include "cpu/cpu.h"
#include "cpu/isa/batch.h"
#include "cpu/kernels.h"

namespace needletail {

namespace {

// Throws unless all n numbers lie in [0, size).
void checkRange(const int32_t* x, int64_t n, int64_t size, const char* what) {
  bool good = true;
  for (int64_t i = 0; i < n; i++) good &= x[i] >= 0 && x[i] < size;
  if (good) return;
  const int32_t* bad = std::find_if(x, x + n, [=](int32_t v) { return v < 0 || v >= size; });
  throw Error(
      std::string("expected ") + what + " in [0, " + std::to_string(size) + "), got " + std::to_string(*bad) + ".",
      Fault::device);
}

using augmentation::kMaxRadius;
using augmentation::mirrored;

struct BatchRun final : Prepared {
  Batch params;
  int64_t pictures, listed, count, height, width, channels;
  bool placed;  // whether epoch and first index are inputs
  int64_t radius;
  int team;
  bool map, blur;  // whether a picture may be mapped, blurred
  // Scratch of one thread, in floats: the picture with its border (then blurred along rows), the mapped picture, a row
  // with what the blur sees beyond it, the places of a row's pixels.
  int64_t bordered = 0, mapped = 0, line = 0, own = 0;

  void plan() {
    auto whole = [](int64_t floats) { return (floats + 15) / 16 * 16; };  // cache lines
    if (map || blur) {
      bordered = whole((height + 3) * (width + 3) * channels + kBatchSlack);
      mapped = whole(height * width * channels + kBatchSlack);
    }
    if (blur) line = whole((width + 2 * radius) * channels);
    own = bordered + mapped + line + whole(4 * width);
  }

  // Parts of the workspace that all threads read.
  struct Shared {
    float* table;  // [256, channels]: what each value becomes
    float* outside;  // [channels]
    float* deviations;  // [channels]: of the noise
  };
  Shared shared(float* workspace) const { return {workspace, workspace + 256 * channels, workspace + 257 * channels}; }
  int64_t sharedFloats() const { return (258 * channels + 15) / 16 * 16; }

  void run(Stream& stream, void* const* buffers) override {
    const auto* images = static_cast<const uint8_t*>(buffers[0]);
    const auto* indices = static_cast<const int32_t*>(buffers[1]);
    const auto* mean = static_cast<const float*>(buffers[2]);
    const auto* deviation = static_cast<const float*>(buffers[3]);
    const auto* epoch = placed ? static_cast<const int32_t*>(buffers[4]) : nullptr;
    auto* out = static_cast<float*>(buffers[placed ? 6 : 4]);
    if (placed && count > 0) {
      const int32_t first = *static_cast<const int32_t*>(buffers[5]);
      const auto last = static_cast<int32_t>(std::min<int64_t>(int64_t{first} + count - 1, INT32_MAX));
      checkRange(&first, 1, listed, "indices");
      checkRange(&last, 1, listed, "indices");
      indices += first;
    }
    checkRange(indices, count, pictures, "indices");
    const Batch now = augmentation::inEpoch(params, epoch);
    float* workspace = static_cast<float*>(stream.workspace);
    const Shared all = shared(workspace);
    for (int v = 0; v < 256; v++) {
      for (int64_t c = 0; c < channels; c++) {
        all.table[v * channels + c] = (static_cast<float>(v) / 255.0f - mean[c]) / deviation[c];
      }
    }
    for (int64_t c = 0; c < channels; c++) {
      all.outside[c] = params.fill == BatchFill::black ? all.table[c] : 0;
      all.deviations[c] = static_cast<float>(params.noise) / deviation[c];
    }
    const int64_t size = height * width * channels;
    if (size == 0) return;
    // Some pictures take longer than others; which thread takes which changes nothing.
#pragma omp parallel for schedule(dynamic, 4) num_threads(team) if (team > 1)
    for (int64_t i = 0; i < count; i++) {
      picture(now, images + indices[i] * size, indices[i], all, workspace + sharedFloats() + own * omp_get_thread_num(),
              out + i * size);
    }
  }

  void picture(const Batch& now, const uint8_t* image, int32_t index, const Shared& all, float* scratch,
               float* out) const {
    const augmentation::Changes changes = augmentation::changesOf(now, index, height, width);
    const int64_t size = height * width * channels;
    float* const inner = scratch + bordered;
    int32_t* const table = reinterpret_cast<int32_t*>(inner + mapped + line);
    if (changes.exact) {
      float* to = changes.sigma > 0 ? inner : out;
      channels == 3 ? copy<3>(image, changes, all, table, to) : copy<0>(image, changes, all, table, to);
    } else {
      channels == 3 ? border<3>(image, all, scratch) : border<0>(image, all, scratch);
      const BatchSource source{scratch, height, width, channels, params.fill};
      const auto row = batchMapRowForIsa();
      float* parts = inner + mapped + line + 2 * width;
      for (int64_t y = 0; y < height; y++) row(source, changes, y, table, parts, inner + y * width * channels);
      if (!(changes.sigma > 0)) std::copy_n(inner, size, out);
    }
    if (changes.sigma > 0) blurred(inner, changes.sigma, scratch, inner + mapped, out);
    if (changes.noise) batchNoiseForIsa()(now, index, size, channels, all.deviations, out);
    if (changes.cutout) cut(changes, out);
  }

  // Row or column of the picture for row or column `at` of the moved one; -1: outside.
  int64_t sourceOf(int64_t at, int64_t n) const {
    if (at >= 0 && at < n) return at;
    if (params.fill == BatchFill::edge) return std::clamp<int64_t>(at, 0, n - 1);
    return params.fill == BatchFill::reflect ? mirrored(at, n) : -1;
  }

  // Flips and whole pixels. C: the number of channels, 0: any.
  template <int C>
  void copy(const uint8_t* image, const augmentation::Changes& changes, const Shared& all, int32_t* columns,
            float* to) const {
    const int64_t n = C ? C : channels;
    for (int64_t x = 0; x < width; x++) {
      const int64_t column = sourceOf(x - changes.dx, width);
      columns[x] = static_cast<int32_t>(column < 0 || !changes.flip ? column : width - 1 - column);
    }
    for (int64_t y = 0; y < height; y++) {
      const int64_t from = sourceOf(y - changes.dy, height);
      const uint8_t* source = image + (changes.flipVertical ? height - 1 - from : from) * width * n;
      for (int64_t x = 0; x < width; x++, to += n) {
        if (from < 0 || columns[x] < 0) {
          for (int64_t c = 0; c < n; c++) to[c] = all.outside[c];
        } else {
          const uint8_t* value = source + columns[x] * n;
          for (int64_t c = 0; c < n; c++) to[c] = all.table[value[c] * n + c];
        }
      }
    }
  }

  // The normalised picture within a border: one pixel at the top and left, two at the bottom and right.
  template <int C>
  void border(const uint8_t* image, const Shared& all, float* to) const {
    const int64_t n = C ? C : channels;
    auto outside = [&](int64_t pixels) {
      for (int64_t i = 0; i < pixels; i++, to += n) {
        for (int64_t c = 0; c < n; c++) to[c] = all.outside[c];
      }
    };
    outside(width + 3);
    for (int64_t y = 0; y < height; y++) {
      outside(1);
      for (int64_t x = 0; x < width; x++, to += n, image += n) {
        for (int64_t c = 0; c < n; c++) to[c] = all.table[image[c] * n + c];
      }
      outside(2);
    }
    outside(2 * (width + 3));
    std::fill_n(to, kBatchSlack, 0.0f);
  }

  // in -> across (along rows) -> out (along columns)
  void blurred(const float* in, double sigma, float* across, float* wide, float* out) const {
    const float* taps[2 * kMaxRadius + 1];
    float weights[kMaxRadius + 1];
    double total = 0;
    auto weight = [=](int64_t k) {
      const double deviations = static_cast<double>(k) / sigma;
      return std::exp(-deviations * deviations / 2);
    };
    for (int64_t k = 0; k <= radius; k++) total += (k ? 2 : 1) * weight(k);
    for (int64_t k = 0; k <= radius; k++) weights[k] = static_cast<float>(weight(k) / total);

    const int64_t row = width * channels;
    const auto pass = batchBlurRowForIsa();
    for (int64_t k = 0; k <= 2 * radius; k++) taps[k] = wide + k * channels;
    for (int64_t y = 0; y < height; y++) {
      const float* from = in + y * row;
      for (int64_t x = -radius; x < 0; x++) {
        std::copy_n(from + mirrored(x, width) * channels, channels, wide + (x + radius) * channels);
        std::copy_n(from + mirrored(width - 1 - x, width) * channels, channels,
                    wide + (width - 1 - x + radius) * channels);
      }
      std::copy_n(from, row, wide + radius * channels);
      pass(row, radius, weights, taps, across + y * row);
    }
    for (int64_t y = 0; y < height; y++) {
      for (int64_t k = 0; k <= 2 * radius; k++) taps[k] = across + mirrored(y + k - radius, height) * row;
      pass(row, radius, weights, taps, out + y * row);
    }
  }

  void cut(const augmentation::Changes& changes, float* out) const {
    const int64_t left = std::max<int64_t>(changes.cutLeft, 0);
    const int64_t right = std::min(changes.cutLeft + params.cutout, width);
    const int64_t bottom = std::min(changes.cutTop + params.cutout, height);
    for (int64_t y = std::max<int64_t>(changes.cutTop, 0); y < bottom && left < right; y++) {
      std::fill_n(out + (y * width + left) * channels, (right - left) * channels, 0.0f);
    }
  }
};

struct CountRun final : Prepared {
  int64_t n, classes;
  void run(Stream&, void* const* buffers) override {
    const auto* predictions = static_cast<const int32_t*>(buffers[0]);
    const auto* labels = static_cast<const int32_t*>(buffers[1]);
    auto* counts = static_cast<int32_t*>(buffers[3]);
    // All are checked before the first is counted: a failure leaves the counts as they were.
    checkRange(predictions, n, classes, "predictions");
    checkRange(labels, n, classes, "labels");
    for (int64_t i = 0; i < n; i++) counts[labels[i] * classes + predictions[i]]++;
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
  const Batch& p = run->params;
  run->placed = call.in.size() > 4;
  run->listed = call.in[1].shape[0];
  run->count = call.out[0].shape[0];
  run->map = p.rotateProbability > 0 || p.scaleProbability > 0 || p.cropProbability > 0;
  run->blur = p.blurProbability > 0;
  run->radius = run->blur ? augmentation::blurRadius(p) : 0;
  const double n = static_cast<double>(call.out[0].elements());
  const double each =
      1 + 3 * run->map + run->blur * (1 + 0.2 * static_cast<double>(run->radius)) + 2 * (p.noiseProbability > 0);
  run->cost = 100 + 512 * static_cast<double>(run->channels) + n * each;
  run->threadBound = worthParallel(run->cost);
  run->team = run->threadBound ? threads() : 1;
  if (n > 0) run->plan();
  run->workspace = static_cast<size_t>(run->sharedFloats() + run->own * run->team) * sizeof(float);
  return run;
}

std::unique_ptr<Prepared> prepareCount(const Call& call) {
  auto run = std::make_unique<CountRun>();
  run->n = call.in[0].elements();
  run->classes = call.in[2].shape[0];
  run->cost = 30 + 3 * static_cast<double>(run->n);
  return run;
}

}  // namespace needletail
