// How device code is written here: as functors over an index, or over the threads of a block. nvcc makes kernels of
// them; g++ (target cuda_emulated) makes loops that run them on the processor, so that what a kernel computes is tested
// on machines without a GPU.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "backend.h"
#include "cuda/runtime.h"
#include "inline.h"

namespace needletail::cuda {

constexpr int kThreads = 256;  // of a block
constexpr size_t kSharedUnasked = 48 << 10;  // bytes of shared memory that a kernel may have without asking for more

// Whether a launch is left out: a described device runs nothing.
inline bool leftOut(int64_t count) { return count <= 0 || described(); }

#if defined(__CUDACC__)

template <class F>
__global__ void eachKernel(int64_t n, F body) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) body(i);
}
template <class F>
__global__ void __launch_bounds__(kThreads) blocksKernel(F body);
// The same where F::kResident says how many blocks a multiprocessor must have registers for.
template <class F>
__global__ void __launch_bounds__(kThreads, F::kResident) residentKernel(F body);

#endif

// Runs body(i) for each i in [0, n), in any order.
template <class F>
void each(Stream& stream, int64_t n, const F& body) {
  if (leftOut(n)) return;
#if defined(__CUDACC__)
  const int64_t blocks = std::min<int64_t>((n + kThreads - 1) / kThreads, kMaxBlocks);
  eachKernel<<<static_cast<unsigned>(blocks), kThreads, 0, streamOf(stream)>>>(n, body);
  checkLaunch();
#else
  emulatedLaunch(streamOf(stream), [n, body] {
    for (int64_t i = 0; i < n; i++) body(i);
  });
  checkLaunch();
#endif
}

// A value that each thread of a block (N: of a part of it) has of its own, from one `each` of the block to the next.
template <class T, int N = kThreads>
class Own {
 public:
#if defined(__CUDA_ARCH__)
  NT_INLINE T& operator[](int) { return value_; }

 private:
  T value_{};
#else
  T& operator[](int thread) { return values_[thread]; }

 private:
  T values_[N]{};
#endif
};

// The threads of one block: what they do between two barriers is one `each`.
struct Block {
  int64_t index;  // of the block
  void* memory = nullptr;  // on the processor: what shared() gives

  // Runs body(thread) for each thread in [0, kThreads), then waits for all.
  template <class F>
  NT_INLINE void each(F body) const {
#if defined(__CUDA_ARCH__)
    body(static_cast<int>(threadIdx.x));
    __syncthreads();
#else
    for (int thread = 0; thread < kThreads; thread++) body(thread);
#endif
  }

  // Memory that the threads share, of as many bytes as the functor's sharedBytes() says.
  template <class T>
  NT_INLINE T* shared() const {
#if defined(__CUDA_ARCH__)
    extern __shared__ __align__(16) unsigned char sharedByBlock[];
    return reinterpret_cast<T*>(sharedByBlock);
#else
    return static_cast<T*>(memory);
#endif
  }

  // What one thread computes, for all.
  template <class F>
  NT_INLINE auto once(F compute) const {
#if defined(__CUDA_ARCH__)
    using T = decltype(compute());
    alignas(T) __shared__ unsigned char shared[sizeof(T)];
    if (threadIdx.x == 0) {
      const T value = compute();
      memcpy(shared, &value, sizeof(T));
    }
    __syncthreads();
    T value;
    memcpy(&value, shared, sizeof(T));
    __syncthreads();
    return value;
#else
    return compute();
#endif
  }

  // The threads' values combined in an order that is always the same; every thread gets the result.
  template <class T, class F>
  NT_INLINE T combine(Own<T>& values, T identity, F combine) const {
#if defined(__CUDA_ARCH__)
    __shared__ T parts[kThreads / 32];
    T value = values[0];
    for (int offset = 16; offset > 0; offset /= 2) value = combine(value, shuffleDown(value, offset));
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    if (lane == 0) parts[warp] = value;
    __syncthreads();
    value = identity;
    for (int i = 0; i < kThreads / 32; i++) value = combine(value, parts[i]);
    __syncthreads();
    return value;
#else
    // The same tree: within each warp, then over the warps.
    T all = identity;
    for (int warp = 0; warp < kThreads / 32; warp++) {
      T lanes[32];
      for (int lane = 0; lane < 32; lane++) lanes[lane] = values[warp * 32 + lane];
      for (int offset = 16; offset > 0; offset /= 2) {
        for (int lane = 0; lane < offset; lane++) lanes[lane] = combine(lanes[lane], lanes[lane + offset]);
      }
      all = combine(all, lanes[0]);
    }
    return all;
#endif
  }

  template <class T>
  NT_INLINE T sum(Own<T>& values) const {
    return combine(values, T(0), [](T a, T b) { return a + b; });
  }

#if defined(__CUDA_ARCH__)
 private:
  template <class T>
  static __device__ __forceinline__ T shuffleDown(T value, int offset) {
    int words[(sizeof(T) + 3) / 4] = {};
    memcpy(words, &value, sizeof(T));
    for (int& word : words) word = __shfl_down_sync(0xffffffffu, word, offset);
    memcpy(&value, words, sizeof(T));
    return value;
  }
#endif
};

// Memory that the threads of a block share, of a known size; at the beginning of a functor's body.
#if defined(__CUDA_ARCH__)
#define NT_SHARED(T, name, n) __shared__ T name[n]
#else
#define NT_SHARED(T, name, n) T name[n]
#endif

#if defined(__CUDACC__)
template <class F>
__global__ void __launch_bounds__(kThreads) blocksKernel(F body) {
  body(Block{static_cast<int64_t>(blockIdx.x)});
}
template <class F>
__global__ void __launch_bounds__(kThreads, F::kResident) residentKernel(F body) {
  body(Block{static_cast<int64_t>(blockIdx.x)});
}
#endif

// Runs body(block) for each of `count` blocks, in any order.
template <class F>
void blocks(Stream& stream, int64_t count, const F& body) {
  if (leftOut(count)) return;
  size_t shared = 0;
  if constexpr (requires { body.sharedBytes(); }) shared = body.sharedBytes();
#if defined(__CUDACC__)
  void (*kernel)(F);
  if constexpr (requires { F::kResident; })
    kernel = residentKernel<F>;
  else
    kernel = blocksKernel<F>;
  if (shared > kSharedUnasked)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)),
          "a launch");
  kernel<<<static_cast<unsigned>(count), kThreads, shared, streamOf(stream)>>>(body);
  checkLaunch();
#else
  emulatedLaunch(streamOf(stream), [count, shared, body] {
    std::vector<unsigned char> memory(shared);
    for (int64_t i = 0; i < count; i++) {
      std::fill(memory.begin(), memory.end(), 0xff);  // no numbers: a block that reads what it hasn't written is found
      body(Block{i, memory.data()});
    }
  });
  checkLaunch();
#endif
}

}  // namespace needletail::cuda
