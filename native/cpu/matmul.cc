// matmul on the CPU: plain loops for small products.
#include <algorithm>
#include <vector>

#include "cpu/cpu.h"
#include "cpu/dtype.h"
#include "cpu/kernels.h"

namespace needletail {

namespace {

// Element strides of a batch of matrices; a stride of 0 broadcasts.
struct SmallMatmul final : Prepared {
  DType dtype;
  int64_t m, n, k, batches;
  int64_t aRow, aColumn, bRow, bColumn;
  std::vector<int64_t> aBatch, bBatch;
  Epilogue epilogue;

  template <class T>
  void compute(void* const* buffers) const {
    const T *a = static_cast<const T*>(buffers[0]), *b = static_cast<const T*>(buffers[1]);
    const T* bias = epilogue.bias ? static_cast<const T*>(buffers[2]) : nullptr;
    T* y = static_cast<T*>(buffers[epilogue.bias ? 3 : 2]);
    std::vector<float> row(n);
    for (int64_t batch = 0; batch < batches; batch++) {
      const T *A = a + aBatch[batch], *B = b + bBatch[batch];
      for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) row[j] = 0;
        for (int64_t l = 0; l < k; l++) {
          const float x = static_cast<float>(A[i * aRow + l * aColumn]);
          for (int64_t j = 0; j < n; j++) row[j] += x * static_cast<float>(B[l * bRow + j * bColumn]);
        }
        for (int64_t j = 0; j < n; j++) {
          float v = row[j] + (bias ? static_cast<float>(bias[j]) : 0);
          if (epilogue.activation == Activation::relu) v = v > 0 ? v : 0;
          y[(batch * m + i) * n + j] = T(v);
        }
      }
    }
  }
  void run(Stream&, void* const* buffers) override {
    if (dtype == DType::float32) compute<float>(buffers);
    else if (dtype == DType::bfloat16) compute<BFloat16>(buffers);
    else compute<Float16>(buffers);
  }
};

}  // namespace

std::unique_ptr<Prepared> prepareMatmul(const Call& call) {
  const auto params = read<Matmul>(call.params);
  const Shape &a = call.in[0].shape, &b = call.in[1].shape, &out = call.out[0].shape;
  auto run = std::make_unique<SmallMatmul>();
  run->dtype = call.out[0].dtype;
  run->epilogue = params.epilogue;
  run->m = out.fromEnd(2);
  run->n = out.fromEnd(1);
  run->k = a.fromEnd(params.transposeA ? 2 : 1);
  run->aRow = params.transposeA ? 1 : run->k;
  run->aColumn = params.transposeA ? run->m : 1;
  run->bRow = params.transposeB ? 1 : run->n;
  run->bColumn = params.transposeB ? run->k : 1;
  run->batches = out.product(0, out.rank() - 2);
  for (int64_t batch = 0; batch < run->batches; batch++) {
    int64_t rest = batch, offsets[2] = {0, 0}, strides[2] = {run->m * run->k, run->k * run->n};
    for (int axis = 3; axis <= out.rank(); axis++) {
      const int64_t index = rest % out.fromEnd(axis);
      rest /= out.fromEnd(axis);
      const Shape* shapes[2] = {&a, &b};
      for (int s = 0; s < 2; s++) {
        if (axis > shapes[s]->rank()) continue;
        if (shapes[s]->fromEnd(axis) != 1) offsets[s] += index * strides[s];
        strides[s] *= shapes[s]->fromEnd(axis);
      }
    }
    run->aBatch.push_back(offsets[0]);
    run->bBatch.push_back(offsets[1]);
  }
  run->cost = 80 + 0.5 * run->m * run->n * run->k * run->batches;
  run->threadBound = run->cost > kParallelCost;
  return run;
}

}  // namespace needletail
