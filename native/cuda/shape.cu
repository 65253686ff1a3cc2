// permute, slice (and broadcasting), pad, concat: values are moved, whatever they are.
#include <vector>

#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/strided.h"
#include "geometry.h"
#include "types.h"

namespace needletail::cuda {

namespace {

// Elements of `from` to places of `to`, along the axes that both walk.
template <class T>
struct MoveBody {
  const T* from;
  T* to;
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
  void axis(int64_t size, int64_t fromStep, int64_t toStep) {
    n *= size;
    walk.axis(size, {fromStep, toStep});
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
    dispatchSize(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if (fills) each(stream, results, FillBody<T>{static_cast<T*>(out), static_cast<T>(bits)});
      for (size_t k = 0; k < moves.size(); k++) {
        const Move& move = moves[k];
        each(stream, move.n,
             MoveBody<T>{static_cast<const T*>(buffers[k]), static_cast<T*>(out), move.walk, move.fromOffset,
                         move.toOffset});
      }
    });
  }
};

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
  return run;
}

std::unique_ptr<Prepared> prepareSlice(const Call& call) {
  auto run = moving(call);
  laySlice(call, run->moves.emplace_back());
  return run;
}

std::unique_ptr<Prepared> preparePad(const Call& call) {
  auto run = moving(call);
  run->fills = layPad(call, run->moves.emplace_back()) < run->results;
  run->bits = bitsOf(call.out[0].dtype, read<Pad>(call.params).value);
  return run;
}

std::unique_ptr<Prepared> prepareConcat(const Call& call) {
  auto run = moving(call);
  int64_t offset = 0;
  for (size_t k = 0; k < call.in.size(); k++) {
    offset = layConcat(call, static_cast<int>(k), offset, run->moves.emplace_back());
  }
  return run;
}

}  // namespace needletail::cuda
