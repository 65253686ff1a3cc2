// copy and fill.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/kernels.h"

namespace needletail {

namespace {

struct CopyRun final : Prepared {
  size_t bytes;
  void run(Stream&, void* const* buffers) override { std::memmove(buffers[1], buffers[0], bytes); }
};

struct FillRun final : Prepared {
  DType dtype;
  double value;
  int64_t n;
  void run(Stream&, void* const* buffers) override {
    dispatch(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      T v;
      if constexpr (std::is_class_v<T>) v = T(static_cast<float>(value));
      else if constexpr (std::is_integral_v<T>) v = static_cast<T>(static_cast<int64_t>(value));
      else v = static_cast<T>(value);
      std::fill_n(static_cast<T*>(buffers[0]), n, v);
    });
  }
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
  run->dtype = call.out[0].dtype;
  run->value = read<Fill>(call.params).value;
  // A number that an integer can't hold: the nearest that it can.
  if (!isFloat(run->dtype)) run->value = std::isnan(run->value) ? 0 : std::clamp(run->value, -9.2e18, 9.2e18);
  if (run->dtype == DType::boolean) run->value = run->value != 0;
  run->n = call.out[0].elements();
  run->cost = 40 + call.out[0].bytes() * 0.1;
  return run;
}

}  // namespace needletail
