// Small functions that are compiled for the processor and, by nvcc, for the GPU as well.
#pragma once

#if defined(__CUDACC__)
#define NT_INLINE __host__ __device__ __forceinline__
#else
#define NT_INLINE inline __attribute__((always_inline))
#endif

// Before a loop whose count is known and small: its variables then live in registers. NT_ROLL: its code stays small.
// NT_UNROLL_FOUR: four rounds of any count side by side.
#if defined(__CUDACC__)
#define NT_UNROLL _Pragma("unroll")
#define NT_ROLL _Pragma("unroll 1")
#define NT_UNROLL_FOUR _Pragma("unroll 4")
#else
#define NT_UNROLL _Pragma("GCC unroll 16")
#define NT_ROLL _Pragma("GCC unroll 1")
#define NT_UNROLL_FOUR _Pragma("GCC unroll 4")
#endif
