// Copies between two strided layouts: what permute, slice, pad, concat and broadcasting come down to.
#pragma once
#include <cstddef>
#include <cstdint>

#include "spec.h"

namespace needletail {

class StridedCopy {
 public:
  // Axes from the outermost to the innermost; strides in elements, 0 where the source is broadcast.
  void axis(int64_t size, int64_t from, int64_t to);
  // Where the first element lies.
  int64_t fromOffset = 0, toOffset = 0;
  // Joins axes and chooses the loop. After the last axis.
  void plan(size_t elementSize);
  void run(const void* from, void* to) const;

  double cost() const { return cost_; }
  bool parallel() const { return parallel_; }

 private:
  struct Axis {
    int64_t size, from, to;
  };
  template <class T>
  void copy(const T* from, T* to, const Axis* axes) const;
  template <class T>
  void inner(const T* from, T* to, const Axis* axes) const;

  int rank_ = 0;
  Axis axes_[kMaxRank + 1];
  size_t elementSize_ = 1;
  bool empty_ = false, transposes_ = false, parallel_ = false;
  int inner_ = 1;  // how many of the last axes one inner loop covers
  double cost_ = 40;
};

// n elements made of bits (bitsOf).
void fillElements(size_t elementSize, uint64_t bits, void* to, int64_t n);

}  // namespace needletail
