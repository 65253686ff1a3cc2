// cast and iota.
#include <algorithm>
#include <vector>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/isa/convert.h"
#include "cpu/kernels.h"

namespace needletail {

namespace {

constexpr int64_t kChunk = int64_t{1} << 14;

struct CastRun final : Prepared {
  struct Chunk {
    int tensor;
    int64_t first, n;
  };
  CastLoop loop;
  size_t fromSize, toSize;
  int tensors;
  std::vector<Chunk> chunks;
  bool parallel;
  void run(Stream&, void* const* buffers) override {
    const int count = static_cast<int>(chunks.size());
#pragma omp parallel for schedule(static) num_threads(threads()) if (parallel)
    for (int i = 0; i < count; i++) {
      const auto [tensor, first, n] = chunks[i];
      loop(static_cast<const char*>(buffers[tensor]) + first * fromSize,
           static_cast<char*>(buffers[tensors + tensor]) + first * toSize, n);
    }
  }
};

struct IotaRun final : Prepared {
  DType dtype;
  double start, step;
  int64_t n;
  void run(Stream&, void* const* buffers) override {
    dispatch(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      T* y = static_cast<T*>(buffers[0]);
      for (int64_t i = 0; i < n; i++) {
        const double v = start + static_cast<double>(i) * step;
        if constexpr (std::is_class_v<T>)
          y[i] = T(static_cast<float>(v));
        else
          y[i] = static_cast<T>(v);
      }
    });
  }
};

}  // namespace

void halfToFloat(DType dtype, const void* from, float* to, int64_t n) {
  castLoopForIsa()(dtype, DType::float32)(from, to, n);
}
void floatToHalf(DType dtype, const float* from, void* to, int64_t n) {
  castLoopForIsa()(DType::float32, dtype)(from, to, n);
}

std::unique_ptr<Prepared> prepareCast(const Call& call) {
  auto run = std::make_unique<CastRun>();
  const DType from = call.in[0].dtype, to = call.out[0].dtype;
  run->loop = castLoopForIsa()(from, to);
  run->fromSize = size(from);
  run->toSize = size(to);
  run->tensors = static_cast<int>(call.in.size());
  double total = 0;
  for (int k = 0; k < run->tensors; k++) {
    const int64_t n = call.in[k].elements();
    for (int64_t first = 0; first < n; first += kChunk) run->chunks.push_back({k, first, std::min(kChunk, n - first)});
    total += static_cast<double>(n);
  }
  run->cost = 50 + total * 0.5;
  run->parallel = worthParallel(run->cost);
  run->threadBound = run->parallel;
  return run;
}

std::unique_ptr<Prepared> prepareIota(const Call& call) {
  const auto params = read<Iota>(call.params);
  auto run = std::make_unique<IotaRun>();
  run->dtype = call.out[0].dtype;
  run->start = params.start;
  run->step = params.step;
  run->n = call.out[0].elements();
  run->cost = 40 + static_cast<double>(run->n);
  return run;
}

}  // namespace needletail
