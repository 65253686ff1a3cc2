// matmul on the CPU. The smaller operand is packed; the larger one is read where it lies.
#include <omp.h>

#include <algorithm>
#include <vector>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/epilogue.h"
#include "cpu/isa/gemm.h"
#include "cpu/kernels.h"

namespace needletail {

namespace {

constexpr int64_t kFloatsPerLine = 16;
int64_t aligned(int64_t floats) { return (floats + kFloatsPerLine - 1) / kFloatsPerLine * kFloatsPerLine; }

struct MatmulRun final : Prepared {
  DType dtype;
  int64_t m, n, k, batches;
  MatrixView a, b;  // without addresses
  std::vector<int64_t> aBatch, bBatch;
  int64_t aElements, bElements;
  Epilogue epilogue;
  // The product is computed as (b^T a^T)^T where b is the larger: then a is what is packed.
  bool swapped;
  bool shared;  // b is packed once for all threads; else each packs the panels that it works on
  int team;
  // Places in the workspace, in floats.
  int64_t packedAt, productAt, aAt, bAt, biasAt, residualAt, valuesAt, outAt;

  void run(Stream& stream, void* const* buffers) override {
    float* space = static_cast<float*>(stream.workspace);
    const float* A = input(buffers[0], space + aAt, aElements);
    const float* B = input(buffers[1], space + bAt, bElements);
    Finish finish(epilogue, buffers);
    if (finish.bias) finish.bias = input(finish.bias, space + biasAt, n);
    if (finish.residual) finish.residual = input(finish.residual, space + residualAt, batches * m * n);
    if (finish.values) finish.values = input(finish.values, space + valuesAt, batches * m * n);
    void* result = buffers[epilogue.outputAt()];
    const bool half = dtype != DType::float32;
    float* out = half ? space + outAt : static_cast<float*>(result);

    // x: what is read in place (rows of the product), y: what is packed (columns of the product).
    MatrixView x = a, y = b;
    int64_t rows = m, columns = n;
    if (swapped) {
      x = {nullptr, b.column, b.row};
      y = {nullptr, a.column, a.row};
      std::swap(rows, columns);
    }
    const int64_t panels = gemmPanels(columns);
    float* packed = space + packedAt;
    float* product = space + productAt;
    const auto pack = gemmPackForIsa();
    const auto multiply = gemmMultiplyForIsa();
#pragma omp parallel num_threads(team) if (team > 1)
    {
      const int64_t id = omp_get_thread_num(), of = omp_get_num_threads();
      for (int64_t batch = 0; batch < batches; batch++) {
        MatrixView left = x, right = y;
        left.data = swapped ? B + bBatch[batch] : A + aBatch[batch];
        right.data = swapped ? A + aBatch[batch] : B + bBatch[batch];
        float* c = out + batch * m * n;
        float* to = swapped ? product : c;
        GemmPart part{left, right, nullptr, packed + id * kGemmChunk, k, columns, to, columns, 0, rows, 0, panels};
        if (shared) {
          const int64_t first = panels * id / of;
          pack(right, k, columns, first, panels * (id + 1) / of, packed + first * k * kGemmWidth);
#pragma omp barrier
          part.packed = packed;
          part.firstRow = rows * id / of, part.lastRow = rows * (id + 1) / of;
        } else {
          part.firstPanel = panels * id / of, part.lastPanel = panels * (id + 1) / of;
        }
        multiply(part);
#pragma omp barrier
        finishRows(finish, to, c, batch * m * n, m * id / of, m * (id + 1) / of);
#pragma omp barrier
      }
    }
    if (half) floatToHalf(dtype, out, result, batches * m * n);
  }

  // Rows [first, last) of a batch's result, which begins at element `at`: turned round where the product was swapped,
  // then with what follows the sums.
  void finishRows(const Finish& finish, const float* product, float* c, int64_t at, int64_t first, int64_t last) const {
    if (swapped) {
      constexpr int64_t kBlock = 16;
      for (int64_t i = first; i < last; i += kBlock) {
        const int64_t end = std::min(last, i + kBlock);
        for (int64_t j = 0; j < n; j++) {
          for (int64_t r = i; r < end; r++) c[r * n + j] = product[j * m + r];
        }
      }
    }
    if (finish.idle()) return;
    for (int64_t i = first; i < last; i++) finish.row(c + i * n, n, at + i * n, 0);
  }

  const float* input(const void* from, float* space, int64_t elements) const {
    if (dtype == DType::float32) return static_cast<const float*>(from);
    halfToFloat(dtype, from, space, elements);
    return space;
  }
};

// Offsets of each batch's matrices; an operand's batch axis of size 1 is broadcast.
std::vector<int64_t> batchOffsets(const Shape& operand, const Shape& out) {
  const int64_t batches = out.product(0, out.rank() - 2), matrix = operand.fromEnd(1) * operand.fromEnd(2);
  std::vector<int64_t> offsets;
  for (int64_t batch = 0; batch < batches; batch++) {
    int64_t rest = batch, stride = matrix, offset = 0;
    for (int axis = 3; axis <= operand.rank(); axis++) {
      const int64_t index = rest % out.fromEnd(axis);
      rest /= out.fromEnd(axis);
      if (operand.fromEnd(axis) != 1) offset += index * stride;
      stride *= operand.fromEnd(axis);
    }
    offsets.push_back(offset);
  }
  return offsets;
}

}  // namespace

std::unique_ptr<Prepared> prepareMatmul(const Call& call) {
  const auto params = read<Matmul>(call.params);
  if (!isFloat(call.out[0].dtype)) return nullptr;
  const Shape &a = call.in[0].shape, &b = call.in[1].shape, &out = call.out[0].shape;
  auto run = std::make_unique<MatmulRun>();
  run->dtype = call.out[0].dtype;
  run->epilogue = params.epilogue;
  run->m = out.fromEnd(2);
  run->n = out.fromEnd(1);
  run->k = a.fromEnd(params.transposeA ? 2 : 1);
  run->batches = out.product(0, out.rank() - 2);
  run->a = params.transposeA ? MatrixView{nullptr, 1, run->m} : MatrixView{nullptr, run->k, 1};
  run->b = params.transposeB ? MatrixView{nullptr, 1, run->k} : MatrixView{nullptr, run->n, 1};
  run->aBatch = batchOffsets(a, out);
  run->bBatch = batchOffsets(b, out);
  run->aElements = a.elements();
  run->bElements = b.elements();
  // What packing, gathering rows that lie apart, and turning the result round would move.
  auto moved = [](bool pack, bool gather, int64_t packed, int64_t gathered, int64_t turned) {
    return packed * (pack ? 2 : 1) + (gather ? gathered : 0) + 2 * turned;
  };
  const int64_t aSize = run->m * run->k, bSize = run->k * run->n;
  run->swapped = moved(run->a.row != 1, run->b.row != 1, aSize, bSize, run->m * run->n) <
                 moved(run->b.column != 1, run->a.column != 1, bSize, aSize, 0);
  run->cost = 200 + (2.0 * run->m * run->n * run->k / 50 + (run->aElements + run->bElements) * 0.5) *
                        (run->batches ? 1 : 0) * 1.0;
  if (run->batches > 1) run->cost = 200 + run->batches * (2.0 * run->m * run->n * run->k / 50 + run->k * run->n * 0.5);
  run->threadBound = worthParallel(run->cost);
  run->team = run->threadBound ? threads() : 1;

  const int64_t rows = run->swapped ? run->n : run->m, columns = run->swapped ? run->m : run->n;
  run->shared = rows > columns || gemmPanels(columns) < run->team;
  int64_t floats = 0;
  auto place = [&](int64_t count) {
    const int64_t at = floats;
    floats += aligned(count);
    return at;
  };
  run->packedAt = place(run->shared ? gemmPanels(columns) * kGemmWidth * run->k : run->team * kGemmChunk);
  run->productAt = place(run->swapped ? run->m * run->n : 0);
  const bool half = run->dtype != DType::float32;
  run->aAt = place(half ? run->aElements : 0);
  run->bAt = place(half ? run->bElements : 0);
  run->biasAt = place(half ? run->n : 0);
  run->residualAt = place(half && params.epilogue.residual ? call.out[0].elements() : 0);
  const bool values = params.epilogue.activation == Activation::reluGradient;
  run->valuesAt = place(half && values ? call.out[0].elements() : 0);
  run->outAt = place(half ? call.out[0].elements() : 0);
  run->workspace = static_cast<size_t>(std::max<int64_t>(floats, 1)) * 4;
  return run;
}

}  // namespace needletail
