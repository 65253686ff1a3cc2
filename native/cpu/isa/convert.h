// The loops of conversions between dtypes, compiled once for each instruction set.
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"
#include "spec.h"

namespace needletail {

using CastLoop = void (*)(const void* from, void* to, int64_t n);

NEEDLETAIL_ISA_RESULT(CastLoop, castLoop, DType from, DType to)

}  // namespace needletail
