#include "tensor.h"

#include <atomic>

#include "autograd.h"
#include "device.h"

namespace needletail {

static std::atomic<uint64_t> nextStorage{1};

Storage::Storage(Device& device, size_t bytes)
    : device(device),
      data(device.allocate(bytes)),
      bytes(bytes),
      id(nextStorage.fetch_add(1, std::memory_order_relaxed)) {
  // No kernel ever writes to it, so a failure that spoilt the memory before would stay.
  if (bytes == 0)
    device.queue.push([queue = &device.queue, memory = data](Stream&) { queue->heal(memory); }, 20, false);
}
uint64_t Storage::nextId() { return nextStorage.load(std::memory_order_relaxed); }
Storage::~Storage() { device.allocator.release(data, bytes); }

TensorBody::TensorBody() = default;
TensorBody::~TensorBody() = default;

Tensor Tensor::immediate(double value, DType dtype) {
  auto* body = new TensorBody();
  body->spec.dtype = dtype;
  body->number = value;
  return Tensor(body);
}

Tensor Tensor::make(const Spec& spec, Ref<Storage> storage) {
  auto* body = new TensorBody();
  body->spec = spec;
  body->storage = std::move(storage);
  return Tensor(body);
}

}  // namespace needletail
