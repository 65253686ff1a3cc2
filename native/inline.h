// Small functions that are compiled for the processor and, by nvcc, for the GPU as well.
#pragma once

#if defined(__CUDACC__)
#define NT_INLINE __host__ __device__ __forceinline__
#else
#define NT_INLINE inline __attribute__((always_inline))
#endif

// Before a loop whose count is known and small: its variables then live in registers.
#if defined(__CUDACC__)
#define NT_UNROLL _Pragma("unroll")
#else
#define NT_UNROLL _Pragma("GCC unroll 16")
#endif
