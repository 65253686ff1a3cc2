// matmul without a library: tiles of both matrices in shared memory, sums in float32.
#include "cuda/matmul.h"

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

// A row of a against the rows of b, over which the threads of a block share out the depth. A library's kernel, made for
// many columns, would keep a few multiprocessors busy, one tile each.
constexpr int64_t kFewColumns = 4, kMostRows = 4096;

struct FewColumnsBody {
  DType dtype;
  int64_t n, k;
  const void *a, *b;
  Finish finish;
  NT_INLINE void operator()(const Block& block) const {
    for (int64_t column = 0; column < n; column++) {
      Own<float> parts;
      block.each([&](int t) {
        float sum = 0;
        for (int64_t i = t; i < k; i += kThreads)
          sum += load<float>(a, dtype, block.index * k + i) * load<float>(b, dtype, column * k + i);
        parts[t] = sum;
      });
      const float sum = block.sum(parts);
      block.each([&](int t) {
        if (t == 0) finish.put(block.index * n + column, column, sum);
      });
    }
  }
};

struct FewColumnsRun final : Prepared {
  MatmulShape s;
  explicit FewColumnsRun(const MatmulShape& shape) : s(shape) {}
  void run(Stream& stream, void* const* buffers) override {
    blocks(stream, s.m,
           FewColumnsBody{s.dtype, s.n, s.k, buffers[0], buffers[1], Finish(s.dtype, s.params.epilogue, buffers)});
  }
};

struct ActivateBody {
  Finish finish;
  NT_INLINE void operator()(int64_t i) const { finish.finish(i, load<float>(finish.out, finish.dtype, i)); }
};

}  // namespace

std::unique_ptr<Prepared> matmulByKernels(const MatmulShape& shape) { return std::make_unique<MatmulRun>(shape); }

std::unique_ptr<Prepared> matmulOfFewColumns(const MatmulShape& s) {
  const bool few = s.n <= kFewColumns && s.m <= kMostRows && s.count == 1;
  if (!few || s.params.transposeA || !s.params.transposeB || s.k < kThreads) return nullptr;
  return std::make_unique<FewColumnsRun>(s);
}

void activate(Stream& stream, Activation activation, DType dtype, const void* values, void* data, int64_t n) {
  each(stream, n, ActivateBody{Finish(dtype, activation, values, data)});
}

}  // namespace needletail::cuda
