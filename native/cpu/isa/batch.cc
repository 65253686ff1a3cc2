#include "cpu/isa/batch.h"

#include <algorithm>
#include <cmath>

#include "cpu/isa/vector.h"

namespace needletail::NT_ISA {

namespace {

typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));
NT_ALWAYS Four four(const float* p) { return *reinterpret_cast<const Four*>(p); }

using augmentation::mirrored;

// Where coordinates start + step * i lie: the whole part, counted from the border's first pixel, and the rest.
template <BatchFill Fill>
inline void locate(double start, double step, int64_t n, int64_t size, int32_t* places, float* parts) {
  const double last = static_cast<double>(size - 1);
  for (int64_t i = 0; i < n; i++) {
    double at = start + step * static_cast<double>(static_cast<int32_t>(i));
    if constexpr (Fill == BatchFill::reflect) at = mirrored(at, last);
    // The border's own pixels are as far outside as matters.
    const double low = Fill == BatchFill::mean ? -1 : 0, high = Fill == BatchFill::mean ? last + 1 : last;
    at = (at < low ? low : at > high ? high : at) + 1;
    const int32_t place = static_cast<int32_t>(at);
    places[i] = place;
    parts[i] = static_cast<float>(at - place);
  }
}
inline void locate(BatchFill fill, double start, double step, int64_t n, int64_t size, int32_t* places, float* parts) {
  if (fill == BatchFill::edge) return locate<BatchFill::edge>(start, step, n, size, places, parts);
  if (fill == BatchFill::reflect) return locate<BatchFill::reflect>(start, step, n, size, places, parts);
  locate<BatchFill::mean>(start, step, n, size, places, parts);
}

}  // namespace

void batchMapRow(const BatchSource& source, const augmentation::Changes& map, int64_t y, int32_t* places, float* parts,
                 float* out) {
  const int64_t width = source.width, channels = source.channels, stride = (width + 3) * channels;
  int32_t *columns = places, *rows = places + width;
  float *right = parts, *down = parts + width;
  const double row = static_cast<double>(y);
  locate(source.fill, map.x0 + map.xy * row, map.xx, width, width, columns, right);
  locate(source.fill, map.y0 + map.yy * row, map.yx, width, source.height, rows, down);
  for (int64_t x = 0; x < width; x++) {
    const float* upper = source.pixels + rows[x] * stride + columns[x] * channels;
    const float* lower = upper + stride;
    float* to = out + x * channels;
    // What is written past the pixel is written over by the next one.
    for (int64_t c = 0; c < channels; c += 4) {
      const Four above = four(upper + c) + (four(upper + channels + c) - four(upper + c)) * right[x];
      const Four below = four(lower + c) + (four(lower + channels + c) - four(lower + c)) * right[x];
      *reinterpret_cast<Four*>(to + c) = above + (below - above) * down[x];
    }
  }
}

void batchBlurRow(int64_t n, int64_t radius, const float* weights, const float* const* taps, float* out) {
  const float* const* middle = taps + radius;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    Vector sum = load(middle[0] + i) * weights[0];
    for (int64_t k = 1; k <= radius; k++) sum += (load(middle[-k] + i) + load(middle[k] + i)) * weights[k];
    store(out + i, sum);
  }
  for (; i < n; i++) {
    float sum = middle[0][i] * weights[0];
    for (int64_t k = 1; k <= radius; k++) sum += (middle[-k][i] + middle[k][i]) * weights[k];
    out[i] = sum;
  }
}

void batchNoise(const Batch& params, int32_t index, int64_t n, int64_t channels, const float* deviations, float* out) {
  constexpr int kBlocks = 16;
  const uint64_t key = static_cast<uint64_t>(params.seed), epoch = static_cast<uint64_t>(params.epoch);
  int64_t channel = 0;
  for (int64_t first = 0; first < n; first += 4 * kBlocks) {
    // Sixteen blocks side by side, word by word, so that the compiler can use vectors.
    uint32_t word[4][kBlocks];
    const uint64_t low = augmentation::noiseCounter(index, static_cast<uint64_t>(first / 4));
    for (int i = 0; i < kBlocks; i++) {
      const philox::Block block = philox::block(key, low + (static_cast<uint64_t>(i) << 32), epoch);
      for (int j = 0; j < 4; j++) word[j][i] = block.word[j];
    }
    float value[4][kBlocks];
    for (int i = 0; i < kBlocks; i++) {
      philox::normalPair(word[0][i], word[1][i], value[0][i], value[1][i]);
      philox::normalPair(word[2][i], word[3][i], value[2][i], value[3][i]);
    }
    const int64_t count = std::min<int64_t>(4 * kBlocks, n - first);
    for (int64_t i = 0; i < count; i++) {
      out[first + i] += value[i % 4][i / 4] * deviations[channel];
      if (++channel == channels) channel = 0;
    }
  }
}

}  // namespace needletail::NT_ISA
