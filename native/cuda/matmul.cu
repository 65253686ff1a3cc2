// matmul without a library: tiles of both matrices in shared memory, sums in float32. matmul_cublas.cc takes the shapes
// that it knows; this takes the rest.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/strided.h"

namespace needletail::cuda {

namespace {

constexpr int kTile = 16;  // a block makes kTile x kTile results, one a thread
static_assert(kTile * kTile == kThreads);

struct Matrix {
  const void* data;
  int64_t row, column;  // strides
};

struct MatmulBody {
  DType dtype;
  int64_t m, n, k, tilesDown, tilesAcross;
  Matrix a, b;
  Walk<2> batches;  // from the number of a batch to its matrices
  const void* bias;  // null: none
  bool relu;
  void* out;

  NT_INLINE void operator()(const Block& block) const {
    NT_SHARED(float, left, kThreads);
    NT_SHARED(float, right, kThreads);
    const int64_t batch = block.index / (tilesDown * tilesAcross), tile = block.index % (tilesDown * tilesAcross);
    const int64_t top = tile / tilesAcross * kTile, side = tile % tilesAcross * kTile;
    int64_t at[2] = {0, 0};
    batches.find(batch, at);
    Own<float> sum;
    block.each([&](int t) { sum[t] = 0; });
    for (int64_t first = 0; first < k; first += kTile) {
      block.each([&](int t) {
        const int y = t / kTile, x = t % kTile;
        const int64_t i = top + y, j = side + x;
        left[t] =
            i < m && first + x < k ? load<float>(a.data, dtype, at[0] + i * a.row + (first + x) * a.column) : 0.0f;
        right[t] =
            j < n && first + y < k ? load<float>(b.data, dtype, at[1] + (first + y) * b.row + j * b.column) : 0.0f;
      });
      block.each([&](int t) {
        const int y = t / kTile, x = t % kTile;
        for (int l = 0; l < kTile; l++) sum[t] += left[y * kTile + l] * right[l * kTile + x];
      });
    }
    block.each([&](int t) {
      const int64_t i = top + t / kTile, j = side + t % kTile;
      if (i >= m || j >= n) return;
      float value = sum[t] + (bias ? load<float>(bias, dtype, j) : 0.0f);
      if (relu && !(value > 0)) value = 0;
      store<float>(out, dtype, (batch * m + i) * n + j, value);
    });
  }
};

struct MatmulRun final : Prepared {
  MatmulBody body;
  int64_t count;  // of batches
  bool hasBias;
  void run(Stream& stream, void* const* buffers) override {
    MatmulBody with = body;
    with.a.data = buffers[0];
    with.b.data = buffers[1];
    with.bias = hasBias ? buffers[2] : nullptr;
    with.out = buffers[hasBias ? 3 : 2];
    blocks(stream, count * body.tilesDown * body.tilesAcross, with);
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareMatmul(const Call& call) {
  const auto params = read<Matmul>(call.params);
  if (!isFloat(call.out[0].dtype) || params.epilogue.residual || params.epilogue.activation == Activation::gelu)
    return nullptr;
  const Shape &a = call.in[0].shape, &b = call.in[1].shape, &out = call.out[0].shape;
  auto run = std::make_unique<MatmulRun>();
  MatmulBody& body = run->body;
  body.dtype = call.out[0].dtype;
  body.m = out.fromEnd(2);
  body.n = out.fromEnd(1);
  body.k = a.fromEnd(params.transposeA ? 2 : 1);
  body.tilesDown = (body.m + kTile - 1) / kTile;
  body.tilesAcross = (body.n + kTile - 1) / kTile;
  body.a = params.transposeA ? Matrix{nullptr, 1, body.m} : Matrix{nullptr, body.k, 1};
  body.b = params.transposeB ? Matrix{nullptr, 1, body.k} : Matrix{nullptr, body.n, 1};
  body.relu = params.epilogue.activation == Activation::relu;
  run->hasBias = params.epilogue.bias;
  run->count = out.product(0, out.rank() - 2);
  // An operand's batch axis of size 1 is broadcast.
  for (int axis = out.rank(); axis > 2; axis--) {
    auto stride = [&](const Shape& s) {
      return s.fromEnd(axis) == 1 ? 0 : s.product(std::max(0, s.rank() - axis + 1), s.rank());
    };
    body.batches.axis(out.fromEnd(axis), {stride(a), stride(b)});
  }
  return run;
}

}  // namespace needletail::cuda
