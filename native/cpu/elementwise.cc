// Elementwise rows with broadcasting: operands are brought into contiguous tiles where they aren't already.
#include "cpu/isa/elementwise.h"

#include <algorithm>
#include <vector>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/kernels.h"
#include "ops/elementwise_rows.h"

namespace needletail {

namespace {

constexpr int64_t kTile = 1024;
constexpr size_t kTileBytes = kTile * 8;

// Axes that all operands walk alike are joined; stride 0: the operand is broadcast there.
struct Walk {
  int rank = 0;
  int64_t size[kMaxRank];
  int64_t stride[kMaxOperands][kMaxRank];
};

struct Operand {
  enum Kind { full, single, number, spread } kind;
  DType dtype;
  double value = 0;
};

template <class T>
void fillTile(void* tile, T value, int64_t n) {
  std::fill_n(static_cast<T*>(tile), n, value);
}

// Elements [first, first + n) of a broadcast operand, in the order of the result.
template <class T>
void gatherTile(const Walk& walk, const int64_t* stride, const void* from, int64_t first, int64_t n, void* tile) {
  const T* x = static_cast<const T*>(from);
  T* y = static_cast<T*>(tile);
  int64_t index[kMaxRank], offset = 0, rest = first;
  for (int d = walk.rank - 1; d >= 0; d--) {
    index[d] = rest % walk.size[d];
    rest /= walk.size[d];
    offset += index[d] * stride[d];
  }
  const int inner = walk.rank - 1;
  while (n > 0) {
    const int64_t run = std::min(n, walk.size[inner] - index[inner]);
    if (stride[inner] == 0)
      std::fill_n(y, run, x[offset]);
    else
      std::copy_n(x + offset, run, y);
    y += run;
    n -= run;
    offset += run * stride[inner];
    index[inner] += run;
    for (int d = inner; d > 0 && index[d] == walk.size[d]; d--) {
      offset += stride[d - 1] - index[d] * stride[d];
      index[d] = 0;
      index[d - 1]++;
    }
  }
}

struct ElementwiseRun final : Prepared {
  RowFunction function;
  Operand operands[kMaxOperands];
  int count;
  DType outType;
  bool outHalf;
  int64_t n;
  double p, q;
  Walk walk;
  bool parallel;

  void range(void* const* buffers, int64_t first, int64_t last) const {
    alignas(64) std::byte tiles[kMaxOperands + 1][kTileBytes];
    alignas(64) float halfTile[kTile];
    const void* from[kMaxOperands];
    const void* in[kMaxOperands];
    int used = 0;
    bool direct = !outHalf;  // nothing but whole operands: one call
    for (int i = 0; i < count; i++) {
      from[i] = operands[i].kind == Operand::number ? nullptr : buffers[used++];
      if (operands[i].kind == Operand::full && !isHalf(i)) continue;
      direct = false;
      if (operands[i].kind == Operand::number || operands[i].kind == Operand::single) {
        splat(i, from[i], tiles[i], std::min(kTile, last - first));
      }
    }
    std::byte* out = static_cast<std::byte*>(buffers[used]);
    const size_t outSize = size(outType);
    if (direct) {
      for (int i = 0; i < count; i++) in[i] = static_cast<const std::byte*>(from[i]) + first * size(operands[i].dtype);
      return function(last - first, in, out + first * outSize, p, q);
    }
    for (int64_t t = first; t < last; t += kTile) {
      const int64_t m = std::min(kTile, last - t);
      for (int i = 0; i < count; i++) in[i] = operand(i, from[i], t, m, tiles[i]);
      if (outHalf) {
        function(m, in, halfTile, p, q);
        floatToHalf(outType, halfTile, out + t * outSize, m);
      } else {
        function(m, in, out + t * outSize, p, q);
      }
    }
  }

  bool isHalf(int i) const { return operands[i].dtype == DType::bfloat16 || operands[i].dtype == DType::float16; }

  const void* operand(int i, const void* from, int64_t first, int64_t m, std::byte* tile) const {
    const DType dtype = operands[i].dtype;
    const std::byte* source = static_cast<const std::byte*>(from);
    switch (operands[i].kind) {
      case Operand::full:
        if (!isHalf(i)) return source + first * size(dtype);
        halfToFloat(dtype, source + first * 2, reinterpret_cast<float*>(tile), m);
        return tile;
      case Operand::spread:
        if (isHalf(i)) {
          alignas(64) uint16_t raw[kTile];
          gatherTile<uint16_t>(walk, walk.stride[i], from, first, m, raw);
          halfToFloat(dtype, raw, reinterpret_cast<float*>(tile), m);
        } else {
          dispatchSize(dtype, [&](auto t) {
            gatherTile<typename decltype(t)::type>(walk, walk.stride[i], from, first, m, tile);
          });
        }
        return tile;
      default: return tile;
    }
  }

  void splat(int i, const void* from, std::byte* tile, int64_t m) const {
    const DType dtype = operands[i].dtype;
    if (operands[i].kind == Operand::number) {
      const double v = operands[i].value;
      if (isFloat(dtype))
        fillTile(tile, static_cast<float>(v), m);
      else
        dispatch(dtype, [&](auto t) { fillTile(tile, static_cast<typename decltype(t)::type>(v), m); });
    } else if (isHalf(i)) {
      float v;
      halfToFloat(dtype, from, &v, 1);
      fillTile(tile, v, m);
    } else {
      dispatchSize(dtype, [&](auto t) {
        using T = typename decltype(t)::type;
        fillTile(tile, *static_cast<const T*>(from), m);
      });
    }
  }

  void run(Stream&, void* const* buffers) override {
    if (!parallel) return range(buffers, 0, n);
    const int team = threads();
    const int64_t tiles = (n + kTile - 1) / kTile;
#pragma omp parallel for schedule(static) num_threads(team)
    for (int part = 0; part < team; part++) {
      const int64_t first = tiles * part / team * kTile, last = std::min(n, tiles * (part + 1) / team * kTile);
      if (first < last) range(buffers, first, last);
    }
  }
};

RowFunction rowFunction(int row, DType dtype) {
  const Column column = isFloat(dtype)          ? kFloat
                        : dtype == DType::int32 ? kInt32
                        : dtype == DType::int64 ? kInt64
                                                : kUint8;
  return elementwiseRowForIsa()(row, column);
}

void joinAxes(const Call& call, const Operand* operands, int count, const int* specOf, Walk& walk) {
  const Shape& out = call.out[0].shape;
  for (int d = 0; d < out.rank(); d++) {
    if (out[d] == 1) continue;
    int64_t stride[kMaxOperands];
    for (int i = 0; i < count; i++) {
      stride[i] = 0;
      if (operands[i].kind != Operand::spread) continue;
      const Shape& s = call.in[specOf[i]].shape;
      const int axis = d - (out.rank() - s.rank());
      if (axis >= 0 && s[axis] != 1) stride[i] = s.product(axis + 1, s.rank());
    }
    bool join = walk.rank > 0;
    for (int i = 0; i < count && join; i++) join = walk.stride[i][walk.rank - 1] == stride[i] * out[d];
    if (!join) walk.rank++;
    const int last = walk.rank - 1;
    walk.size[last] = join ? walk.size[last] * out[d] : out[d];
    for (int i = 0; i < count; i++) walk.stride[i][last] = stride[i];
  }
}

}  // namespace

std::unique_ptr<Prepared> prepareElementwise(const Call& call) {
  const auto params = read<Elementwise>(call.params);
  const Spec& out = call.out[0];
  auto run = std::make_unique<ElementwiseRun>();
  run->n = out.elements();
  run->p = params.p;
  run->q = params.q;
  run->count = params.operands;
  run->outType = out.dtype;
  run->outHalf = out.dtype == DType::bfloat16 || out.dtype == DType::float16;
  const bool where = params.row == static_cast<int>(Row::where);
  const DType numbersType = call.in.empty() ? out.dtype : call.in[call.in.size() - 1].dtype;
  DType computeType = where ? out.dtype : numbersType;
  int used = 0, specOf[kMaxOperands] = {};
  for (int i = 0; i < params.operands; i++) {
    Operand& operand = run->operands[i];
    if (params.immediates >> i & 1) {
      operand = {Operand::number, where ? (i == 0 ? DType::boolean : out.dtype) : computeType, params.values[i]};
      continue;
    }
    specOf[i] = used;
    const Spec& spec = call.in[used++];
    operand.dtype = spec.dtype;
    operand.kind = spec.elements() == run->n ? Operand::full : spec.elements() == 1 ? Operand::single : Operand::spread;
  }
  run->function = rowFunction(params.row, computeType);
  if (!run->function) return nullptr;
  joinAxes(call, run->operands, run->count, specOf, run->walk);
  run->cost = 60 + run->n * (isFloat(computeType) ? 1.0 : 0.5);
  run->parallel = worthParallel(run->cost);
  run->threadBound = run->parallel;
  return run;
}

}  // namespace needletail
