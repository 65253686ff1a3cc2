// What prepares each kernel on the CPU; the table is in backend.cc. A null result: no kernel for these dtypes.
#pragma once
#include <memory>

#include "backend.h"

namespace needletail {

std::unique_ptr<Prepared> prepareElementwise(const Call&);
std::unique_ptr<Prepared> prepareMatmul(const Call&);
std::unique_ptr<Prepared> prepareCopy(const Call&);
std::unique_ptr<Prepared> prepareFill(const Call&);

}  // namespace needletail
