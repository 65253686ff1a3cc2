// The loops of conversions between dtypes, compiled once for each instruction set.
#pragma once
#include <cstdint>

#include "spec.h"

namespace needletail {

using CastLoop = void (*)(const void* from, void* to, int64_t n);

namespace baseline {
CastLoop castLoop(DType from, DType to);
}
namespace avx2 {
CastLoop castLoop(DType from, DType to);
}
namespace avx512 {
CastLoop castLoop(DType from, DType to);
}

}  // namespace needletail
