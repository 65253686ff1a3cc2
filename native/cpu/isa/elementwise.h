// The inner loops of the elementwise rows, compiled once for each instruction set.
#pragma once
#include <cstdint>

#include "cpu/cpu.h"

namespace needletail {

// Computes n elements; each operand and the result are contiguous. A comparison's result and the condition of `where`
// are bytes.
using RowFunction = void (*)(int64_t n, const void* const* in, void* out, double p, double q);
// Columns of a row: the types in which there is a loop; bfloat16 and float16 are computed as float.
enum Column { kFloat, kInt32, kInt64, kUint8, kColumns };
using RowTable = RowFunction (*)(int row, Column column);

namespace baseline {
RowFunction elementwiseRow(int row, Column column);
}
namespace avx2 {
RowFunction elementwiseRow(int row, Column column);
}
namespace avx512 {
RowFunction elementwiseRow(int row, Column column);
}

// That of this processor; null: the row has none for the type.
inline RowFunction elementwiseRowForIsa(int row, Column column) {
#if defined(__x86_64__)
  if (isa() == Isa::avx512) return avx512::elementwiseRow(row, column);
  if (isa() == Isa::avx2) return avx2::elementwiseRow(row, column);
#endif
  return baseline::elementwiseRow(row, column);
}

}  // namespace needletail
