// Sums over the rows of [rows, channels], several at once: blocks of 32 channels and a part of the rows, whose sums the
// channel's thread adds up in float64.
#pragma once
#include "cuda/launch.h"

namespace needletail::cuda {

constexpr int kBand = 32;  // channels of a block: a warp reads neighbours

struct ChannelPlan {
  int64_t rows, channels, bands, chunks;
  ChannelPlan(int64_t rows, int64_t channels) : rows(rows), channels(channels), bands((channels + kBand - 1) / kBand) {
    const int64_t wanted = 512 / std::max<int64_t>(bands, 1) + 1;  // blocks that fill a GPU
    chunks = std::clamp<int64_t>(rows / 64, 1, wanted);
  }
  // Floats of scratch memory for K sums.
  int64_t parts(int k) const { return chunks * k * channels; }
};

// Term: float values(row, channel, float (&sums)[K]) adds to the sums.
template <int K, class Term>
struct ChannelSums {
  ChannelPlan plan;
  Term term;
  float* parts;  // [chunks, K, channels]
  NT_INLINE void operator()(const Block& block) const {
    NT_SHARED(float, shared, K* kThreads);
    const int64_t band = block.index % plan.bands * kBand, chunk = block.index / plan.bands;
    const int64_t begin = plan.rows * chunk / plan.chunks, end = plan.rows * (chunk + 1) / plan.chunks;
    block.each([&](int t) {
      const int64_t channel = band + t % kBand;
      float sums[K] = {};
      if (channel < plan.channels) {
        for (int64_t row = begin + t / kBand; row < end; row += kThreads / kBand) term(row, channel, sums);
      }
      for (int k = 0; k < K; k++) shared[k * kThreads + t] = sums[k];
    });
    block.each([&](int t) {
      if (t >= kBand || band + t >= plan.channels) return;
      for (int k = 0; k < K; k++) {
        float sum = 0;
        for (int lane = 0; lane < kThreads / kBand; lane++) sum += shared[k * kThreads + lane * kBand + t];
        parts[(chunk * K + k) * plan.channels + band + t] = sum;
      }
    });
  }
};

template <int K, class Term>
void channelSums(Stream& stream, const ChannelPlan& plan, const Term& term, float* parts) {
  blocks(stream, plan.bands * plan.chunks, ChannelSums<K, Term>{plan, term, parts});
}

// Sum k of a channel.
template <int K>
NT_INLINE double channelTotal(const ChannelPlan& plan, const float* parts, int k, int64_t channel) {
  double sum = 0;
  for (int64_t chunk = 0; chunk < plan.chunks; chunk++) sum += parts[(chunk * K + k) * plan.channels + channel];
  return sum;
}

}  // namespace needletail::cuda
