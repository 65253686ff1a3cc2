// copy and fill.
#include <cstring>

#include "cpu/kernels.h"
#include "cpu/strided.h"
#include "types.h"

namespace needletail {

namespace {

struct CopyRun final : Prepared {
  size_t bytes;
  void run(Stream&, void* const* buffers) override { std::memmove(buffers[1], buffers[0], bytes); }
};

struct FillRun final : Prepared {
  size_t elementSize;
  uint64_t bits;
  int64_t n;
  void run(Stream&, void* const* buffers) override { fillElements(elementSize, bits, buffers[0], n); }
};

}  // namespace

std::unique_ptr<Prepared> prepareCopy(const Call& call) {
  auto run = std::make_unique<CopyRun>();
  run->bytes = call.in[0].bytes();
  run->cost = 40 + run->bytes * 0.1;
  return run;
}

std::unique_ptr<Prepared> prepareFill(const Call& call) {
  auto run = std::make_unique<FillRun>();
  run->elementSize = size(call.out[0].dtype);
  run->bits = bitsOf(call.out[0].dtype, read<Fill>(call.params).value);
  run->n = call.out[0].elements();
  run->cost = 40 + call.out[0].bytes() * 0.1;
  return run;
}

}  // namespace needletail
