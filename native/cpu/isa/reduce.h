// The inner loops of reductions, compiled once for each instruction set.
#pragma once
#include <cstdint>

#include "cpu/isa/pick.h"

namespace needletail {

enum class Fold { sum, product, maximum, minimum };
// The types in which a fold is computed.
enum FoldType { kFoldFloat, kFoldInt32, kFoldInt64, kFoldUint8 };

struct FoldLoops {
  // *result = the fold of x[0 .. n), n >= 1.
  void (*row)(const void* x, int64_t n, void* result);
  // result[i] = the fold of x[i * n .. (i + 1) * n).
  void (*rows)(const void* x, int64_t rows, int64_t n, void* result);
  // result[j] = the fold over i of x[i * stride + j], rows >= 1. columns * rows is small enough to be added up one by
  // one.
  void (*columns)(const void* x, int64_t rows, int64_t columns, int64_t stride, void* result);
  // into[j] = the fold of into[j] and x[j].
  void (*combine)(void* into, const void* x, int64_t n);
};

// Where is the first largest (smallest) element? A NaN wins.
struct ArgLoops {
  int64_t (*row)(const void* x, int64_t n);
  // index[j] over i of x[i * stride + j]; columns <= kArgColumns.
  void (*columns)(const void* x, int64_t rows, int64_t columns, int64_t stride, int32_t* index);
};
constexpr int64_t kArgColumns = 256;

NEEDLETAIL_ISA_RESULT(const FoldLoops&, foldLoops, Fold fold, FoldType type)
NEEDLETAIL_ISA_RESULT(const ArgLoops&, argLoops, bool minimum, FoldType type)

}  // namespace needletail
