// sort and topK: each line along the axis becomes a list of (key, index), where a key is an unsigned number in the
// order of the values (NaN last) and the index settles ties, so that any sorting is stable.
#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/kernels.h"

namespace needletail {

namespace {

constexpr int64_t kRadixFrom = 512;  // shorter lists are sorted by comparing

struct Wide {
  uint64_t sortKey;
  uint32_t at;
  bool operator<(const Wide& o) const { return sortKey != o.sortKey ? sortKey < o.sortKey : at < o.at; }
};
// A list's entry: for dtypes of at most 4 bytes key and index in one number.
template <class T>
using Entry = std::conditional_t<sizeof(T) == 8, Wide, uint64_t>;

template <class T>
Entry<T> entryOf(T x, uint32_t at, bool descending) {
  if constexpr (std::is_same_v<T, int64_t>) {
    const uint64_t key = static_cast<uint64_t>(x) ^ uint64_t { 1 } << 63;
    return {descending ? ~key : key, at};
  } else {
    uint32_t key;
    if constexpr (std::is_integral_v<T>) {
      key = std::is_signed_v<T> ? static_cast<uint32_t>(x) ^ 0x80000000u : static_cast<uint32_t>(x);
    } else {
      const float f = static_cast<float>(x);
      const uint32_t bits = std::bit_cast<uint32_t>(f == 0 ? 0.0f : f);  // -0 and 0 tie
      key = std::isnan(f) ? 0xffffffffu : bits >> 31 ? ~bits : bits | 0x80000000u;
    }
    return static_cast<uint64_t>(descending ? ~key : key) << 32 | at;
  }
}
uint32_t indexOf(uint64_t entry) { return static_cast<uint32_t>(entry); }
uint32_t indexOf(const Wide& entry) { return entry.at; }
uint64_t keyOf(uint64_t entry) { return entry >> 32; }
uint64_t keyOf(const Wide& entry) { return entry.sortKey; }

// From the least significant byte of the key to the most; bytes that are the same everywhere are passed over.
template <class E>
void radixSort(E* list, E* other, int64_t n, int bytes) {
  E *from = list, *to = other;
  for (int byte = 0; byte < bytes; byte++) {
    int64_t start[256] = {};
    const int shift = 8 * byte;
    for (int64_t i = 0; i < n; i++) start[keyOf(from[i]) >> shift & 255]++;
    if (start[keyOf(from[0]) >> shift & 255] == n) continue;
    int64_t sum = 0;
    for (int64_t& s : start) sum += std::exchange(s, sum);
    for (int64_t i = 0; i < n; i++) to[start[keyOf(from[i]) >> shift & 255]++] = from[i];
    std::swap(from, to);
  }
  if (from != list) std::copy_n(from, n, list);
}

struct SortRun final : Prepared {
  DType dtype;
  bool descending;
  int64_t outer, n, inner, k;
  int team;

  template <class T>
  void line(const T* x, T* values, int32_t* indices, Entry<T>* list) const {
    for (int64_t i = 0; i < n; i++) list[i] = entryOf<T>(x[i * inner], static_cast<uint32_t>(i), descending);
    if (k <= n / 16) {
      std::partial_sort(list, list + k, list + n);
    } else if (k < n) {
      std::nth_element(list, list + k, list + n);
      std::sort(list, list + k);
    } else if (n >= kRadixFrom) {
      radixSort(list, list + n, n, sizeof(T) == 8 ? 8 : 4);
    } else {
      std::sort(list, list + n);
    }
    for (int64_t i = 0; i < k; i++) {
      const uint32_t at = indexOf(list[i]);
      values[i * inner] = x[at * inner];
      indices[i * inner] = static_cast<int32_t>(at);
    }
  }

  void run(Stream& stream, void* const* buffers) override {
    int32_t* indices = static_cast<int32_t*>(buffers[2]);
    dispatch(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* x = static_cast<const T*>(buffers[0]);
      T* values = static_cast<T*>(buffers[1]);
      auto* lists = static_cast<Entry<T>*>(stream.workspace);
#pragma omp parallel for schedule(static) num_threads(team) if (team > 1)
      for (int part = 0; part < team; part++) {
        Entry<T>* list = lists + part * 2 * n;
        const int64_t lines = outer * inner, last = lines * (part + 1) / team;
        for (int64_t i = lines * part / team; i < last; i++) {
          const int64_t o = i / inner, j = i % inner, to = o * k * inner + j;
          line<T>(x + o * n * inner + j, values + to, indices + to, list);
        }
      }
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
  run->outer = in.shape.product(0, params.axis);
  run->n = in.shape[params.axis];
  run->inner = in.shape.product(params.axis + 1, in.shape.rank());
  run->k = call.out[0].shape[params.axis];
  run->cost = 60 + static_cast<double>(in.elements()) * (run->k < run->n ? 10 : 20);
  run->team = worthParallel(run->cost) ? static_cast<int>(std::min<int64_t>(threads(), run->outer * run->inner)) : 1;
  run->threadBound = run->team > 1;
  run->workspace = run->team * 2 * run->n * (size(in.dtype) == 8 ? sizeof(Wide) : sizeof(uint64_t));
  return run;
}

}  // namespace needletail
