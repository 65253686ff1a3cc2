// Sums over the rows of [rows, channels], several at once: blocks of 32 channels and a chunk of the rows, whose sums a
// block for each channel adds up in float64.
#pragma once
#include "cuda/launch.h"

namespace needletail::cuda {

constexpr int kBand = 32;  // channels of a block: a warp reads neighbours
constexpr int kWide = 4;  // channels that a thread takes at once, where that divides them

struct ChannelPlan {
  int64_t rows, channels, bands, chunks;
  ChannelPlan(int64_t rows, int64_t channels) : rows(rows), channels(channels), bands((channels + kBand - 1) / kBand) {
    const int64_t wanted = 512 / std::max<int64_t>(bands, 1) + 1;  // blocks that fill a GPU
    chunks = std::clamp<int64_t>(rows / 64, 1, wanted);
  }
  // The first row of a chunk.
  NT_INLINE int64_t begin(int64_t chunk) const { return rows * chunk / chunks; }
  // Floats of scratch memory for K sums.
  int64_t parts(int k) const { return chunks * k * channels; }
};

// Term: term(row, first, channel, sums) adds what a row has in channels `channel` to `channel` + V to float
// (&sums)[K][V]; first: the first row of the chunk.
template <int K, int V, class Term>
struct ChannelSums {
  ChannelPlan plan;
  Term term;
  float* parts;  // [chunks, K, channels]
  NT_INLINE void operator()(const Block& block) const {
    constexpr int kAcross = kBand / V, kLanes = kThreads / kAcross;
    NT_SHARED(float, shared, K * kLanes * kBand);
    const int64_t band = block.index % plan.bands * kBand, chunk = block.index / plan.bands;
    const int64_t begin = plan.begin(chunk), end = plan.begin(chunk + 1);
    block.each([&](int t) {
      const int column = t % kAcross * V, lane = t / kAcross;
      float sums[K][V] = {};
      if (band + column < plan.channels) {
        for (int64_t row = begin + lane; row < end; row += kLanes) term(row, begin, band + column, sums);
      }
      NT_UNROLL
      for (int k = 0; k < K; k++) {
        NT_UNROLL
        for (int e = 0; e < V; e++) shared[(k * kLanes + lane) * kBand + column + e] = sums[k][e];
      }
    });
    block.each([&](int t) {
      if (t >= kBand || band + t >= plan.channels) return;
      for (int k = 0; k < K; k++) {
        float sum = 0;
        for (int lane = 0; lane < kLanes; lane++) sum += shared[(k * kLanes + lane) * kBand + t];
        parts[(chunk * K + k) * plan.channels + band + t] = sum;
      }
    });
  }
};

template <int K, class Term>
void channelSums(Stream& stream, const ChannelPlan& plan, const Term& term, float* parts) {
  const int64_t count = plan.bands * plan.chunks;
  if (plan.channels % kWide == 0)
    blocks(stream, count, ChannelSums<K, kWide, Term>{plan, term, parts});
  else
    blocks(stream, count, ChannelSums<K, 1, Term>{plan, term, parts});
}

// Finish: finish(channel, totals) for each channel; const double (&totals)[K].
template <int K, class Finish>
struct ChannelTotals {
  ChannelPlan plan;
  const float* parts;
  Finish finish;
  NT_INLINE void operator()(const Block& block) const {
    Own<double> own;
    double totals[K];
    NT_UNROLL
    for (int k = 0; k < K; k++) {
      block.each([&](int t) {
        own[t] = 0;
        for (int64_t chunk = t; chunk < plan.chunks; chunk += kThreads) {
          own[t] += parts[(chunk * K + k) * plan.channels + block.index];
        }
      });
      totals[k] = block.sum(own);
    }
    block.each([&](int t) {
      if (t == 0) finish(block.index, totals);
    });
  }
};

template <int K, class Finish>
void channelTotals(Stream& stream, const ChannelPlan& plan, const float* parts, const Finish& finish) {
  blocks(stream, plan.channels, ChannelTotals<K, Finish>{plan, parts, finish});
}

}  // namespace needletail::cuda
