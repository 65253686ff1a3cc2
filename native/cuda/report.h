// How a kernel tells that a value is out of range.
#pragma once
#include "cuda/runtime.h"
#include "inline.h"

namespace needletail::cuda {

struct Report {
  Complaint* complaint;
  const char* op;
  Wrong wrong;

  Report(Stream& stream, Wrong wrong) : complaint(complaintOf(stream)), op(stream.op), wrong(wrong) {}

  // Whether `value` lies in [0, limit); else it is told, unless something was told before.
  template <class I>
  NT_INLINE bool within(I value, int64_t limit) const {
    if (value >= 0 && static_cast<int64_t>(value) < limit) return true;
    const int32_t kind = 1 + static_cast<int32_t>(wrong);
#if defined(__CUDA_ARCH__)
    if (atomicCAS(&complaint->kind, 0, kind) != 0) return false;
#else
    if (complaint->kind != 0) return false;
    complaint->kind = kind;
#endif
    complaint->op = op;
    complaint->got = static_cast<int64_t>(value);
    complaint->limit = limit;
    return false;
  }
};

}  // namespace needletail::cuda
