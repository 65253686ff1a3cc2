#include "transfer.h"

#include <memory>
#include <new>
#include <string>

#include "autograd.h"

namespace needletail {

Tensor copiedTo(const Tensor& tensor, Device& device) {
  Storage& from = *tensor.storage();
  if (&from.device == &device) return tensor;
  const size_t bytes = tensor.spec().bytes();
  Ref<Storage> to(new Storage(device, bytes));
  to->version++;
  if (from.device.backend.stream) {
    std::unique_ptr<char[]> host(new (std::nothrow) char[bytes]);
    if (!host)
      throw Error("to: expected memory for " + std::to_string(bytes) + " bytes on the way, got none.", Fault::memory);
    from.device.queue.readSync(host.get(), from.data, bytes);
    if (bytes) device.queue.write(to->data, host.get(), bytes);
  } else {
    from.device.queue.wait();
    if (Failure failure = from.device.queue.failureOf(from.data)) throw *failure;
    if (bytes) device.queue.write(to->data, from.data, bytes);
  }
  Tensor out = Tensor::make(tensor.spec(), std::move(to));
  if (gradientMode() && tensor.requiresGradient()) {
    Tensors results{out};
    recordCustom("to", {tensor}, results,
                 [&back = from.device](const Tensors& gradients) { return Tensors{copiedTo(gradients[0], back)}; });
    return results[0];
  }
  return out;
}

}  // namespace needletail
