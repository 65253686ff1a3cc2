// matmul without a library: tiles of both matrices in shared memory, sums in float32. matmul_cublas.cc takes the shapes
// that it knows; this takes the rest.
#include "cuda/divide.h"
#include "cuda/epilogue.h"
#include "cuda/kernels.h"
#include "cuda/strided.h"
#include "cuda/tile.h"

namespace needletail::cuda {

namespace {

// Rows of a, or columns of b. Along: its neighbours in memory are neighbours in depth.
template <bool Along>
struct Matrix {
  static constexpr bool kAlongDepth = Along;
  const void* data;
  DType dtype;
  int64_t first, rows, pitch;  // first: where the batch begins
  NT_INLINE int64_t row(int64_t i) const { return Along ? i * pitch : i; }
  NT_INLINE int64_t depth(int64_t k) const { return Along ? k : k * pitch; }
  NT_INLINE float at(int64_t row, int64_t depth) const { return load<float>(data, dtype, first + row + depth); }
};

template <bool AlongA, bool AlongB>
struct MatmulBody {
  DType dtype;
  int64_t m, n, k;
  Divider across, down;
  Walk<2> batches;  // from the number of a batch to its matrices
  const void *a, *b;
  Finish finish;

  NT_INLINE void operator()(const Block& block) const {
    int64_t batch = block.index;
    const int64_t side = across.split(batch) * kTile, top = down.split(batch) * kTile;
    int64_t at[2] = {0, 0};
    batches.find(batch, at);
    const Matrix<AlongA> left{a, dtype, at[0], m, AlongA ? k : m};
    const Matrix<AlongB> right{b, dtype, at[1], n, AlongB ? k : n};
    multiplyTile(block, left, right, top, side, 0, k,
                 [&](int64_t i, int64_t j, float sum) { finish.put((batch * m + i) * n + j, j, sum); });
  }
};

struct MatmulRun final : Prepared {
  Matmul params;
  DType dtype;
  int64_t m, n, k, count;  // count: of batches
  Walk<2> batches;

  void run(Stream& stream, void* const* buffers) override {
    if (params.transposeA)
      params.transposeB ? with<false, true>(stream, buffers) : with<false, false>(stream, buffers);
    else
      params.transposeB ? with<true, true>(stream, buffers) : with<true, false>(stream, buffers);
  }
  template <bool AlongA, bool AlongB>
  void with(Stream& stream, void* const* buffers) const {
    const int64_t down = tiles(m), across = tiles(n);
    blocks(stream, count * down * across,
           MatmulBody<AlongA, AlongB>{dtype, m, n, k, Divider(across), Divider(down), batches, buffers[0], buffers[1],
                                      Finish(dtype, params.epilogue, buffers)});
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareMatmul(const Call& call) {
  if (!isFloat(call.out[0].dtype)) return nullptr;
  const Shape &a = call.in[0].shape, &b = call.in[1].shape, &out = call.out[0].shape;
  auto run = std::make_unique<MatmulRun>();
  run->params = read<Matmul>(call.params);
  run->dtype = call.out[0].dtype;
  run->m = out.fromEnd(2);
  run->n = out.fromEnd(1);
  run->k = a.fromEnd(run->params.transposeA ? 2 : 1);
  run->count = out.product(0, out.rank() - 2);
  // An operand's batch axis of size 1 is broadcast.
  for (int axis = out.rank(); axis > 2; axis--) {
    auto stride = [&](const Shape& s) {
      return s.fromEnd(axis) == 1 ? 0 : s.product(std::max(0, s.rank() - axis + 1), s.rank());
    };
    run->batches.axis(out.fromEnd(axis), {stride(a), stride(b)});
  }
  return run;
}

}  // namespace needletail::cuda
