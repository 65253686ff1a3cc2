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
  DType from, to;
  NT_INLINE void convert(const void* in, void* out, int64_t i) const {
    const From value = load<From>(in, from, i);
    if (to == DType::boolean)
      static_cast<uint8_t*>(out)[i] = value != 0;
    else
      store<To>(out, to, i, converted<To>(value));
  }
};

template <class From, class To>
struct CastOne : CastBody<From, To> {
  const void* in;
  void* out;
  NT_INLINE void operator()(int64_t i) const { this->convert(in, out, i); }
};

constexpr int64_t kChunk = 4 * kThreads;
constexpr int kMost = 96;  // tensors of one launch: their addresses travel with it

// Each block has a chunk of one tensor. Among floats, as mixed precision casts weights.
struct CastMany {
  CastBody<float, float> cast;
  struct Pair {
    const void* in;
    void* out;
    int64_t n, chunk;  // elements; the number of its first chunk
  } of[kMost];
  int count;
  NT_INLINE void operator()(const Block& block) const {
    int k = 0;
    while (k + 1 < count && block.index >= of[k + 1].chunk) k++;
    const Pair& own = of[k];
    const int64_t first = (block.index - own.chunk) * kChunk;
    const int64_t last = first + kChunk < own.n ? first + kChunk : own.n;
    block.each([&](int t) {
      for (int64_t i = first + t; i < last; i += kThreads) cast.convert(own.in, own.out, i);
    });
  }
};

template <class From, class To>
struct CastRun final : Prepared {
  CastBody<From, To> cast;
  SmallVector<int64_t, 8> n;  // of each tensor
  void run(Stream& stream, void* const* buffers) override {
    const int count = static_cast<int>(n.size());
    if constexpr (std::is_same_v<From, float> && std::is_same_v<To, float>) {
      if (count > 1) return many(stream, buffers, count);
    }
    for (int k = 0; k < count; k++) {
      CastOne<From, To> body;
      static_cast<CastBody<From, To>&>(body) = cast;
      body.in = buffers[k], body.out = buffers[count + k];
      each(stream, n[k], body);
    }
  }

 private:
  void many(Stream& stream, void* const* buffers, int count) const {
    for (int begin = 0; begin < count; begin += kMost) {
      CastMany body{};
      body.cast = {cast.from, cast.to};
      int64_t chunks = 0;
      for (int k = begin; k < std::min(count, begin + kMost); k++) {
        body.of[body.count++] = {buffers[k], buffers[count + k], n[k], chunks};
        chunks += (n[k] + kChunk - 1) / kChunk;
      }
      blocks(stream, chunks, body);
    }
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
      run->cast = {from, to};
      for (const Spec& spec : call.in) run->n.push_back(spec.elements());
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
