// Walks over tensors that are broadcast, transposed or cut: from an element's number to its places in the operands.
#pragma once
#include <cstdint>

#include "cuda/divide.h"
#include "spec.h"

namespace needletail::cuda {

// Axes, outermost first; those that all N operands walk alike are joined. A stride of 0 repeats an element.
template <int N>
struct Walk {
  int rank = 0;
  int64_t size[kMaxRank] = {};
  int64_t stride[N][kMaxRank] = {};
  Divider by[kMaxRank];  // the sizes

  void axis(int64_t n, const int64_t (&steps)[N]) {
    if (n == 1) return;
    bool join = rank > 0;
    for (int k = 0; k < N && join; k++) join = stride[k][rank - 1] == steps[k] * n;
    if (!join) rank++;
    size[rank - 1] = join ? size[rank - 1] * n : n;
    by[rank - 1] = Divider(size[rank - 1]);
    for (int k = 0; k < N; k++) stride[k][rank - 1] = steps[k];
  }

  // at[k] += the place of element i in operand k.
  NT_INLINE void find(int64_t i, int64_t (&at)[N]) const {
    NT_ROLL
    for (int d = rank - 1; d > 0; d--) {
      const int64_t index = by[d].split(i);
      for (int k = 0; k < N; k++) at[k] += index * stride[k][d];
    }
    for (int k = 0; k < N && rank > 0; k++) at[k] += i * stride[k][0];
  }
};

}  // namespace needletail::cuda
