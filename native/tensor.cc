#include "tensor.h"

#include <atomic>

#include "autograd.h"
#include "device.h"

namespace needletail {

// Each thread counts in a range of its own.
static NEEDLETAIL_THREAD uint64_t nextStorage = 0;
uint64_t Storage::nextId() {
  static std::atomic<uint64_t> threads{0};
  if (nextStorage == 0) [[unlikely]]
    nextStorage = ++threads << 40;
  return nextStorage;
}

Storage::Storage(Device& device, size_t bytes)
    : device(device), data(device.allocate(bytes)), bytes(bytes), id(nextId()) {
  nextStorage++;
  // No kernel ever writes to it, so a failure that spoilt the memory before would stay.
  if (bytes == 0)
    device.queue.push([queue = &device.queue, memory = data](Stream&) { queue->heal(memory); }, 20, false);
}
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
