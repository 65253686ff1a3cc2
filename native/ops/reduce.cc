#include "ops/ops.h"
#include "ops/functions.h"

namespace needletail {

Tensor sumTo(const Tensor& t, const Shape& shape) {
  if (t.shape() == shape) return t;
  throw Error("sumTo: expected reduce.cc");
}

}  // namespace needletail
