// permute, slice (and broadcasting), pad, concat: values are moved, whatever they are.
#include <vector>

#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/strided.h"
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

struct Strides {
  int64_t of[kMaxRank];
  explicit Strides(const Shape& shape) {
    for (int i = 0; i < shape.rank(); i++) of[i] = shape.product(i + 1, shape.rank());
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
  const auto params = read<Permute>(call.params);
  const Shape& out = call.out[0].shape;
  const Strides from(call.in[0].shape), to(out);
  auto run = moving(call);
  Move& move = run->moves.emplace_back();
  for (int i = 0; i < out.rank(); i++) move.axis(out[i], from.of[params.order[i]], to.of[i]);
  return run;
}

std::unique_ptr<Prepared> prepareSlice(const Call& call) {
  const auto params = read<Slice>(call.params);
  const Shape& out = call.out[0].shape;
  const Strides from(call.in[0].shape), to(out);
  auto run = moving(call);
  Move& move = run->moves.emplace_back();
  for (int i = 0; i < out.rank(); i++) {
    move.fromOffset += params.start[i] * from.of[i];
    move.axis(out[i], params.step[i] * from.of[i], to.of[i]);
  }
  return run;
}

std::unique_ptr<Prepared> preparePad(const Call& call) {
  const auto params = read<Pad>(call.params);
  const Shape &in = call.in[0].shape, &out = call.out[0].shape;
  const Strides from(in), to(out);
  auto run = moving(call);
  Move& move = run->moves.emplace_back();
  for (int i = 0; i < out.rank(); i++) {
    // The elements that land in [0, out[i]).
    const int64_t step = 1 + params.interior[i], low = params.low[i];
    const int64_t first = low < 0 ? (-low + step - 1) / step : 0;
    const int64_t last = out[i] - 1 - low < 0 ? -1 : std::min(in[i] - 1, (out[i] - 1 - low) / step);
    const int64_t count = std::max<int64_t>(0, last - first + 1);
    move.axis(count, from.of[i], step * to.of[i]);
    if (count == 0) continue;
    move.fromOffset += first * from.of[i];
    move.toOffset += (low + first * step) * to.of[i];
  }
  run->fills = move.n < run->results;
  run->bits = bitsOf(call.out[0].dtype, params.value);
  return run;
}

std::unique_ptr<Prepared> prepareConcat(const Call& call) {
  const int axis = read<Concat>(call.params).axis;
  const Shape& out = call.out[0].shape;
  const int rank = out.rank();
  const int64_t outer = out.product(0, axis), row = out.product(axis, rank);
  auto run = moving(call);
  int64_t offset = 0;
  for (const Spec& in : call.in) {
    const int64_t width = in.shape.product(axis, rank);
    Move& move = run->moves.emplace_back();
    move.axis(outer, width, row);
    move.axis(width, 1, 1);
    move.toOffset = offset;
    offset += width;
  }
  return run;
}

}  // namespace needletail::cuda
