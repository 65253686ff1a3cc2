// A batch gathered from stored pictures, normalised, flipped and shifted; and the counts of a confusion matrix.
#include <algorithm>
#include <cmath>
#include <string>

#include "cpu/cpu.h"
#include "cpu/kernels.h"
#include "philox.h"

namespace needletail {

namespace {

// Throws unless all n numbers lie in [0, size).
void checkRange(const int32_t* x, int64_t n, int64_t size, const char* what) {
  bool good = true;
  for (int64_t i = 0; i < n; i++) good &= x[i] >= 0 && x[i] < size;
  if (good) return;
  const int32_t* bad = std::find_if(x, x + n, [=](int32_t v) { return v < 0 || v >= size; });
  throw Error(std::string("expected ") + what + " in [0, " + std::to_string(size) + "), got " + std::to_string(*bad),
              Fault::device);
}

struct BatchRun final : Prepared {
  Batch params;
  int64_t pictures, count, height, width, channels;
  bool parallel;

  void run(Stream& stream, void* const* buffers) override {
    const auto* images = static_cast<const uint8_t*>(buffers[0]);
    const auto* indices = static_cast<const int32_t*>(buffers[1]);
    const auto* mean = static_cast<const float*>(buffers[2]);
    const auto* deviation = static_cast<const float*>(buffers[3]);
    auto* out = static_cast<float*>(buffers[4]);
    checkRange(indices, count, pictures, "indices");
    // What each of the 256 values becomes in each channel.
    float* table = static_cast<float*>(stream.workspace);
    for (int v = 0; v < 256; v++) {
      for (int64_t c = 0; c < channels; c++) {
        table[v * channels + c] = (static_cast<float>(v) / 255.0f - mean[c]) / deviation[c];
      }
    }
    const int64_t size = height * width * channels;
#pragma omp parallel for schedule(static) num_threads(threads()) if (parallel)
    for (int64_t i = 0; i < count; i++) picture(images + indices[i] * size, indices[i], table, out + i * size);
  }

  void picture(const uint8_t* image, int32_t index, const float* table, float* out) const {
    // Words 0 to 2 decide on flip, vertical and horizontal shift.
    const philox::Block random = philox::block(static_cast<uint64_t>(params.seed), static_cast<uint64_t>(index),
                                               static_cast<uint64_t>(params.epoch));
    const bool flip = random.word[0] < static_cast<uint64_t>(std::llround(params.flip * 0x1p32));
    const uint64_t places = 2 * static_cast<uint64_t>(params.shift) + 1;
    const int64_t dy = static_cast<int64_t>(random.word[1] * places >> 32) - params.shift;
    const int64_t dx = static_cast<int64_t>(random.word[2] * places >> 32) - params.shift;
    const int64_t row = width * channels;
    for (int64_t y = 0; y < height; y++) {
      const int64_t from = y - dy;
      float* to = out + y * row;
      // Columns [left, right) come from the picture.
      const bool inside = from >= 0 && from < height;
      const int64_t left = inside ? std::clamp<int64_t>(dx, 0, width) : width;
      const int64_t right = inside ? std::clamp<int64_t>(width + dx, left, width) : width;
      for (int64_t x = 0; x < left; x++) pixel(to + x * channels, table);
      const uint8_t* source = inside ? image + from * row : image;
      for (int64_t x = left; x < right; x++) {
        const int64_t column = flip ? width - 1 - (x - dx) : x - dx;
        const uint8_t* value = source + column * channels;
        for (int64_t c = 0; c < channels; c++) to[x * channels + c] = table[value[c] * channels + c];
      }
      for (int64_t x = right; x < width; x++) pixel(to + x * channels, table);
    }
  }

  // A pixel outside of the picture: black.
  void pixel(float* to, const float* table) const { std::copy_n(table, channels, to); }
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
  run->count = call.in[1].shape[0];
  run->workspace = static_cast<size_t>(256 * run->channels) * sizeof(float);
  run->cost = 100 + 512 * static_cast<double>(run->channels) + static_cast<double>(call.out[0].elements());
  run->parallel = run->threadBound = worthParallel(run->cost);
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
