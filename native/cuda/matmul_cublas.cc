// matmul through cuBLASLt.
#include <cublasLt.h>
#include <dlfcn.h>

#include <limits>
#include <sstream>
#include <vector>

#include "cuda/libraries.h"
#include "cuda/matmul.h"
#include "cuda/plans.h"
#include "cuda/runtime.h"
#include "cuda/trial.h"

namespace needletail::cuda {

namespace {

constexpr uint64_t kMostWorkspace = 32 << 20;  // what NVIDIA advises for Hopper
constexpr int kMeasured = 12;  // algorithms that are tried when plans are measured, those that cuBLASLt thinks fastest
constexpr float kOne = 1, kZero = 0;

// The functions of the library that was opened at run time, under the names of its header.
struct Api {
#define NT_CUBLASLT(F)                 \
  F(cublasLtCreate)                    \
  F(cublasLtGetStatusString)           \
  F(cublasLtMatmul)                    \
  F(cublasLtMatmulDescInit_internal)   \
  F(cublasLtMatmulDescSetAttribute)    \
  F(cublasLtMatrixLayoutInit_internal) \
  F(cublasLtMatrixLayoutSetAttribute)  \
  F(cublasLtMatmulPreferenceInit_internal) F(cublasLtMatmulPreferenceSetAttribute) F(cublasLtMatmulAlgoGetHeuristic)
#define F(name) decltype(&::name) name;
  NT_CUBLASLT(F)
#undef F
  Api() {
    void* opened = library(Library::cublasLt);
    auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(opened, name));
      if (!function)
        throw Error(std::string("cuBLASLt: expected the function ") + name + ", found none. Update cuBLAS.");
    };
#define F(name) find(name, #name);
    NT_CUBLASLT(F)
#undef F
  }
  static const Api& get() {
    static const Api api;
    return api;
  }
};

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(std::string("cuBLASLt: ") + what + ": " + Api::get().cublasLtGetStatusString(status), Fault::device);
}

cublasLtHandle_t handle() {
  static OfDevices<cublasLtHandle_t> made;
  return made.current([] {
    cublasLtHandle_t own = nullptr;
    check(Api::get().cublasLtCreate(&own), "create");
    return own;
  });
}

cudaDataType_t typeOf(DType dtype) {
  switch (dtype) {
    case DType::bfloat16: return CUDA_R_16BF;
    case DType::float16: return CUDA_R_16F;
    default: return CUDA_R_32F;
  }
}

// cuBLASLt thinks in columns: to it a matrix stored by rows is its own transpose, and out = a b is out' = b' a'. So b
// comes first, and the bias, which it adds along the columns of out', runs along n. (With its layouts by rows there is
// no bias.)
struct CublasMatmul final : Prepared {
  MatmulShape s;
  cublasLtHandle_t handle;
  cublasLtMatmulDescOpaque_t product;
  cublasLtMatrixLayoutOpaque_t a, b, out;
  cublasLtMatmulAlgo_t algorithm;
  int64_t inner = 1;  // batches of one call; the outer axes are walked here

  explicit CublasMatmul(const MatmulShape& shape) : s(shape), handle(cuda::handle()) {}

  // False: there is no algorithm.
  bool find(const Call& call) {
    describe();
    const bool measure = measuring() && s.count == inner;  // a call of one product, or of one list of them
    const std::string key = measure ? machine() + " measured: " + textOf(call) : "";
    if (measure) {
      if (auto stored = loadPlan(key); stored && restore(stored->data)) return notePlan(call, stored->name), true;
    }
    const std::vector<cublasLtMatmulHeuristicResult_t> found = algorithms(measure ? kMeasured : 1);
    if (found.empty()) return false;
    use(found[0]);
    if (found.size() == 1) return true;
    Trial trial(call, kMostWorkspace);
    if (!trial.hasMemory()) return true;
    size_t best = 0;
    float least = std::numeric_limits<float>::infinity();
    for (size_t i = 0; i < found.size(); i++) {
      use(found[i]);
      const float time = trial.time([&](Stream& stream, void* const* buffers) { run(stream, buffers); });
      if (time < least) least = time, best = i;
    }
    use(found[best]);
    const std::string name = "cuBLASLt " + std::to_string(best + 1) + " of " + std::to_string(found.size());
    notePlan(call, name);
    storePlan(key, {name, stored()});
    return true;
  }

  void describe() {
    const Api& api = Api::get();
    const bool tf32 = s.dtype == DType::float32 && s.params.tf32;
    check(api.cublasLtMatmulDescInit_internal(&product, sizeof product,
                                              tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
          "describe");
    set(CUBLASLT_MATMUL_DESC_TRANSA, s.params.transposeB ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, s.params.transposeA ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue());
    // Which algorithms will do depends on how the bias is aligned: any address that is as the real one will be.
    if (s.params.epilogue.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, reinterpret_cast<const void*>(uintptr_t{256}));

    const int last = s.batches.rank - 1;
    if (last >= 0) inner = s.batches.size[last];
    auto stride = [&](int operand) { return last < 0 ? 0 : s.batches.stride[operand][last]; };
    lay(a, s.params.transposeA ? s.m : s.k, s.params.transposeA ? s.k : s.m, stride(0));
    lay(b, s.params.transposeB ? s.k : s.n, s.params.transposeB ? s.n : s.k, stride(1));
    lay(out, s.n, s.m, s.m * s.n);
  }

  // Up to `most`, the one that cuBLASLt thinks fastest first.
  std::vector<cublasLtMatmulHeuristicResult_t> algorithms(int most) {
    const Api& api = Api::get();
    cublasLtMatmulPreferenceOpaque_t preference;
    check(api.cublasLtMatmulPreferenceInit_internal(&preference, sizeof preference), "prefer");
    auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
      check(api.cublasLtMatmulPreferenceSetAttribute(&preference, attribute, &value, sizeof value), "prefer");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kMostWorkspace);
    // Tensors begin at multiples of 256 bytes; the matrices of batches that are walked here, where they happen to.
    if (s.count > inner) {
      const uint32_t alignment = static_cast<uint32_t>(size(s.dtype));
      prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment);
      prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment);
      prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment);
      prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment);
    }
    // Parts of a sum are added up as they were made, not rounded to a half type before.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    std::vector<cublasLtMatmulHeuristicResult_t> found(most);
    int count = 0;
    const cublasStatus_t status = api.cublasLtMatmulAlgoGetHeuristic(handle, &product, &b, &a, &out, &out, &preference,
                                                                     most, found.data(), &count);
    found.resize(status == CUBLAS_STATUS_SUCCESS ? count : 0);
    std::erase_if(found, [](const auto& one) { return one.state != CUBLAS_STATUS_SUCCESS; });
    return found;
  }
  void use(const cublasLtMatmulHeuristicResult_t& found) {
    algorithm = found.algo;
    workspace = found.workspaceSize;
  }

  // An algorithm as text; the same versions read it back.
  std::string stored() const {
    std::ostringstream text;
    text << workspace;
    for (uint64_t word : algorithm.data) text << ' ' << word;
    return text.str();
  }
  bool restore(const std::string& from) {
    std::istringstream text(from);
    text >> workspace;
    for (uint64_t& word : algorithm.data) text >> word;
    return !text.fail() && workspace <= kMostWorkspace;
  }

  void run(Stream& stream, void* const* buffers) override {
    const Epilogue& e = s.params.epilogue;
    // A copy: other threads may run the same call with other buffers.
    cublasLtMatmulDescOpaque_t with = product;
    if (e.bias) {
      const void* bias = buffers[2];
      check(Api::get().cublasLtMatmulDescSetAttribute(&with, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias),
            "describe");
    }
    void* result = buffers[e.outputAt()];
    void* residual = e.residual ? buffers[2 + e.bias] : result;
    for (int64_t batch = 0; batch < s.count; batch += inner) {
      int64_t at[2] = {0, 0};
      s.batches.find(batch, at);
      const int64_t to = batch * s.m * s.n;
      check(Api::get().cublasLtMatmul(handle, &with, &kOne, place(buffers[1], at[1]), &b, place(buffers[0], at[0]), &a,
                                      e.residual ? &kOne : &kZero, place(residual, to), &out, place(result, to), &out,
                                      &algorithm, stream.workspace, workspace, streamOf(stream)),
            "matmul");
    }
    if (e.activation == Activation::gelu || e.activation == Activation::reluGradient) {
      const void* values = e.activation == Activation::reluGradient ? buffers[e.outputAt() - 1] : nullptr;
      activate(stream, e.activation, s.dtype, values, result, s.count * s.m * s.n);
    }
  }

 private:
  // cuBLASLt's GELU is the approximation with tanh, ours is exact; its gradient of a ReLU wants a mask of bits that the
  // forward call would have to leave. Both follow as a kernel of their own.
  cublasLtEpilogue_t epilogue() const {
    const bool relu = s.params.epilogue.activation == Activation::relu;
    if (s.params.epilogue.bias) return relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
    return relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT;
  }
  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, Value value) {
    check(Api::get().cublasLtMatmulDescSetAttribute(&product, attribute, &value, sizeof value), "describe");
  }
  // A matrix whose columns, as cuBLASLt sees it, are `rows` long.
  void lay(cublasLtMatrixLayoutOpaque_t& layout, int64_t rows, int64_t columns, int64_t stride) {
    const Api& api = Api::get();
    check(api.cublasLtMatrixLayoutInit_internal(&layout, sizeof layout, typeOf(s.dtype), rows, columns, rows), "lay");
    if (inner == 1) return;
    const int32_t batches = static_cast<int32_t>(inner);
    check(api.cublasLtMatrixLayoutSetAttribute(&layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batches, sizeof batches),
          "lay");
    check(api.cublasLtMatrixLayoutSetAttribute(&layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                                               sizeof stride),
          "lay");
  }
  void* place(void* data, int64_t element) const {
    return static_cast<char*>(data) + element * static_cast<int64_t>(size(s.dtype));
  }
};

}  // namespace

std::unique_ptr<Prepared> matmulByCublasLt(const Call& call, const MatmulShape& s) {
  // Of a described GPU cuBLASLt can't say what it would do there.
  if (described() || s.m == 0 || s.n == 0 || s.k == 0 || s.count == 0 || s.count > INT32_MAX) return nullptr;
  auto prepared = std::make_unique<CublasMatmul>(s);
  return prepared->find(call) ? std::move(prepared) : nullptr;
}

}  // namespace needletail::cuda
