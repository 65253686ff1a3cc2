// cast and iota.
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/load.h"

namespace needletail::cuda {

namespace {

template <class To, class From>
NT_INLINE To converted(From value) {
  if constexpr (std::is_same_v<From, float> && std::is_integral_v<To>)
    return saturate<To>(value);
  else
    return static_cast<To>(value);  // integers wrap
}

template <class From, class To>
struct CastBody {
  const void* in;
  void* out;
  DType from, to;
  NT_INLINE void operator()(int64_t i) const {
    const From value = load<From>(in, from, i);
    if (to == DType::boolean)
      static_cast<uint8_t*>(out)[i] = value != 0;
    else
      store<To>(out, to, i, converted<To>(value));
  }
};

template <class From, class To>
struct CastRun final : Prepared {
  DType from, to;
  int64_t n;
  void run(Stream& stream, void* const* buffers) override {
    each(stream, n, CastBody<From, To>{buffers[0], buffers[1], from, to});
  }
};

template <class T>
struct IotaBody {
  void* out;
  DType dtype;
  double start, step;
  NT_INLINE void operator()(int64_t i) const {
    store<T>(out, dtype, i, static_cast<T>(start + static_cast<double>(i) * step));
  }
};

template <class T>
struct IotaRun final : Prepared {
  DType dtype;
  double start, step;
  int64_t n;
  void run(Stream& stream, void* const* buffers) override {
    each(stream, n, IotaBody<T>{buffers[0], dtype, start, step});
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareCast(const Call& call) {
  const DType from = call.in[0].dtype, to = call.out[0].dtype;
  return dispatchCompute(from, [&](auto in) {
    return dispatchCompute(to, [&](auto out) -> std::unique_ptr<Prepared> {
      auto run = std::make_unique<CastRun<typename decltype(in)::type, typename decltype(out)::type>>();
      run->from = from;
      run->to = to;
      run->n = call.in[0].elements();
      return run;
    });
  });
}

std::unique_ptr<Prepared> prepareIota(const Call& call) {
  const auto params = read<Iota>(call.params);
  const Spec& out = call.out[0];
  return dispatchCompute(out.dtype, [&](auto tag) -> std::unique_ptr<Prepared> {
    auto run = std::make_unique<IotaRun<typename decltype(tag)::type>>();
    run->dtype = out.dtype;
    run->start = params.start;
    run->step = params.step;
    run->n = out.elements();
    return run;
  });
}

}  // namespace needletail::cuda
