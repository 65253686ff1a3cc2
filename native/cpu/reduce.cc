// Reductions. The axes are joined until kept and reduced ones alternate; the reduced elements of one result form one
// long range that is halved until a piece is small (pairwise summation), so that rounding errors grow with the
// logarithm of its length. How a range is cut depends on the shapes alone: the same bits with any number of threads.
#include "cpu/isa/reduce.h"

#include <algorithm>
#include <cstring>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/kernels.h"
#include "cpu/strided.h"

namespace needletail {

namespace {

constexpr int64_t kColumns = 256;  // results side by side in one job
constexpr int64_t kPiece = 4096;  // elements that are added up without halving
constexpr int64_t kPieceRows = 32;  // or rows, where they are wide
constexpr int64_t kTile = 8192;  // converted elements at a time: a piece of the widest columns
constexpr int64_t kSequential = 128;  // elements (or rows) over short runs, one run after the other
constexpr int64_t kChunkElements = 1 << 15;
constexpr int64_t kMaxChunks = 64;

size_t sizeOf(FoldType type) { return type == kFoldInt64 ? 8 : type == kFoldUint8 ? 1 : 4; }

// Brings n elements into the type of the fold; null where they are in it already.
using Convert = void (*)(const void* from, void* to, int64_t n);
template <class T>
void nonZero(const void* from, void* to, int64_t n) {
  const T* x = static_cast<const T*>(from);
  uint8_t* y = static_cast<uint8_t*>(to);
  for (int64_t i = 0; i < n; i++) {
    if constexpr (std::is_class_v<T>)
      y[i] = (x[i].bits & 0x7fff) != 0;
    else
      y[i] = x[i] != 0;
  }
}
void byteToInt(const void* from, void* to, int64_t n) {
  const uint8_t* x = static_cast<const uint8_t*>(from);
  int32_t* y = static_cast<int32_t*>(to);
  for (int64_t i = 0; i < n; i++) y[i] = x[i];
}

struct FoldPlan {
  Fold fold;
  FoldType type;
  Convert convert = nullptr;
};

FoldType naturalType(DType dtype) {
  return isFloat(dtype)          ? kFoldFloat
         : dtype == DType::int32 ? kFoldInt32
         : dtype == DType::int64 ? kFoldInt64
                                 : kFoldUint8;
}
Convert halves(DType dtype) {
  if (dtype == DType::bfloat16) {
    return
        [](const void* from, void* to, int64_t n) { halfToFloat(DType::bfloat16, from, static_cast<float*>(to), n); };
  }
  if (dtype == DType::float16) {
    return [](const void* from, void* to, int64_t n) { halfToFloat(DType::float16, from, static_cast<float*>(to), n); };
  }
  return nullptr;
}

FoldPlan planOf(Reduction kind, DType dtype) {
  FoldPlan plan{Fold::sum, naturalType(dtype), halves(dtype)};
  switch (kind) {
    case Reduction::any:
    case Reduction::all:
      plan = {kind == Reduction::any ? Fold::maximum : Fold::minimum, kFoldUint8, nullptr};
      if (size(dtype) > 1) dispatch(dtype, [&](auto tag) { plan.convert = nonZero<typename decltype(tag)::type>; });
      return plan;
    case Reduction::maximum: plan.fold = Fold::maximum; return plan;
    case Reduction::minimum: plan.fold = Fold::minimum; return plan;
    case Reduction::product: plan.fold = Fold::product; break;
    case Reduction::sum: break;
  }
  if (plan.type == kFoldUint8) plan.type = kFoldInt32, plan.convert = byteToInt;
  return plan;
}

struct Axis {
  int64_t size, stride;
};
int64_t offsetOf(const Axis* axes, int rank, int64_t index) {
  int64_t offset = 0;
  for (int d = rank - 1; d >= 0; d--) {
    offset += index % axes[d].size * axes[d].stride;
    index /= axes[d].size;
  }
  return offset;
}

struct ReduceRun final : Prepared {
  FoldPlan plan;
  const FoldLoops* loops;
  DType outType;
  size_t inSize, foldSize;
  double scale;
  int64_t results;  // how many there are
  Axis kept[kMaxRank], outer[kMaxRank];
  int keptRank = 0, outerRank = 0;
  int64_t keptCount = 1;  // jobs before columns are cut
  int64_t width = 1;  // results that lie side by side: 1 where the innermost axis is reduced
  int64_t run_ = 1, runStride = 1;  // the innermost reduced axis
  int64_t length = 1;  // elements (rows) of a result's whole range
  int64_t bands = 1, chunks = 1;
  bool rowwise = false, parallel = false;

  // result[0 .. columns) = the fold of [first, last) of a range.
  void range(const char* x, int64_t first, int64_t last, int64_t columns, void* result) const {
    const int64_t n = last - first, piece = width == 1 ? kPiece : std::max(kPieceRows, kPiece / columns);
    const int64_t run = first / run_, at = first % run_;
    if (at + n <= run_ && n <= piece) {
      return leaf(x + (offsetOf(outer, outerRank, run) + at * runStride) * inSize, n, columns, result);
    }
    alignas(64) char other[kColumns * 8];
    if (n <= kSequential && at + n > run_) {
      bool any = false;
      while (first < last) {
        const int64_t r = first / run_, start = first % run_, m = std::min({run_ - start, last - first, piece});
        leaf(x + (offsetOf(outer, outerRank, r) + start * runStride) * inSize, m, columns, any ? other : result);
        if (any) loops->combine(result, other, columns);
        any = true;
        first += m;
      }
      return;
    }
    const int64_t middle = first + (n / 2 >= 64 ? n / 2 / 64 * 64 : n / 2);
    range(x, first, middle, columns, result);
    range(x, middle, last, columns, other);
    loops->combine(result, other, columns);
  }

  void leaf(const char* x, int64_t n, int64_t columns, void* result) const {
    if (!plan.convert) {
      if (width == 1)
        loops->row(x, n, result);
      else
        loops->columns(x, n, columns, runStride, result);
      return;
    }
    alignas(64) char tile[kTile * 4];
    if (width == 1) {
      plan.convert(x, tile, n);
      return loops->row(tile, n, result);
    }
    if (columns == runStride) {
      plan.convert(x, tile, n * columns);
    } else {
      for (int64_t i = 0; i < n; i++) plan.convert(x + i * runStride * inSize, tile + i * columns * foldSize, columns);
    }
    loops->columns(tile, n, columns, columns, result);
  }

  // Results in the fold's type → out, from element `at`.
  void finish(const void* result, int64_t n, void* out, int64_t at) const {
    char* to = static_cast<char*>(out) + at * size(outType);
    if (outType == DType::boolean) {
      nonZero<uint8_t>(result, to, n);
    } else if (plan.type == kFoldFloat) {
      const float* x = static_cast<const float*>(result);
      const float s = static_cast<float>(scale);
      dispatch(outType, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (std::is_same_v<T, float> || std::is_class_v<T>) {
          T* y = reinterpret_cast<T*>(to);
          for (int64_t i = 0; i < n; i++) y[i] = T(x[i] * s);
        }
      });
    } else {
      std::memcpy(to, result, n * foldSize);
    }
  }

  // Job: a group of results side by side; chunk: a part of their range.
  void job(const char* x, int64_t index, int64_t chunk, void* result, int64_t& at, int64_t& columns) const {
    const int64_t group = index / bands, band = index % bands;
    columns = std::min(kColumns, width - band * kColumns);
    at = group * width + band * kColumns;
    range(x + (offsetOf(kept, keptRank, group) + band * kColumns) * inSize, length * chunk / chunks,
          length * (chunk + 1) / chunks, columns, result);
  }

  void rows(const char* x, int64_t first, int64_t last, void* out) const {
    const int64_t step = std::max<int64_t>(1, kTile / 2 / run_);
    alignas(64) char tile[kTile * 4], result[kTile * 4];
    for (; first < last; first += step) {
      const int64_t n = std::min(step, last - first);
      const void* from = x + first * run_ * inSize;
      if (plan.convert) {
        plan.convert(from, tile, n * run_);
        from = tile;
      }
      loops->rows(from, n, run_, result);
      finish(result, n, out, first);
    }
  }

  void run(Stream& stream, void* const* buffers) override {
    const char* x = static_cast<const char*>(buffers[0]);
    void* out = buffers[1];
    const int team = parallel ? threads() : 1;
    if (rowwise) {
#pragma omp parallel for schedule(static) num_threads(team) if (parallel)
      for (int part = 0; part < team; part++) rows(x, results * part / team, results * (part + 1) / team, out);
      return;
    }
    const int64_t jobs = keptCount * bands;
    if (chunks == 1) {
#pragma omp parallel for schedule(static) num_threads(team) if (parallel)
      for (int64_t i = 0; i < jobs; i++) {
        alignas(64) char result[kColumns * 8];
        int64_t at, columns;
        job(x, i, 0, result, at, columns);
        finish(result, columns, out, at);
      }
      return;
    }
    char* parts = static_cast<char*>(stream.workspace);
    const int64_t stride = std::min(kColumns, width) * static_cast<int64_t>(foldSize);
#pragma omp parallel for schedule(static) num_threads(team) if (parallel)
    for (int64_t i = 0; i < jobs * chunks; i++) {
      int64_t at, columns;
      job(x, i / chunks, i % chunks, parts + i * stride, at, columns);
    }
    for (int64_t i = 0; i < jobs; i++) {
      char* first = parts + i * chunks * stride;
      const int64_t band = i % bands, columns = std::min(kColumns, width - band * kColumns);
      for (int64_t step = 1; step < chunks; step *= 2) {
        for (int64_t k = 0; k + step < chunks; k += 2 * step)
          loops->combine(first + k * stride, first + (k + step) * stride, columns);
      }
      finish(first, columns, out, i / bands * width + band * kColumns);
    }
  }
};

// A reduction over no elements.
struct EmptyRun final : Prepared {
  size_t elementSize;
  uint64_t bits;
  int64_t n;
  void run(Stream&, void* const* buffers) override { fillElements(elementSize, bits, buffers[1], n); }
};

struct ArgRun final : Prepared {
  const ArgLoops* loops;
  Convert convert;
  size_t elementSize;  // after conversion
  int64_t outer, n, inner, bands;
  bool parallel;

  void one(const char* x, int32_t* out, int64_t job) const {
    const int64_t row = job / bands, band = job % bands * kArgColumns;
    const char* from = x + (row * n * inner + band) * elementSize;
    if (inner == 1)
      out[row] = static_cast<int32_t>(loops->row(from, n));
    else
      loops->columns(from, n, std::min(kArgColumns, inner - band), inner, out + row * inner + band);
  }

  void run(Stream& stream, void* const* buffers) override {
    const char* x = static_cast<const char*>(buffers[0]);
    int32_t* out = static_cast<int32_t*>(buffers[1]);
    if (convert) {
      convert(x, stream.workspace, outer * n * inner);
      x = static_cast<const char*>(stream.workspace);
    }
#pragma omp parallel for schedule(static) num_threads(threads()) if (parallel)
    for (int64_t i = 0; i < outer * bands; i++) one(x, out, i);
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareReduce(const Call& call) {
  const auto params = read<Reduce>(call.params);
  const Spec &in = call.in[0], &out = call.out[0];
  if (in.elements() == 0) {
    auto run = std::make_unique<EmptyRun>();
    const bool one = params.kind == Reduction::product || params.kind == Reduction::all;
    run->elementSize = size(out.dtype);
    run->bits = bitsOf(out.dtype, one ? 1 : 0 * params.scale);
    run->n = out.elements();
    run->cost = 40 + static_cast<double>(run->n);
    return run;
  }
  auto run = std::make_unique<ReduceRun>();
  run->plan = planOf(params.kind, in.dtype);
  run->loops = &foldLoopsForIsa()(run->plan.fold, run->plan.type);
  run->outType = out.dtype;
  run->inSize = size(in.dtype);
  run->foldSize = sizeOf(run->plan.type);
  run->scale = params.scale;
  run->results = out.elements();

  // From the innermost axis outwards, joining neighbours of one kind.
  struct Group {
    int64_t size, stride;
    bool reduced;
  };
  SmallVector<Group, kMaxRank> groups;
  int64_t stride = 1;
  for (int i = in.shape.rank() - 1; i >= 0; i--) {
    const int64_t n = in.shape[i];
    if (n == 1) continue;
    const bool reduced = params.axes >> i & 1;
    if (!groups.empty() && groups.back().reduced == reduced)
      groups.back().size *= n;
    else
      groups.push_back({n, stride, reduced});
    stride *= n;
  }
  if (groups.empty() || (groups.size() == 1 && !groups[0].reduced)) groups.push_back({1, 1, true});
  size_t first = 0;
  if (!groups[0].reduced) run->width = groups[first++].size;
  run->run_ = groups[first].size;
  run->runStride = run->width;
  // kept and outer reduced axes, outermost first
  for (size_t i = groups.size(); i-- > first + 1;) {
    const Axis axis{groups[i].size, groups[i].stride};
    if (groups[i].reduced) {
      run->outer[run->outerRank++] = axis;
      run->length *= axis.size;
    } else {
      run->kept[run->keptRank++] = axis;
      run->keptCount *= axis.size;
    }
  }
  run->length *= run->run_;
  run->bands = (run->width + kColumns - 1) / kColumns;
  run->rowwise = run->width == 1 && run->outerRank == 0 && run->run_ <= kTile / 8;

  const double elements = static_cast<double>(in.elements());
  const int64_t jobs = run->keptCount * run->bands;
  if (!run->rowwise && jobs < kMaxChunks) {
    const int64_t work = run->length * std::min(kColumns, run->width);
    run->chunks = std::clamp<int64_t>(std::min(work / kChunkElements, kMaxChunks / jobs), 1, run->length);
  }
  if (run->chunks > 1) run->workspace = jobs * run->chunks * std::min(kColumns, run->width) * run->foldSize;
  run->cost = 60 +
              elements * (run->rowwise        ? 0.6
                          : run->plan.convert ? 0.4
                                              : 0.15 * static_cast<double>(run->inSize) / 4) +
              static_cast<double>(jobs) * 10;
  run->parallel = worthParallel(run->cost);
  run->threadBound = run->parallel;
  return run;
}

std::unique_ptr<Prepared> prepareArgReduce(const Call& call) {
  const auto params = read<ArgReduce>(call.params);
  const Spec& in = call.in[0];
  auto run = std::make_unique<ArgRun>();
  const FoldType type = naturalType(in.dtype);
  run->convert = halves(in.dtype);
  run->loops = &argLoopsForIsa()(params.minimum, type);
  run->elementSize = sizeOf(type);
  if (run->convert) run->workspace = in.elements() * sizeof(float);
  run->outer = in.shape.product(0, params.axis);
  run->n = in.shape[params.axis];
  run->inner = in.shape.product(params.axis + 1, in.shape.rank());
  run->bands = (run->inner + kArgColumns - 1) / kArgColumns;
  run->cost = 60 + static_cast<double>(in.elements()) * 0.8;
  run->parallel = worthParallel(run->cost);
  run->threadBound = run->parallel;
  return run;
}

}  // namespace needletail
