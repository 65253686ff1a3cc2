// A vector that keeps its first N elements inside itself: argument lists are short and built on every call.
#pragma once
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <new>
#include <utility>

namespace needletail {

template <class T, size_t N>
class SmallVector {
 public:
  SmallVector() {}  // not defaulted: `{}` would clear the storage
  SmallVector(std::initializer_list<T> items) {
    reserve(items.size());
    for (const T& item : items) push_back(item);
  }
  explicit SmallVector(size_t count, const T& value = T()) { resize(count, value); }
  template <class Iterator>
  SmallVector(Iterator first, Iterator last) {
    for (; first != last; ++first) push_back(*first);
  }
  SmallVector(const SmallVector& other) {
    reserve(other.size_);
    for (const T& item : other) push_back(item);
  }
  SmallVector(SmallVector&& other) noexcept { take(other); }
  SmallVector& operator=(const SmallVector& other) {
    if (this != &other) {
      clear();
      reserve(other.size_);
      for (const T& item : other) push_back(item);
    }
    return *this;
  }
  SmallVector& operator=(SmallVector&& other) noexcept {
    if (this != &other) {
      clear();
      release();
      take(other);
    }
    return *this;
  }
  ~SmallVector() {
    clear();
    release();
  }

  void push_back(T&& item) {
    if (size_ == capacity_) return push_back(T(std::move(item)), capacity_ * 2);
    new (data_ + size_++) T(std::move(item));
  }
  void push_back(const T& item) {
    if (size_ == capacity_) return push_back(T(item), capacity_ * 2);
    new (data_ + size_++) T(item);
  }
  void reserve(size_t capacity) {
    if (capacity <= capacity_) return;
    T* grown = static_cast<T*>(::operator new(capacity * sizeof(T), std::align_val_t(alignof(T))));
    for (size_t i = 0; i < size_; i++) {
      new (grown + i) T(std::move(data_[i]));
      data_[i].~T();
    }
    release();
    data_ = grown;
    capacity_ = capacity;
  }
  void resize(size_t count, const T& value = T()) {
    reserve(count);
    while (size_ > count) data_[--size_].~T();
    while (size_ < count) new (data_ + size_++) T(value);
  }
  void clear() {
    while (size_ > 0) data_[--size_].~T();
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }

 private:
  T* local() { return reinterpret_cast<T*>(storage_); }
  // By value: the item may be one of the vector's own.
  void push_back(T item, size_t capacity) {
    reserve(capacity);
    new (data_ + size_++) T(std::move(item));
  }
  void release() {
    if (data_ != local()) ::operator delete(data_, std::align_val_t(alignof(T)));
    data_ = local();
    capacity_ = N;
  }
  void take(SmallVector& other) {
    if (other.data_ != other.local()) {
      data_ = other.data_;
      capacity_ = other.capacity_;
      size_ = other.size_;
      other.data_ = other.local();
      other.capacity_ = N;
      other.size_ = 0;
    } else {
      for (T& item : other) push_back(std::move(item));
      other.clear();
    }
  }

  alignas(T) std::byte storage_[N * sizeof(T)];
  T* data_ = local();
  size_t size_ = 0;
  size_t capacity_ = N;
};

}  // namespace needletail
