// What prepares each kernel on a GPU. A null result: no kernel for these dtypes.
#pragma once
#include <memory>

#include "backend.h"

namespace needletail::cuda {

#define K(name, function) std::unique_ptr<Prepared> function(const Call&);
NEEDLETAIL_KERNELS(K)
#undef K

}  // namespace needletail::cuda
