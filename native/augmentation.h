// What chance decides for a picture of the batch op, the same on every device: a function of seed, epoch and the
// picture's index alone. Kernels only carry it out, in this order:
// 1. Map: the pixel at row y and column x comes from (x0 + xx x + xy y, y0 + yx x + yy y), by bilinear interpolation
//    between the four pixels around that point. Pixels are points at whole coordinates; what lies outside follows from
//    Batch::fill. Where only flips and whole pixels are asked for, the pixels are copied instead: `exact`.
// 2. Blur: a Gaussian of deviation `sigma`, cut off `blurRadius` pixels from its middle, along rows, then along
//    columns; pixels outside are those mirrored at the outermost ones, which aren't doubled.
// 3. Noise: value i of the picture (row by row, channels beside each other) gets normal number i times Batch::noise /
//    deviation of its channel. The block at noiseCounter(index, i / 4) has four: normalPair(words 0, 1), (2, 3).
// 4. Cutout: rows [cutTop, cutTop + Batch::cutout), columns alike from cutLeft, as far as they exist, become 0.
#pragma once
#include <cmath>
#include <cstdint>

#include "params.h"
#include "philox.h"

namespace needletail::augmentation {

struct Changes {
  bool exact = true;
  // exact: the pixel comes from row y - dy and column x - dx, mirrored afterwards where flips say so.
  bool flip = false, flipVertical = false;
  int64_t dx = 0, dy = 0;
  // else
  double xx = 1, xy = 0, x0 = 0, yx = 0, yy = 1, y0 = 0;

  double sigma = 0;  // 0: no blur
  bool noise = false, cutout = false;
  int64_t cutTop = 0, cutLeft = 0;
};

// The coordinate of n mirrored at the outermost ones, which aren't doubled. Divides only for what is more than a
// picture away.
template <class I>
NEEDLETAIL_DEVICE static inline I mirrored(I at, I n) {
  const I period = 2 * (n - 1);
  at = at < 0 ? -at : at;
  if (at > period) at = n > 1 ? at % period : 0;
  return at < period - at ? at : period - at;
}
// The same of a coordinate between pixels, `last` being the last one's.
NEEDLETAIL_DEVICE static inline double mirrored(double at, double last) {
  if (last <= 0) return 0;
  at = std::fabs(at);
  at -= std::floor(at / (2 * last)) * (2 * last);
  return at > last ? 2 * last - at : at;
}

// The parameters in the epoch that an input says, where there is one.
NEEDLETAIL_DEVICE static inline Batch inEpoch(const Batch& p, const int32_t* epoch) {
  Batch own = p;
  if (epoch) own.epoch = static_cast<uint32_t>(*epoch);
  return own;
}

// The low half of the counter of a picture's block `number`; the high half is the epoch, the key is the seed.
NEEDLETAIL_DEVICE static inline uint64_t counter(int32_t index, uint64_t number) {
  return static_cast<uint32_t>(index) | number << 32;
}
// Decisions are in blocks 0 to 4.
NEEDLETAIL_DEVICE static inline philox::Block decisions(const Batch& p, int32_t index, uint64_t number) {
  return philox::block(static_cast<uint64_t>(p.seed), counter(index, number), static_cast<uint64_t>(p.epoch));
}
// The i-th block of noise.
NEEDLETAIL_DEVICE static inline uint64_t noiseCounter(int32_t index, uint64_t i) { return counter(index, 16 + i); }

NEEDLETAIL_DEVICE static inline bool happens(uint32_t word, double probability) {
  return word < static_cast<uint64_t>(std::llround(probability * 0x1p32));
}
// A whole number in [0, n), n < 2^32.
NEEDLETAIL_DEVICE static inline int64_t choose(uint32_t word, int64_t n) {
  return static_cast<int64_t>(word * static_cast<uint64_t>(n) >> 32);
}
// Uniform in [low, high).
NEEDLETAIL_DEVICE static inline double between(uint32_t word, double low, double high) {
  return low + (high - low) * static_cast<double>(philox::unit(word));
}

constexpr int64_t kMaxRadius = 200;  // Batch::blur is at most 100
NEEDLETAIL_DEVICE static inline int64_t blurRadius(const Batch& p) {
  return 2 * static_cast<int64_t>(std::ceil(p.blur));
}

// Which word of which block decides what must never change: seeds would give other pictures.
NEEDLETAIL_DEVICE static inline Changes changesOf(const Batch& p, int32_t index, int64_t height, int64_t width) {
  constexpr double kPi = 3.14159265358979323846;
  const double h = static_cast<double>(height), w = static_cast<double>(width);
  Changes r;
  const philox::Block first = decisions(p, index, 0), second = decisions(p, index, 1);
  r.flip = happens(first.word[0], p.flip);
  r.flipVertical = happens(first.word[3], p.flipVertical);
  if (happens(second.word[0], p.shiftProbability)) {
    r.dy = choose(first.word[1], 2 * int64_t{p.shift} + 1) - p.shift;
    r.dx = choose(first.word[2], 2 * int64_t{p.shift} + 1) - p.shift;
  }

  const bool rotate = happens(second.word[1], p.rotateProbability), scale = happens(second.word[3], p.scaleProbability);
  const philox::Block third = decisions(p, index, 2), fourth = decisions(p, index, 3);
  const bool crop = happens(third.word[1], p.cropProbability);
  r.exact = !rotate && !scale && !crop;
  if (!r.exact) {
    const double angle = rotate ? between(second.word[2], -p.rotate, p.rotate) * kPi / 180 : 0;
    const double factor = scale ? between(third.word[0], p.scaleLow, p.scaleHigh) : 1;
    // The part of the picture that is to fill the whole, relative to the whole: its area stays what was drawn, so the
    // ratio of width to height is drawn from those for which the part fits in.
    double cropWidth = 1, cropHeight = 1, cropX = 0, cropY = 0;
    if (crop) {
      const double area = between(third.word[2], p.crop, 1);
      const double widest = std::log(std::fmin(4.0 / 3, 1 / area));
      const double aspect = std::exp(between(third.word[3], -widest, widest));
      cropWidth = std::fmin(std::sqrt(area * aspect), 1.0);
      cropHeight = std::fmin(std::sqrt(area / aspect), 1.0);
      // The middle of the part from the middle of the picture, in pixels.
      cropY = between(fourth.word[0], -0.5, 0.5) * (1 - cropHeight) * h;
      cropX = between(fourth.word[1], -0.5, 0.5) * (1 - cropWidth) * w;
    }
    // From the middle of the picture: u = x - (w - 1) / 2 - dx, v = y - (h - 1) / 2 - dy turned back, scaled back, put
    // into the part, mirrored.
    const double signX = r.flip ? -1 : 1, signY = r.flipVertical ? -1 : 1;
    const double alongX = signX * cropWidth / factor, alongY = signY * cropHeight / factor;
    const double c = std::cos(angle), s = std::sin(angle);
    r.xx = alongX * c, r.xy = -alongX * s;
    r.yx = alongY * s, r.yy = alongY * c;
    const double u = -(w - 1) / 2 - static_cast<double>(r.dx), v = -(h - 1) / 2 - static_cast<double>(r.dy);
    r.x0 = (w - 1) / 2 + signX * cropX + r.xx * u + r.xy * v;
    r.y0 = (h - 1) / 2 + signY * cropY + r.yx * u + r.yy * v;
  }

  if (happens(fourth.word[2], p.blurProbability)) r.sigma = between(fourth.word[3], 0, p.blur);
  const philox::Block fifth = decisions(p, index, 4);
  r.noise = happens(fifth.word[0], p.noiseProbability);
  r.cutout = happens(fifth.word[1], p.cutoutProbability);
  r.cutTop = choose(fifth.word[2], height) - p.cutout / 2;
  r.cutLeft = choose(fifth.word[3], width) - p.cutout / 2;
  return r;
}

}  // namespace needletail::augmentation
