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

constexpr int kSide = 32;  // of a tile

// The same where neighbours in one tensor are far apart in the other: tiles of a plane, read along its axis p, which
// has the neighbours of `from`, and written along q, which has those of `to`.
template <class Word>
struct TurnBody {
  const Word* from;
  Word* to;
  Walk<2> planes;
  int64_t fromOffset, toOffset, p, q, fromStep, toStep;  // steps: of q in `from`, of p in `to`
  Divider tilesP, tilesQ;
  NT_INLINE void operator()(const Block& block) const {
    NT_SHARED(Word, tile, kSide * (kSide + 1));
    int64_t plane = block.index;
    const int64_t firstP = tilesP.split(plane) * kSide, firstQ = tilesQ.split(plane) * kSide;
    int64_t at[2] = {fromOffset, toOffset};
    planes.find(plane, at);
    block.each([&](int t) {
      for (int y = t / kSide; y < kSide; y += kThreads / kSide) {
        const int64_t i = firstP + t % kSide, j = firstQ + y;
        if (i < p && j < q) tile[y * (kSide + 1) + t % kSide] = from[at[0] + j * fromStep + i];
      }
    });
    block.each([&](int t) {
      for (int y = t / kSide; y < kSide; y += kThreads / kSide) {
        const int64_t i = firstP + y, j = firstQ + t % kSide;
        if (i < p && j < q) to[at[1] + i * toStep + j] = tile[t % kSide * (kSide + 1) + y];
      }
    });
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
  // The axis along which `from` has neighbours and `to` has not, if it is the other way round along the last; else -1.
  int turned() const {
    const int last = walk.rank - 1;
    for (int d = 0; d < last; d++) {
      const bool plane = walk.stride[0][d] == 1 && walk.stride[1][last] == 1 && walk.stride[1][d] != 1;
      if (plane && walk.size[d] >= kSide / 4 && walk.size[last] >= kSide / 4) return d;
    }
    return -1;
  }
  template <class Word>
  void turn(Stream& stream, const Word* from, Word* to, int axis) const {
    const int last = walk.rank - 1;
    const int64_t p = walk.size[axis], q = walk.size[last];
    const int64_t tilesP = (p + kSide - 1) / kSide, tilesQ = (q + kSide - 1) / kSide;
    Walk<2> planes;
    for (int d = 0; d < last; d++) {
      if (d != axis) planes.axis(walk.size[d], {walk.stride[0][d], walk.stride[1][d]});
    }
    blocks(stream, n / (p * q) * tilesP * tilesQ,
           TurnBody<Word>{from, to, planes, fromOffset, toOffset, p, q, walk.stride[0][last], walk.stride[1][axis],
                          Divider(tilesP), Divider(tilesQ)});
  }
  template <class Word>
  void run(Stream& stream, const void* from, void* to) const {
    if constexpr (sizeof(Word) < 16) {  // larger words lie along the last axis of both
      const int axis = turned();
      if (axis >= 0 && n > 0) return turn(stream, static_cast<const Word*>(from), static_cast<Word*>(to), axis);
    }
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
