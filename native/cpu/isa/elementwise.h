// The inner loops of the elementwise rows, compiled once for each instruction set.
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

// Computes n elements; each operand and the result are contiguous. A comparison's result and the condition of `where`
// are bytes.
using RowFunction = void (*)(int64_t n, const void* const* in, void* out, double p, double q);
// Columns of a row: the types in which there is a loop; bfloat16 and float16 are computed as float.
enum Column { kFloat, kInt32, kInt64, kUint8, kColumns };
// Null: the row has no loop for the type.
NEEDLETAIL_ISA_RESULT(RowFunction, elementwiseRow, int row, Column column)

}  // namespace needletail
