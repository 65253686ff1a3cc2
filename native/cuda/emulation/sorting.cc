// Stands in for CUB.
#include "cuda/sorting.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "cuda/launch.h"

namespace needletail::cuda {

size_t sortKeysBytes(int64_t n) { return static_cast<size_t>(n) * sizeof(uint64_t); }

const uint64_t* sortKeys(Stream& stream, uint64_t* keys, int64_t n) {
  if (!leftOut(n)) emulatedLaunch(streamOf(stream), [=] { std::sort(keys, keys + n); });
  return keys;
}

size_t sortLinesBytes(int64_t lines, int64_t n) {
  return static_cast<size_t>(lines * n) * (sizeof(uint64_t) + sizeof(uint32_t));
}

const uint32_t* sortLines(Stream& stream, uint64_t* keys, int64_t lines, int64_t n, int) {
  auto* numbers = reinterpret_cast<uint32_t*>(keys + lines * n);
  if (leftOut(lines * n)) return numbers;
  emulatedLaunch(streamOf(stream), [=] {
    for (int64_t line = 0; line < lines; line++) {
      std::stable_sort(numbers + line * n, numbers + (line + 1) * n,
                       [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
    }
  });
  return numbers;
}

}  // namespace needletail::cuda
