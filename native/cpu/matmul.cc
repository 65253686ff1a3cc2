// matmul on the CPU. The smaller operand is packed; the larger one is read where it lies, and so are both where one has
// few rows.
#include <omp.h>

#include <algorithm>
#include <vector>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/isa/gemm.h"
#include "cpu/isa/sums.h"
#include "cpu/kernels.h"

namespace needletail {

namespace {

// Where the share of thread `id` begins: at a multiple of `step`.
int64_t share(int64_t count, int64_t step, int64_t id, int64_t of) {
  return std::min(count, (count + step - 1) / step * id / of * step);
}

struct MatmulRun final : Prepared {
  int64_t m, n, k, batches;
  MatrixView a, b;  // without addresses
  std::vector<int64_t> aBatch, bBatch;
  Epilogue epilogue;
  bool pairs;  // bfloat16 is multiplied as such; other half-precision numbers are made floats before
  DType widened;  // what is made floats; float32: nothing
  // The product is computed as (b^T a^T)^T: then b's columns are the rows of what is called x below, and a's rows the
  // columns of y.
  bool swapped;
  enum { dots, sharedPanels, ownPanels } way;  // panels of y are packed once for all threads, or by each for itself
  int team;
  bool byBatch;  // each thread takes whole batches
  std::vector<int64_t> elements;  // of the call's operands, then of its result
  // Places in the workspace, in bytes.
  std::vector<size_t> widenedAt;
  size_t packedAt = 0, packedEach = 0, sumsAt = 0, sumsEach = 0;

  void run(Stream& stream, void* const* buffers) override { multiply(stream, buffers, nullptr); }
  void runPacked(Stream& stream, void* const* buffers) override { multiply(stream, buffers, buffers[packing.input]); }
  void pack(Stream&, const void* input, void* to) override {
#pragma omp parallel num_threads(team) if (team > 1)
    packShare(packedView(input), static_cast<char*>(to), omp_get_thread_num(), omp_get_num_threads());
  }

  // kept: the panels, if they are there already.
  void multiply(Stream& stream, void* const* buffers, const void* kept) const {
    char* space = static_cast<char*>(stream.workspace);
    const int inputs = epilogue.outputAt();
    auto operand = [&](int i) -> const void* {
      if (widened == DType::float32) return buffers[i];
      float* to = reinterpret_cast<float*>(space + widenedAt[i]);
      halfToFloat(widened, buffers[i], to, elements[i]);
      return to;
    };
    const char *A = static_cast<const char*>(operand(0)), *B = static_cast<const char*>(operand(1));
    int next = 2;
    SumsToResult to{pairs, swapped, epilogue.activation, nullptr, nullptr, nullptr, buffers[inputs], n};
    if (epilogue.bias) to.bias = operand(next++);
    if (epilogue.residual) to.residual = operand(next++);
    if (epilogue.activation == Activation::reluGradient) to.values = operand(next++);
    if (widened != DType::float32) to.result = space + widenedAt[inputs];
    char* out = static_cast<char*>(to.result);
    const int64_t size = pairs ? 2 : 4;
#pragma omp parallel num_threads(team) if (team > 1)
    {
      const int64_t id = omp_get_thread_num(), of = omp_get_num_threads();
      for (int64_t batch = byBatch ? id : 0; batch < batches; batch += byBatch ? of : 1) {
        SumsToResult own = to;
        const int64_t at = batch * m * n * size;
        own.result = out + at;
        if (to.residual) own.residual = static_cast<const char*>(to.residual) + at;
        if (to.values) own.values = static_cast<const char*>(to.values) + at;
        MatrixView left = a, right = b;
        left.data = A + aBatch[batch] * size, right.data = B + bBatch[batch] * size;
        char *packed = space + packedAt + id * packedEach, *sums = space + sumsAt + id * sumsEach;
        if (byBatch)
          product(left, right, own, kept, packed, sums, 0, 1);
        else
          product(left, right, own, kept, way == sharedPanels ? space + packedAt : packed, sums, id, of);
      }
    }
    if (widened != DType::float32)
      floatToHalf(widened, reinterpret_cast<float*>(out), buffers[inputs], elements[inputs]);
  }

  // What is packed: right as it is, or the left one turned round.
  MatrixView packedView(const void* data) const {
    return swapped ? MatrixView{data, a.column, a.row} : MatrixView{data, b.row, b.column};
  }
  void packShare(const MatrixView& y, char* to, int64_t id, int64_t of) const {
    const int64_t columns = swapped ? m : n, panels = gemmPanels(columns), first = panels * id / of;
    const int64_t bytes = gemmUnits(pairs, k) * kGemmWidth * 4;
    gemmPackForIsa()(pairs, y, k, columns, first, panels * (id + 1) / of, to + first * bytes);
  }

  // The share of thread `id` in one product.
  void product(const MatrixView& left, const MatrixView& right, const SumsToResult& to, const void* kept, char* packed,
               char* sums, int64_t id, int64_t of) const {
    // x: what is read in place (rows of the product), y: what is packed (columns of the product).
    const MatrixView x = swapped ? MatrixView{right.data, right.column, right.row} : left;
    const MatrixView y = packedView(swapped ? left.data : right.data);
    const int64_t rows = swapped ? n : m, columns = swapped ? m : n;
    const TileSink sink{sumsToResultForIsa(), &to};
    if (way == dots) {
      gemmDotsForIsa()({pairs, x.data, y.data, k, rows, share(columns, kGemmFew, id, of),
                        share(columns, kGemmFew, id + 1, of), sink});
      return;
    }
    const int64_t panels = gemmPanels(columns);
    GemmPart part{pairs, x, y, kept, packed, k, columns, 0, rows, 0, panels, nullptr, nullptr, sink};
    part.sums = reinterpret_cast<float*>(sums);
    if (!to.bfloat16 && !to.turned) part.c = static_cast<float*>(to.result);
    if (to.idle()) part.sink = {};
    if (way == sharedPanels) {
      if (!kept) {
        packShare(y, packed, id, of);
        if (of > 1) {
#pragma omp barrier
        }
        part.packed = packed;
      }
      part.firstRow = share(rows, kGemmStrip, id, of), part.lastRow = share(rows, kGemmStrip, id + 1, of);
    } else {
      part.firstPanel = panels * id / of, part.lastPanel = panels * (id + 1) / of;
    }
    gemmMultiplyForIsa()(part);
    if (of > 1 && !kept) {
      // Before the panels of the next batch.
#pragma omp barrier
    }
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
  const DType dtype = call.out[0].dtype;
  if (!isFloat(dtype)) return nullptr;
  const Shape &a = call.in[0].shape, &b = call.in[1].shape, &out = call.out[0].shape;
  auto run = std::make_unique<MatmulRun>();
  run->pairs = dtype == DType::bfloat16 && hasBFloat16();
  run->widened = run->pairs ? DType::float32 : dtype;
  run->epilogue = params.epilogue;
  const int64_t n = run->n = out.fromEnd(1), k = run->k = a.fromEnd(params.transposeA ? 2 : 1);
  run->batches = out.product(0, out.rank() - 2);
  // Rows of all batches that meet one matrix are rows of one product.
  const bool one = !params.transposeA && b.elements() == k * n && a.elements() == run->batches * out.fromEnd(2) * k;
  const int64_t m = run->m = out.fromEnd(2) * (one ? run->batches : 1);
  if (one) run->batches = std::min<int64_t>(run->batches, 1);
  run->a = params.transposeA ? MatrixView{nullptr, 1, m} : MatrixView{nullptr, k, 1};
  run->b = params.transposeB ? MatrixView{nullptr, 1, k} : MatrixView{nullptr, n, 1};
  run->aBatch = batchOffsets(a, out);
  run->bBatch = batchOffsets(b, out);

  run->cost = 200 + static_cast<double>(run->batches) * (2.0 * m * n * k / 100 + (m + n) * k * 0.1);
  run->threadBound = worthParallel(run->cost);
  run->team = run->threadBound ? threads() : 1;
  run->byBatch = run->batches >= 2 * run->team;

  const int64_t units = gemmUnits(run->pairs, k);
  if (!params.transposeA && params.transposeB && std::min(m, n) <= kGemmFew && units >= kGemmLong) {
    run->way = MatmulRun::dots;
    run->swapped = n < m;
  } else {
    // What packing, gathering rows that lie apart, and turning the result round would move.
    auto moved = [](bool pack, bool gather, int64_t packed, int64_t gathered, int64_t turned) {
      return packed * (pack ? 2 : 1) + (gather ? gathered : 0) + 2 * turned;
    };
    run->swapped = moved(!params.transposeA, !params.transposeB, m * k, k * n, m * n) <
                   moved(params.transposeB, params.transposeA, k * n, m * k, 0);
    const int64_t rows = run->swapped ? n : m, columns = run->swapped ? m : n;
    const bool shared = rows > columns || gemmPanels(columns) < run->team;
    run->way = shared ? MatmulRun::sharedPanels : MatmulRun::ownPanels;
  }

  auto place = [&](size_t bytes) {
    const size_t at = run->workspace;
    run->workspace += (bytes + 63) / 64 * 64;
    return at;
  };
  const bool shared = run->way == MatmulRun::sharedPanels;
  const int64_t rows = run->swapped ? n : m, columns = run->swapped ? m : n;
  if (run->way != MatmulRun::dots) {
    run->packedEach = static_cast<size_t>(shared ? gemmPanels(columns) * kGemmWidth * units : kGemmChunk) * 4;
    run->packedAt = place(run->packedEach * (shared && !run->byBatch ? 1 : run->team));
    if (run->pairs || run->swapped)
      run->sumsEach = gemmSumRows(units, rows, shared) * gemmChunkPanels(units) * kGemmWidth * 4;
    run->sumsAt = place(run->sumsEach * run->team);
    if (shared && run->batches == 1 && run->widened == DType::float32)
      run->packing = {run->swapped ? 0 : 1, run->packedEach};
  }
  for (const Spec& spec : call.in) run->elements.push_back(spec.elements());
  run->elements.push_back(call.out[0].elements());
  for (int64_t count : run->elements) {
    run->widenedAt.push_back(place(run->widened == DType::float32 ? 0 : static_cast<size_t>(count) * 4));
  }
  return run;
}

}  // namespace needletail
