// copy and fill.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"

namespace needletail::cuda {

namespace {

struct CopyRun final : Prepared {
  size_t bytes;
  void run(Stream& stream, void* const* buffers) override {
    if (buffers[0] != buffers[1]) copyWithin(stream, buffers[1], buffers[0], bytes);
  }
};

template <class T>
struct FillBody {
  T* out;
  T value;
  NT_INLINE void operator()(int64_t i) const { out[i] = value; }
};

template <class T>
struct FillRun final : Prepared {
  T value;
  int64_t n;
  void run(Stream& stream, void* const* buffers) override {
    each(stream, n, FillBody<T>{static_cast<T*>(buffers[0]), value});
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareCopy(const Call& call) {
  auto run = std::make_unique<CopyRun>();
  run->bytes = call.in[0].bytes();
  return run;
}

std::unique_ptr<Prepared> prepareFill(const Call& call) {
  const Spec& out = call.out[0];
  const uint64_t bits = bitsOf(out.dtype, read<Fill>(call.params).value);
  return dispatchSize(out.dtype, [&](auto tag) -> std::unique_ptr<Prepared> {
    using T = typename decltype(tag)::type;
    auto run = std::make_unique<FillRun<T>>();
    run->value = static_cast<T>(bits);
    run->n = out.elements();
    return run;
  });
}

}  // namespace needletail::cuda
