// matmul without a library: tiles of both matrices in shared memory, sums in float32.
#include "cuda/matmul.h"

#include "cuda/columns.h"
#include "cuda/divide.h"
#include "cuda/epilogue.h"
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
  MatmulShape s;
  explicit MatmulRun(const MatmulShape& shape) : s(shape) {}

  void run(Stream& stream, void* const* buffers) override {
    if (s.params.transposeA)
      s.params.transposeB ? with<false, true>(stream, buffers) : with<false, false>(stream, buffers);
    else
      s.params.transposeB ? with<true, true>(stream, buffers) : with<true, false>(stream, buffers);
  }
  template <bool AlongA, bool AlongB>
  void with(Stream& stream, void* const* buffers) const {
    const int64_t down = tiles(s.m), across = tiles(s.n);
    blocks(stream, s.count * down * across,
           MatmulBody<AlongA, AlongB>{s.dtype, s.m, s.n, s.k, Divider(across), Divider(down), s.batches, buffers[0],
                                      buffers[1], Finish(s.dtype, s.params.epilogue, buffers)});
  }
};

template <class S, int N>
struct FewColumnsBody {
  int64_t n, k;
  const S *a, *b;
  Finish finish;
  NT_INLINE void operator()(const Block& block) const {
    const S* const row = a + block.index * k;
    const Floats<N> sums = rowTimesColumns<N>(
        block, b, static_cast<int>(n), k, [&](int64_t i) { return static_cast<float>(row[i]); }, [](int64_t, float) {});
    block.each([&](int t) {
      NT_UNROLL
      for (int c = 0; c < N; c++) {
        if (c == t && c < n) finish.put(block.index * n + c, c, sums.of[c]);
      }
    });
  }
};

struct FewColumnsRun final : Prepared {
  MatmulShape s;
  explicit FewColumnsRun(const MatmulShape& shape) : s(shape) {}
  void run(Stream& stream, void* const* buffers) override {
    dispatchStored(s.dtype, [&](auto type) {
      using S = typename decltype(type)::type;
      dispatchColumns(s.n, [&](auto columns) {
        blocks(
            stream, s.m,
            FewColumnsBody<S, columns>{s.n, s.k, static_cast<const S*>(buffers[0]), static_cast<const S*>(buffers[1]),
                                       Finish(s.dtype, s.params.epilogue, buffers)});
      });
    });
  }
};

struct ActivateBody {
  Finish finish;
  NT_INLINE void operator()(int64_t i) const { finish.finish(i, load<float>(finish.out, finish.dtype, i)); }
};

}  // namespace

std::unique_ptr<Prepared> matmulByKernels(const MatmulShape& shape) { return std::make_unique<MatmulRun>(shape); }

std::unique_ptr<Prepared> matmulOfFewColumns(const MatmulShape& s) {
  if (s.count > 1 || s.params.transposeA || !s.params.transposeB || !areFewColumns(s.m, s.n, s.k)) return nullptr;
  return std::make_unique<FewColumnsRun>(s);
}

void activate(Stream& stream, Activation activation, DType dtype, const void* values, void* data, int64_t n) {
  each(stream, n, ActivateBody{Finish(dtype, activation, values, data)});
}

}  // namespace needletail::cuda
