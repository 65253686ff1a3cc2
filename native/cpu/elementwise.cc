// Elementwise rows with broadcasting: operands are brought into contiguous tiles where they aren't already.
#include "cpu/isa/elementwise.h"

#include <algorithm>
#include <vector>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/kernels.h"
#include "geometry.h"
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
  enum Kind { full, single, number, spread, result } kind;
  DType dtype;
  double value = 0;
  int from = 0;  // which buffer of the call it is, or which part's result
  int tile = 0;  // where it is brought to, if it isn't read in place
  bool isHalf() const { return dtype == DType::bfloat16 || dtype == DType::float16; }
  // Whether it is the same for all elements.
  bool isConstant() const { return kind == number || kind == single; }
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

// One row of the run.
struct RowPart {
  RowFunction function;
  Operand operands[kMaxOperands];
  int count;
  DType type;  // of its result
  double p, q;
  int output = -1;  // the buffer that it goes to, if any
  int tile = 0;  // where it is made, if not there
  Walk walk;
  bool isHalf() const { return type == DType::bfloat16 || type == DType::float16; }
};

constexpr int kTiles = 24;  // how many a run may need

// Parts one after the other for each tile of elements: what is made by one and read by the next stays in the cache.
struct ElementwiseRun final : Prepared {
  std::vector<RowPart> parts;
  int64_t n;
  bool parallel, direct;  // direct: one part, all of its operands whole and none in half precision

  void range(void* const* buffers, int64_t first, int64_t last) const {
    const void* in[kMaxOperands];
    if (direct) {
      const RowPart& part = parts[0];
      for (int i = 0; i < part.count; i++) in[i] = at(buffers, part.operands[i].from, part.operands[i].dtype, first);
      return part.function(last - first, in, at(buffers, part.output, part.type, first), part.p, part.q);
    }
    alignas(64) std::byte tiles[kTiles][kTileBytes];
    for (const RowPart& part : parts) {
      for (int i = 0; i < part.count; i++) {
        const Operand& operand = part.operands[i];
        if (operand.isConstant()) splat(operand, buffers, tiles[operand.tile], std::min(kTile, last - first));
      }
    }
    const void* results[ElementwiseParts::kMost];
    for (int64_t t = first; t < last; t += kTile) {
      const int64_t m = std::min(kTile, last - t);
      for (size_t k = 0; k < parts.size(); k++) {
        const RowPart& part = parts[k];
        for (int i = 0; i < part.count; i++) {
          const Operand& operand = part.operands[i];
          in[i] = operand.kind == Operand::result ? results[operand.from]
                                                  : place(part, i, buffers, t, m, tiles[operand.tile]);
        }
        const bool written = part.output >= 0;
        void* to = written ? at(buffers, part.output, part.type, t) : nullptr;
        void* made = part.isHalf() || !written ? tiles[part.tile] : to;
        part.function(m, in, made, part.p, part.q);
        if (part.isHalf()) {
          // Those who read it see it rounded, as they would in a buffer.
          alignas(64) uint16_t rounded[kTile];
          uint16_t* half = written ? static_cast<uint16_t*>(to) : rounded;
          floatToHalf(part.type, static_cast<const float*>(made), half, m);
          if (k + 1 < parts.size()) halfToFloat(part.type, half, static_cast<float*>(made), m);
        }
        results[k] = made;
      }
    }
  }

  static std::byte* at(void* const* buffers, int buffer, DType dtype, int64_t element) {
    return static_cast<std::byte*>(buffers[buffer]) + element * static_cast<int64_t>(size(dtype));
  }

  // Elements [first, first + m) of a part's operand: where they lie, or in the tile.
  const void* place(const RowPart& part, int i, void* const* buffers, int64_t first, int64_t m, std::byte* tile) const {
    const Operand& operand = part.operands[i];
    if (operand.kind == Operand::full) {
      const std::byte* from = at(buffers, operand.from, operand.dtype, first);
      if (!operand.isHalf()) return from;
      halfToFloat(operand.dtype, from, reinterpret_cast<float*>(tile), m);
    } else if (operand.kind == Operand::spread) {
      const void* from = buffers[operand.from];
      if (operand.isHalf()) {
        alignas(64) uint16_t raw[kTile];
        gatherTile<uint16_t>(part.walk, part.walk.stride[i], from, first, m, raw);
        halfToFloat(operand.dtype, raw, reinterpret_cast<float*>(tile), m);
      } else {
        dispatchSize(operand.dtype, [&](auto t) {
          gatherTile<typename decltype(t)::type>(part.walk, part.walk.stride[i], from, first, m, tile);
        });
      }
    }
    return tile;
  }

  void splat(const Operand& operand, void* const* buffers, std::byte* tile, int64_t m) const {
    const DType dtype = operand.dtype;
    if (operand.kind == Operand::number) {
      const double v = operand.value;
      if (isFloat(dtype))
        fillTile(tile, static_cast<float>(v), m);
      else
        dispatch(dtype, [&](auto t) { fillTile(tile, static_cast<typename decltype(t)::type>(v), m); });
      return;
    }
    const void* from = buffers[operand.from];
    if (operand.isHalf()) {
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

void joinAxes(const Call& call, RowPart& part) {
  const Shape& out = call.out[0].shape;
  Walk& walk = part.walk;
  for (int d = 0; d < out.rank(); d++) {
    if (out[d] == 1) continue;
    int64_t stride[kMaxOperands];
    for (int i = 0; i < part.count; i++) {
      stride[i] = 0;
      if (part.operands[i].kind != Operand::spread) continue;
      const Shape& s = call.in[part.operands[i].from].shape;
      const int axis = d - (out.rank() - s.rank());
      if (axis >= 0 && s[axis] != 1) stride[i] = s.product(axis + 1, s.rank());
    }
    bool join = walk.rank > 0;
    for (int i = 0; i < part.count && join; i++) join = walk.stride[i][walk.rank - 1] == stride[i] * out[d];
    if (!join) walk.rank++;
    const int last = walk.rank - 1;
    walk.size[last] = join ? walk.size[last] * out[d] : out[d];
    for (int i = 0; i < part.count; i++) walk.stride[i][last] = stride[i];
  }
}

std::unique_ptr<Prepared> prepare(const Call& call) {
  const ElementwiseParts run = partsOf(call);
  auto made = std::make_unique<ElementwiseRun>();
  made->n = call.out[0].elements();
  made->cost = 60;
  int outputs = static_cast<int>(call.in.size()), tiles = 0;
  bool direct = run.count == 1;
  for (int k = 0; k < run.count; k++) {
    const ElementwiseParts::Part& from = run.parts[k];
    RowPart part{};
    part.count = from.operands;
    part.type = static_cast<DType>(from.dtype);
    part.p = from.p;
    part.q = from.q;
    if (from.kept) part.output = outputs++;
    // A row's numbers are of the type of its operands, but that a condition is bool; of those that are tensors the last
    // tells it.
    const bool where = from.row == static_cast<int>(Row::where);
    DType type = part.type;
    for (int i = 0; i < part.count; i++) {
      if (from.immediates >> i & 1) continue;
      const int source = from.from[i];
      Operand& operand = part.operands[i];
      if (source < 0) {
        operand = {Operand::result, made->parts[-1 - source].type, 0, -1 - source};
      } else {
        const Spec& spec = call.in[source];
        const int64_t elements = spec.elements();
        operand = {elements == made->n ? Operand::full
                   : elements == 1     ? Operand::single
                                       : Operand::spread,
                   spec.dtype, 0, source};
      }
      if (!where) type = operand.dtype;
    }
    for (int i = 0; i < part.count; i++) {
      Operand& operand = part.operands[i];
      if (from.immediates >> i & 1)
        operand = {Operand::number, where && i == 0 ? DType::boolean : type, from.values[i]};
      if (operand.kind != Operand::result) operand.tile = tiles++;
      direct = direct && operand.kind == Operand::full && !operand.isHalf();
    }
    if (part.isHalf() || !from.kept) part.tile = tiles++;
    direct = direct && !part.isHalf();
    part.function = rowFunction(from.row, type);
    if (!part.function) return nullptr;
    joinAxes(call, part);
    made->cost += static_cast<double>(made->n) * (isFloat(type) ? 1.0 : 0.5);
    made->parts.push_back(part);
  }
  if (tiles > kTiles) return nullptr;
  made->direct = direct;
  made->parallel = worthParallel(made->cost);
  made->threadBound = made->parallel;
  return made;
}

}  // namespace

std::unique_ptr<Prepared> prepareElementwise(const Call& call) { return prepare(call); }
std::unique_ptr<Prepared> prepareElementwiseRun(const Call& call) { return prepare(call); }

}  // namespace needletail
