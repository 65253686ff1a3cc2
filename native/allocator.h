// A pool over a device's allocate/release, for memory that is used in the order of one queue.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend.h"
#include "latch.h"

namespace needletail {

class Allocator {
 public:
  explicit Allocator(Backend& backend);
  // Null when the device has no memory left or the limit would be passed; the caller drains, trims and tries again.
  void* allocate(size_t bytes);
  void release(void* memory, size_t bytes);
  void trim();  // gives cached blocks back to the device; only when the queue is empty

  size_t limit() const { return limit_; }
  void setLimit(size_t bytes) { limit_ = bytes; }
  size_t used() const { return used_; }  // bytes in live blocks
  size_t peak() const { return peak_; }
  size_t reserved() const { return reserved_; }  // bytes held from the device, live or cached
  uint64_t allocations() const { return allocations_; }
  void resetPeak() { peak_ = used_; }

 private:
  int classOf(size_t bytes) const;
  size_t bytesOf(int sizeClass) const;
  void* fromSlab(int sizeClass);

  Backend& backend_;
  Latch latch_;
  std::vector<std::vector<void*>> free_;  // per size class
  std::vector<std::pair<void*, size_t>> slabs_;
  char* slab_ = nullptr;
  size_t slabLeft_ = 0;
  size_t limit_, used_ = 0, peak_ = 0, reserved_ = 0;
  uint64_t allocations_ = 0;
};

}  // namespace needletail
