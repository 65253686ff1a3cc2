// A tensor: dense, row-major, on one device. Lives on the thread of its JavaScript environment; only addresses go to
// queues.
#pragma once
#include <cstdint>
#include <utility>

#include "spec.h"

namespace needletail {

class Device;
struct Node;

// Counted without atomics: an object belongs to one thread.
struct Counted {
  int references = 0;
};

// Memory for objects of one type, kept for the next: they come and go by the million.
template <class T>
struct Pooled : Counted {
#if !defined(__SANITIZE_ADDRESS__)  // which sees more when each object has memory of its own
  static void* operator new(size_t bytes) {
    auto& list = spare();
    if (!list.head) return ::operator new(bytes);
    void* memory = list.head;
    list.head = *static_cast<void**>(memory);
    return memory;
  }
  static void operator delete(void* memory) {
    auto& list = spare();
    *static_cast<void**>(memory) = list.head;
    list.head = memory;
  }

 private:
  struct List {
    void* head = nullptr;
  };
  static List& spare() {
    static NEEDLETAIL_THREAD List list;
    return list;
  }
#endif
};

template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(T* object) : object_(object) {
    if (object_) object_->references++;
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ && --object_->references == 0) delete object_;
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

// Memory of a device. Given back to the pool when the last tensor lets go: the queue is in order, so whoever gets the
// block next uses it after all that was enqueued before.
struct Storage final : Pooled<Storage> {
  Storage(Device& device, size_t bytes);
  ~Storage();
  Device& device;
  void* data;
  size_t bytes;
  uint64_t id;  // never reused: names the storage in a recording
  static uint64_t nextId();
  bool left = false;  // a tensor has left it for another device
  // Counts what was written to it: backward over a saved tensor that was changed is an error, and a Program keeps what
  // follows from its value until it changes.
  uint64_t version = 0;
};

struct TensorBody final : Pooled<TensorBody> {
  Spec spec;
  Ref<Storage> storage;  // none: an immediate number
  double number = 0;  // the value of an immediate
  Ref<Node> node;  // what made it, or a leaf's own node; none: no gradient flows
  int output = 0;  // which result of the node
  TensorBody();
  ~TensorBody();
};

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(TensorBody* body) : body_(body) {}
  // A number that takes part in arithmetic without memory of its own; `dtype` is its partner's.
  static Tensor immediate(double value, DType dtype);
  static Tensor make(const Spec& spec, Ref<Storage> storage);

  explicit operator bool() const { return static_cast<bool>(body_); }
  const Spec& spec() const { return body_->spec; }
  const Shape& shape() const { return body_->spec.shape; }
  DType dtype() const { return body_->spec.dtype; }
  int rank() const { return shape().rank(); }
  int64_t elements() const { return shape().elements(); }
  bool isImmediate() const { return !body_->storage; }
  double number() const { return body_->number; }
  Storage* storage() const { return body_->storage.get(); }
  bool requiresGradient() const { return static_cast<bool>(body_->node); }
  TensorBody* body() const { return body_.get(); }
  // The same values without history.
  Tensor detached() const { return make(spec(), body_->storage); }

 private:
  Ref<TensorBody> body_;
};
using Tensors = SmallVector<Tensor, 4>;

}  // namespace needletail
