// Work on [rows, channels] by bands of channels: a block has a band and a chunk of the rows, and a thread of it stays
// with V neighbouring channels, so that what belongs to these is loaded once. Sums over the rows are added up over the
// chunks, in float64, by a block for each channel.
#pragma once
#include "cuda/launch.h"
#include "cuda/load.h"

namespace needletail::cuda {

constexpr int kBand = 64;  // channels of a block: in half precision 128 bytes of a row
constexpr int kWide =
    4;  // channels that a thread takes at once where it doesn't know their type, and that divides them

struct ChannelPlan {
  int64_t rows, channels, bands, chunks;
  // As many blocks as are wanted to fill a GPU.
  ChannelPlan(int64_t rows, int64_t channels, int64_t blocks = 1024)
      : rows(rows), channels(channels), bands((channels + kBand - 1) / kBand) {
    chunks = std::clamp<int64_t>(rows / 64, 1, blocks / std::max<int64_t>(bands, 1) + 1);
  }
  // The first row of a chunk.
  NT_INLINE int64_t begin(int64_t chunk) const { return rows * chunk / chunks; }
  // Floats of scratch memory for K sums.
  int64_t parts(int k) const { return chunks * k * channels; }
};

// The rows of a thread: own.load(row) is what is read of one, and take(loaded, row) what is done with it. Several are
// loaded before the first is used, so that their ways from memory overlap.
template <class Own, class Take>
NT_INLINE void eachRow(const Own& own, int64_t row, int64_t end, int64_t step, Take take) {
  constexpr int kAtOnce = 4;
  for (; row + (kAtOnce - 1) * step < end; row += kAtOnce * step) {
    decltype(own.load(row)) loaded[kAtOnce];
    NT_UNROLL
    for (int k = 0; k < kAtOnce; k++) loaded[k] = own.load(row + k * step);
    NT_UNROLL
    for (int k = 0; k < kAtOnce; k++) take(loaded[k], row + k * step);
  }
  for (; row < end; row += step) take(own.load(row), row);
}

// The band, rows and channels of a block's threads.
template <int V>
struct ChannelThreads {
  static constexpr int kAcross = kBand / V, kLanes = kThreads / kAcross;
  int64_t band, chunk, begin, end;
  NT_INLINE ChannelThreads(const ChannelPlan& plan, const Block& block)
      : band(block.index % plan.bands * kBand),
        chunk(block.index / plan.bands),
        begin(plan.begin(chunk)),
        end(plan.begin(chunk + 1)) {}
  NT_INLINE static int column(int thread) { return thread % kAcross * V; }
  NT_INLINE static int lane(int thread) { return thread / kAcross; }
};

// What a body does with each row; body.at<V>(c) is the work on channels c to c + V, with load(row) and take(loaded,
// row).
template <int V, class Body>
struct ChannelRows {
  ChannelPlan plan;
  Body body;
  NT_INLINE void operator()(const Block& block) const {
    using Threads = ChannelThreads<V>;
    const Threads threads(plan, block);
    block.each([&](int t) {
      const int64_t c = threads.band + Threads::column(t);
      if (c >= plan.channels) return;
      const auto own = body.template at<V>(c);
      eachRow(own, threads.begin + Threads::lane(t), threads.end, Threads::kLanes,
              [&](const auto& loaded, int64_t row) { own.take(loaded, row); });
    });
  }
};

template <int V, class Body>
void channelRows(Stream& stream, int64_t rows, int64_t channels, const Body& body) {
  // Rows enough for a thread that what it knows of its channels pays.
  constexpr int64_t kRows = 8, kMostBlocks = 8192;
  const ChannelPlan plan(rows, channels, std::min(kMostBlocks, rows * channels / (V * kThreads * kRows)));
  blocks(stream, plan.bands * plan.chunks, ChannelRows<V, Body>{plan, body});
}

// Term: term.at<V>(first, c) is the work on channels c to c + V, `first` being the first row of the chunk, with
// load(row) and take(loaded, row, sums), which adds to float (&sums)[K][V].
template <int K, int V, class Term>
struct ChannelSums {
  ChannelPlan plan;
  Term term;
  float* parts;  // [chunks, K, channels]
  NT_INLINE void operator()(const Block& block) const {
    using Threads = ChannelThreads<V>;
    constexpr int kLanes = Threads::kLanes;
    NT_SHARED(float, shared, K * kLanes * kBand);
    const Threads threads(plan, block);
    block.each([&](int t) {
      const int column = Threads::column(t), lane = Threads::lane(t);
      float sums[K][V] = {};
      if (threads.band + column < plan.channels && threads.begin < threads.end) {
        const auto own = term.template at<V>(threads.begin, threads.band + column);
        eachRow(own, threads.begin + lane, threads.end, kLanes,
                [&](const auto& loaded, int64_t row) { own.take(loaded, row, sums); });
      }
      NT_UNROLL
      for (int k = 0; k < K; k++) {
        NT_UNROLL
        for (int e = 0; e < V; e++) shared[(k * kLanes + lane) * kBand + column + e] = sums[k][e];
      }
    });
    block.each([&](int t) {
      if (t >= kBand || threads.band + t >= plan.channels) return;
      for (int k = 0; k < K; k++) {
        float sum = 0;
        for (int lane = 0; lane < kLanes; lane++) sum += shared[(k * kLanes + lane) * kBand + t];
        parts[(threads.chunk * K + k) * plan.channels + threads.band + t] = sum;
      }
    });
  }
};

template <int K, int V, class Term>
void channelSumsBy(Stream& stream, const ChannelPlan& plan, const Term& term, float* parts) {
  blocks(stream, plan.bands * plan.chunks, ChannelSums<K, V, Term>{plan, term, parts});
}
template <int K, class Term>
void channelSums(Stream& stream, const ChannelPlan& plan, const Term& term, float* parts) {
  if (plan.channels % kWide == 0)
    channelSumsBy<K, kWide>(stream, plan, term, parts);
  else
    channelSumsBy<K, 1>(stream, plan, term, parts);
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
