// The tensors that one JavaScript thread holds, by integer handle. A handle is block * 64 + slot. A block is freed as a
// whole once JavaScript has let go of the object that its tensors share (the owner asks through `alive`), so that a
// slot is never reused while somebody may still name it. Large tensors get a block of their own, in its last slot.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "tensor.h"

namespace needletail {

class Handles {
 public:
  static constexpr int kSlots = 64, kSolo = kSlots - 1;
  static constexpr size_t kLarge = 1 << 15;  // bytes from which one survivor must not pin others

  // Whether JavaScript still holds the block's object; told apart by the addon.
  using Alive = bool (*)(void* context, void* reference);
  using Forget = void (*)(void* context, void* reference);
  Handles(void* context, Alive alive, Forget forget) : context_(context), alive_(alive), forget_(forget) {}

  int32_t add(Tensor tensor) {
    const bool large = tensor.storage() && tensor.storage()->bytes >= kLarge;
    bytes_ += large ? tensor.storage()->bytes : 0;
    int block = current_, slot = next_;
    if (large) {
      block = open();
      slot = kSolo;
    } else {
      if (current_ < 0 || next_ == kSolo) {
        current_ = open();
        next_ = 0;
      }
      block = current_;
      slot = next_++;
    }
    blocks_[block]->slots[slot] = std::move(tensor);
    live_++;
    return block * kSlots + slot;
  }

  // Null for a handle that is not one, or whose tensor was disposed of.
  const Tensor* find(int32_t handle) const {
    const uint32_t block = static_cast<uint32_t>(handle) / kSlots;
    if (handle < 0 || block >= blocks_.size() || !blocks_[block]) return nullptr;
    const Tensor& t = blocks_[block]->slots[handle % kSlots];
    return t ? &t : nullptr;
  }

  void dispose(int32_t handle) {
    if (!find(handle)) return;
    blocks_[handle / kSlots]->slots[handle % kSlots] = Tensor();
    live_--;
  }

  // The object that the block's tensors share has been made.
  void adopt(int block, void* reference) {
    if (block >= 0 && block < static_cast<int>(blocks_.size()) && blocks_[block])
      blocks_[block]->reference = reference;
    else
      forget_(context_, reference);
  }

  // What a block's tensors take; an estimate where most of them are yet to come.
  size_t bytes(int block) const {
    const Tensor* large = find(block * kSlots + kSolo);
    return large ? large->storage()->bytes : kLarge;
  }

  // Frees blocks that JavaScript has let go: all of them, or the next few in turn.
  void poll(int count) {
    for (; count > 0 && !blocks_.empty(); count--) {
      cursor_ = (cursor_ + 1) % blocks_.size();
      auto& block = blocks_[cursor_];
      if (!block || !block->reference || alive_(context_, block->reference)) continue;
      forget_(context_, block->reference);
      for (Tensor& t : block->slots) live_ -= t ? 1 : 0;
      if (static_cast<int>(cursor_) == current_) current_ = -1;
      for (Tensor& t : block->slots) t = Tensor();
      block->reference = nullptr;
      spare_.push_back(std::move(block));
      freeBlocks_.push_back(static_cast<int>(cursor_));
    }
  }
  void pollAll() { poll(static_cast<int>(blocks_.size())); }

  int64_t live() const { return live_; }
  void clear() {
    for (auto& block : blocks_) {
      if (block && block->reference) forget_(context_, block->reference);
      block.reset();
    }
    blocks_.clear();
    freeBlocks_.clear();
    current_ = -1;
    live_ = 0;
  }

 private:
  static constexpr size_t kPollBytes = size_t{32} << 20;
  struct Block {
    Tensor slots[kSlots];
    void* reference = nullptr;
  };
  int open() {
    if (bytes_ > kPollBytes) {
      bytes_ = 0;
      pollAll();
    } else {
      poll(2);  // more than the one that is opened: none are left over
    }
    int block;
    if (freeBlocks_.empty()) {
      block = static_cast<int>(blocks_.size());
      blocks_.push_back(nullptr);
    } else {
      block = freeBlocks_.back();
      freeBlocks_.pop_back();
    }
    if (spare_.empty()) {
      blocks_[block] = std::make_unique<Block>();
    } else {
      blocks_[block] = std::move(spare_.back());
      spare_.pop_back();
    }
    return block;
  }

  void* context_;
  Alive alive_;
  Forget forget_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<std::unique_ptr<Block>> spare_;
  std::vector<int> freeBlocks_;
  int current_ = -1, next_ = 0;
  size_t cursor_ = 0, bytes_ = 0;
  int64_t live_ = 0;
};

}  // namespace needletail
