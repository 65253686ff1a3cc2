#include "allocator.h"

#include <algorithm>
#include <mutex>

namespace needletail {

namespace {
constexpr size_t kSlab = size_t{1} << 20;
constexpr size_t kSlabLimit = kSlab / 4;  // larger blocks come from the device one by one
constexpr int kClasses = 4 * 48;
}  // namespace

Allocator::Allocator(Backend& backend)
    : backend_(backend), free_(kClasses), limit_((backend.enter(), backend.memory().limit)) {}

// Four classes to an octave, from the device's alignment: at most a quarter of a block is unused.
int Allocator::classOf(size_t bytes) const {
  const size_t unit = backend_.alignment;
  if (bytes <= unit) return 0;
  const size_t units = (bytes + unit - 1) / unit;  // >= 2
  if (units <= 4) return static_cast<int>(units - 1);
  const int octave = 63 - __builtin_clzll(units);  // 2^octave <= units
  const size_t step = size_t{1} << (octave - 2);
  const size_t quarter = (units - (size_t{1} << octave) + step - 1) / step;  // 0..4
  return (octave - 1) * 4 + static_cast<int>(quarter) - 1;
}

size_t Allocator::bytesOf(int sizeClass) const {
  const size_t unit = backend_.alignment;
  if (sizeClass < 4) return (sizeClass + 1) * unit;
  const int octave = (sizeClass + 1) / 4 + 1, quarter = (sizeClass + 1) % 4;
  return ((size_t{1} << octave) + quarter * (size_t{1} << (octave - 2))) * unit;
}

void* Allocator::fromSlab(int sizeClass) {
  const size_t bytes = bytesOf(sizeClass);
  if (slabLeft_ < bytes) {
    if (reserved_ + kSlab > limit_) return nullptr;
    void* memory = backend_.allocate(kSlab);
    if (!memory) return nullptr;
    slabs_.emplace_back(memory, kSlab);
    reserved_ += kSlab;
    slab_ = static_cast<char*>(memory);
    slabLeft_ = kSlab;
  }
  void* block = slab_;
  slab_ += bytes;
  slabLeft_ -= bytes;
  return block;
}

void* Allocator::allocate(size_t bytes) {
  if (bytes > (size_t{1} << 46)) return nullptr;
  const int sizeClass = classOf(bytes);
  const size_t size = bytesOf(sizeClass);
  std::lock_guard lock(latch_);
  backend_.enter();
  void* block = nullptr;
  auto& list = free_[sizeClass];
  if (!list.empty()) {
    block = list.back();
    list.pop_back();
  } else if (size <= kSlabLimit) {
    block = fromSlab(sizeClass);
  } else if (reserved_ + size <= limit_ && (block = backend_.allocate(size))) {
    reserved_ += size;
  }
  if (!block) return nullptr;
  used_ += size;
  peak_ = std::max(peak_, used_);
  allocations_++;
  return block;
}

void Allocator::release(void* memory, size_t bytes) {
  const int sizeClass = classOf(bytes);
  std::lock_guard lock(latch_);
  used_ -= bytesOf(sizeClass);
  free_[sizeClass].push_back(memory);
}

void Allocator::trim() {
  std::lock_guard lock(latch_);
  backend_.enter();
  for (int c = 0; c < kClasses; c++) {
    const size_t size = bytesOf(c);
    if (size <= kSlabLimit) continue;
    for (void* memory : free_[c]) {
      backend_.release(memory, size);
      reserved_ -= size;
    }
    free_[c].clear();
    free_[c].shrink_to_fit();
  }
}

}  // namespace needletail
