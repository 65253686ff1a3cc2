// Copies between devices.
#pragma once
#include "device.h"
#include "tensor.h"

namespace needletail {

// The same values on that device, differentiable; the tensor itself if it is there. Waits for the values.
Tensor copiedTo(const Tensor& tensor, Device& device);

}  // namespace needletail
