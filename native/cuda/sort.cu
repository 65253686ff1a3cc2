// sort and topK: each line becomes a list of (key, place), where a key is an unsigned number in the order of the values
// (NaN last); equal keys keep their order.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/sorting.h"

namespace needletail::cuda {

namespace {

template <class T>
NT_INLINE uint64_t keyOf(T x, bool descending) {
  uint64_t key;
  if constexpr (std::is_same_v<T, int64_t>) {
    key = static_cast<uint64_t>(x) ^ uint64_t { 1 } << 63;
    return descending ? ~key : key;
  } else if constexpr (std::is_integral_v<T>) {
    key = std::is_signed_v<T> ? static_cast<uint32_t>(x) ^ 0x80000000u : static_cast<uint32_t>(x);
  } else {
    const uint32_t bits = std::bit_cast<uint32_t>(x == 0 ? 0.0f : x);  // -0 and 0 tie
    key = x != x ? 0xffffffffu : bits >> 31 ? ~bits : bits | 0x80000000u;
  }
  return descending ? ~key & 0xffffffffu : key;
}

template <class T>
struct KeysBody {
  int64_t n, inner;
  DType dtype;
  bool descending;
  const void* x;
  uint64_t* keys;
  uint32_t* numbers;
  NT_INLINE void operator()(int64_t k) const {
    const int64_t line = k / n, i = k % n;
    keys[k] = keyOf(load<T>(x, dtype, (line / inner * n + i) * inner + line % inner), descending);
    numbers[k] = static_cast<uint32_t>(k);
  }
};

template <class T>
struct PickBody {
  int64_t n, inner, count;  // count: of each line
  const T* x;
  const uint32_t* sorted;
  T* values;
  int32_t* indices;
  NT_INLINE void operator()(int64_t k) const {
    const int64_t line = k / count, i = k % count;
    const int64_t at = sorted[line * n + i] - line * n;
    const int64_t to = (line / inner * count + i) * inner + line % inner;
    values[to] = x[(line / inner * n + at) * inner + line % inner];
    indices[to] = static_cast<int32_t>(at);
  }
};

struct SortRun final : Prepared {
  DType dtype;
  bool descending;
  int64_t lines, n, inner, count;

  void run(Stream& stream, void* const* buffers) override {
    auto* keys = static_cast<uint64_t*>(stream.workspace);
    dispatchCompute(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      auto* numbers = reinterpret_cast<uint32_t*>(keys + lines * n);
      each(stream, lines * n, KeysBody<T>{n, inner, dtype, descending, buffers[0], keys, numbers});
    });
    const uint32_t* sorted = sortLines(stream, keys, lines, n, dtype == DType::int64 ? 64 : 32);
    dispatchSize(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      each(stream, lines * count,
           PickBody<T>{n, inner, count, static_cast<const T*>(buffers[0]), sorted, static_cast<T*>(buffers[1]),
                       static_cast<int32_t*>(buffers[2])});
    });
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareSort(const Call& call) {
  const auto params = read<Sort>(call.params);
  const Spec& in = call.in[0];
  auto run = std::make_unique<SortRun>();
  run->dtype = in.dtype;
  run->descending = params.descending;
  run->n = in.shape[params.axis];
  run->inner = in.shape.product(params.axis + 1, in.shape.rank());
  run->lines = run->n > 0 ? in.elements() / run->n : 0;
  run->count = call.out[0].shape[params.axis];
  run->workspace = sortLinesBytes(run->lines, run->n);
  return run;
}

}  // namespace needletail::cuda
