// Sorting on the device: CUB's radix sort, or the standard library's where the kernels run on the processor.
#pragma once
#include <cstddef>
#include <cstdint>

#include "backend.h"

namespace needletail::cuda {

// Scratch memory for sortKeys, the keys included, which stand at its beginning.
size_t sortKeysBytes(int64_t n);
// Sorts n keys that stand at the beginning of the scratch memory; gives where the sorted ones are.
const uint64_t* sortKeys(Stream& stream, uint64_t* keys, int64_t n);

// Scratch memory for sortLines.
size_t sortLinesBytes(int64_t lines, int64_t n);
// Sorts each of `lines` lists of n keys, stably, by their lowest `bits` bits (the others are 0). Keys and their numbers
// (0 to lines * n - 1) stand at the beginning of the scratch memory, one after the other; gives where the sorted
// numbers are.
const uint32_t* sortLines(Stream& stream, uint64_t* keys, int64_t lines, int64_t n, int bits);

}  // namespace needletail::cuda
