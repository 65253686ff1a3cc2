// permute, slice (and broadcasting), pad, concat: values are moved, whatever they are.
#include <vector>

#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/strided.h"
#include "geometry.h"

namespace needletail::cuda {

namespace {

// Words of `from` to places of `to`, along the axes that both walk.
template <class Word>
struct MoveBody {
  const Word* from;
  Word* to;
  Walk<2> walk;
  int64_t fromOffset, toOffset;
  NT_INLINE void operator()(int64_t i) const {
    int64_t at[2] = {fromOffset, toOffset};
    walk.find(i, at);
    to[at[1]] = from[at[0]];
  }
};

template <class T>
struct FillBody {
  T* out;
  T value;
  NT_INLINE void operator()(int64_t i) const { out[i] = value; }
};

// What is moved; one of several into the same result.
struct Move {
  Walk<2> walk;
  int64_t fromOffset = 0, toOffset = 0, n = 1;
  int word = 0;  // bytes
  void axis(int64_t size, int64_t fromStep, int64_t toStep) {
    n *= size;
    walk.axis(size, {fromStep, toStep});
  }
  // In the largest words, of at most 16 bytes, that lie whole in both tensors.
  void widen(int element) {
    word = element;
    const int last = walk.rank - 1;
    if (last < 0 || n == 0 || walk.stride[0][last] != 1 || walk.stride[1][last] != 1) return;
    int64_t all = walk.size[last] | fromOffset | toOffset;  // its lowest bit is the largest power of two in all
    for (int d = 0; d < last; d++) all |= walk.stride[0][d] | walk.stride[1][d];
    const int64_t times = std::min<int64_t>(all & -all, 16 / element);
    word = static_cast<int>(element * times);
    n /= times, fromOffset /= times, toOffset /= times;
    Walk<2> wide;
    for (int d = 0; d < last; d++) wide.axis(walk.size[d], {walk.stride[0][d] / times, walk.stride[1][d] / times});
    wide.axis(walk.size[last] / times, {1, 1});
    walk = wide;
  }
  template <class Word>
  void run(Stream& stream, const void* from, void* to) const {
    each(stream, n, MoveBody<Word>{static_cast<const Word*>(from), static_cast<Word*>(to), walk, fromOffset, toOffset});
  }
};

struct MoveRun final : Prepared {
  DType dtype;
  std::vector<Move> moves;  // one for each input
  bool fills = false;  // what no move reaches
  uint64_t bits = 0;
  int64_t results;

  void run(Stream& stream, void* const* buffers) override {
    void* out = buffers[moves.size()];
    if (fills) {
      dispatchSize(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        each(stream, results, FillBody<T>{static_cast<T*>(out), static_cast<T>(bits)});
      });
    }
    for (size_t k = 0; k < moves.size(); k++) {
      switch (moves[k].word) {
        case 1: moves[k].run<uint8_t>(stream, buffers[k], out); break;
        case 2: moves[k].run<uint16_t>(stream, buffers[k], out); break;
        case 4: moves[k].run<uint32_t>(stream, buffers[k], out); break;
        case 8: moves[k].run<uint64_t>(stream, buffers[k], out); break;
        default: moves[k].run<Pack<uint32_t, 4>>(stream, buffers[k], out);
      }
    }
  }
};

std::unique_ptr<Prepared> widened(std::unique_ptr<MoveRun> run) {
  for (Move& move : run->moves) move.widen(static_cast<int>(size(run->dtype)));
  return run;
}

std::unique_ptr<MoveRun> moving(const Call& call) {
  auto run = std::make_unique<MoveRun>();
  run->dtype = call.out[0].dtype;
  run->results = call.out[0].elements();
  return run;
}

}  // namespace

std::unique_ptr<Prepared> preparePermute(const Call& call) {
  auto run = moving(call);
  layPermute(call, run->moves.emplace_back());
  return widened(std::move(run));
}

std::unique_ptr<Prepared> prepareSlice(const Call& call) {
  auto run = moving(call);
  laySlice(call, run->moves.emplace_back());
  return widened(std::move(run));
}

std::unique_ptr<Prepared> preparePad(const Call& call) {
  auto run = moving(call);
  run->fills = layPad(call, run->moves.emplace_back()) < run->results;
  run->bits = bitsOf(call.out[0].dtype, read<Pad>(call.params).value);
  return widened(std::move(run));
}

std::unique_ptr<Prepared> prepareConcat(const Call& call) {
  auto run = moving(call);
  int64_t offset = 0;
  for (size_t k = 0; k < call.in.size(); k++) {
    offset = layConcat(call, static_cast<int>(k), offset, run->moves.emplace_back());
  }
  return widened(std::move(run));
}

}  // namespace needletail::cuda
