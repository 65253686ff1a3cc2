// cast and iota.
#include "cuda/chunks.h"
#include "cuda/kernels.h"
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

struct CastRun : Prepared {
  DType from, to;
  SmallVector<int64_t, 8> n;  // of each tensor
  int64_t elements = 0;  // of all
  explicit CastRun(const Call& call) : from(call.in[0].dtype), to(call.out[0].dtype) {
    for (const Spec& spec : call.in) n.push_back(spec.elements()), elements += spec.elements();
  }
  int count() const { return static_cast<int>(n.size()); }
};

template <class From, class To>
struct CastEach final : CastRun {
  using CastRun::CastRun;
  void run(Stream& stream, void* const* buffers) override {
    for (int k = 0; k < count(); k++) {
      each(stream, n[k], CastBody<From, To>{buffers[k], buffers[count() + k], from, to});
    }
  }
};

// Floats to floats, as mixed precision casts weights: all in one launch.
struct Pair {
  const void* in;
  void* out;
};
template <class Pairs>
struct CastFloatsBody {
  DType from, to;
  Pairs pairs;
  NT_INLINE void operator()(const Block& block) const {
    pairs.each(block, [&](const Pair& own, int64_t i, auto size) {
      float values[decltype(size)::value];
      loadFloats(own.in, from, i, values);
      storeFloats(own.out, to, i, values);
    });
  }
};
struct CastFloats final : CastRun {
  using CastRun::CastRun;
  void run(Stream& stream, void* const* buffers) override {
    inLaunches<Pair>(count(), elements, [&](auto pairs, int first, int now) {
      for (int k = first; k < first + now; k++) pairs.add({buffers[k], buffers[count() + k]}, n[k]);
      blocks(stream, pairs.total, CastFloatsBody<decltype(pairs)>{from, to, pairs});
    });
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
  if (isFloat(from) && isFloat(to)) return std::make_unique<CastFloats>(call);
  return dispatchCompute(from, [&](auto in) {
    return dispatchCompute(to, [&](auto out) -> std::unique_ptr<Prepared> {
      return std::make_unique<CastEach<typename decltype(in)::type, typename decltype(out)::type>>(call);
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
