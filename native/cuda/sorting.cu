// Sorting by CUB.
#include "cuda/sorting.h"

#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_segmented_sort.cuh>

#include "cuda/launch.h"
#include "error.h"

namespace needletail::cuda {

namespace {

size_t aligned(size_t bytes) { return (bytes + 255) / 256 * 256; }

void check(cudaError_t status) {
  if (status != cudaSuccess) throw Error(std::string("sort: ") + cudaGetErrorString(status), Fault::device);
}

// Where line `i` begins.
struct Begin {
  int64_t n;
  NT_INLINE int64_t operator()(int64_t i) const { return i * n; }
};

size_t keysSpace(int64_t n) {
  size_t bytes = 0;
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
auto offsets(int64_t n) { return thrust::make_transform_iterator(thrust::counting_iterator<int64_t>(0), Begin{n}); }

template <class... More>
cudaError_t sortPairs(void* space, size_t& bytes, const uint64_t* keys, uint64_t* sortedKeys, const uint32_t* places,
                      uint32_t* sorted, int64_t lines, int64_t n, More... more) {
  return cub::DeviceSegmentedSort::StableSortPairs(space, bytes, keys, sortedKeys, places, sorted, lines * n, lines,
                                                   offsets(n), offsets(n) + 1, more...);
}
size_t linesSpace(int64_t lines, int64_t n) {
  size_t bytes = 0;
  check(sortPairs(nullptr, bytes, nullptr, nullptr, nullptr, nullptr, lines, n));
  return bytes;
}
}  // namespace

size_t sortLinesBytes(int64_t lines, int64_t n) {
  const size_t keys = aligned(lines * n * sizeof(uint64_t)), places = aligned(lines * n * sizeof(uint32_t));
  return 2 * keys + 2 * places + linesSpace(lines, n);
}

const uint32_t* sortLines(Stream& stream, uint64_t* keys, int64_t lines, int64_t n) {
  const size_t keyBytes = aligned(lines * n * sizeof(uint64_t)), placeBytes = aligned(lines * n * sizeof(uint32_t));
  // The places stand right behind the keys, where the caller has put them.
  auto* places = reinterpret_cast<uint32_t*>(keys + lines * n);
  char* rest = reinterpret_cast<char*>(keys) + keyBytes + placeBytes;
  auto* sortedKeys = reinterpret_cast<uint64_t*>(rest);
  auto* sorted = reinterpret_cast<uint32_t*>(rest + keyBytes);
  size_t bytes = linesSpace(lines, n);
  if (described()) return sorted;
  check(sortPairs(rest + keyBytes + placeBytes, bytes, keys, sortedKeys, places, sorted, lines, n, streamOf(stream)));
  return sorted;
}

}  // namespace needletail::cuda
