// Sorting by CUB.
#include "cuda/sorting.h"

#include <bit>
#include <cub/device/device_radix_sort.cuh>

#include "cuda/divide.h"
#include "cuda/launch.h"
#include "error.h"

namespace needletail::cuda {

namespace {

size_t aligned(size_t bytes) { return (bytes + 255) / 256 * 256; }

void check(cudaError_t status) {
  if (status != cudaSuccess) throw Error(std::string("sort: ") + cudaGetErrorString(status), Fault::device);
}

// CUB asks the device; of a described one nothing is sorted.
size_t keysSpace(int64_t n) {
  size_t bytes = 0;
  if (described()) return bytes;
  check(cub::DeviceRadixSort::SortKeys(nullptr, bytes, static_cast<uint64_t*>(nullptr), static_cast<uint64_t*>(nullptr),
                                       n));
  return bytes;
}

}  // namespace

size_t sortKeysBytes(int64_t n) { return 2 * aligned(n * sizeof(uint64_t)) + keysSpace(n); }

const uint64_t* sortKeys(Stream& stream, uint64_t* keys, int64_t n) {
  char* rest = reinterpret_cast<char*>(keys) + aligned(n * sizeof(uint64_t));
  auto* sorted = reinterpret_cast<uint64_t*>(rest);
  size_t bytes = keysSpace(n);
  if (described()) return sorted;
  check(cub::DeviceRadixSort::SortKeys(rest + aligned(n * sizeof(uint64_t)), bytes, keys, sorted, n, 0, 64,
                                       streamOf(stream)));
  return sorted;
}

namespace {

size_t pairsSpace(int64_t n) {
  size_t bytes = 0;
  if (described()) return bytes;
  check(cub::DeviceRadixSort::SortPairs(nullptr, bytes, static_cast<uint64_t*>(nullptr),
                                        static_cast<uint64_t*>(nullptr), static_cast<uint32_t*>(nullptr),
                                        static_cast<uint32_t*>(nullptr), n));
  return bytes;
}

// Which line each number is of.
struct LineBody {
  Divider n;
  const uint32_t* numbers;
  uint64_t* lines;
  NT_INLINE void operator()(int64_t i) const { lines[i] = static_cast<uint64_t>(n(numbers[i])); }
};

}  // namespace

size_t sortLinesBytes(int64_t lines, int64_t n) {
  const size_t keys = aligned(lines * n * sizeof(uint64_t)), numbers = aligned(lines * n * sizeof(uint32_t));
  return 2 * keys + 2 * numbers + pairsSpace(lines * n);
}

// All lines at once by their keys, then by their lines, as the sort is stable. (CUB's segmented sorts either wait for
// the stream, which a captured graph can't, or give a long line to a single block.)
const uint32_t* sortLines(Stream& stream, uint64_t* keys, int64_t lines, int64_t n, int bits) {
  const int64_t all = lines * n;
  const size_t keyBytes = aligned(all * sizeof(uint64_t)), numberBytes = aligned(all * sizeof(uint32_t));
  // The numbers stand right behind the keys, where the caller has put them.
  auto* numbers = reinterpret_cast<uint32_t*>(keys + all);
  char* rest = reinterpret_cast<char*>(keys) + keyBytes + numberBytes;
  auto* sortedKeys = reinterpret_cast<uint64_t*>(rest);
  auto* sorted = reinterpret_cast<uint32_t*>(rest + keyBytes);
  size_t bytes = pairsSpace(all);
  const auto sort = [&](const uint32_t* from, uint32_t* to, int end) {
    if (described()) return;
    check(cub::DeviceRadixSort::SortPairs(rest + keyBytes + numberBytes, bytes, keys, sortedKeys, from, to, all, 0, end,
                                          streamOf(stream)));
  };
  sort(numbers, sorted, bits);
  if (lines == 1) return sorted;
  each(stream, all, LineBody{Divider(n), sorted, keys});
  sort(sorted, numbers, std::bit_width(static_cast<uint64_t>(lines - 1)));
  return numbers;
}

}  // namespace needletail::cuda
