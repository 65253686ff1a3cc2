// Small functions that are compiled for the processor and, by nvcc, for the GPU as well.
#pragma once

#if defined(__CUDACC__)
#define NT_INLINE __host__ __device__ __forceinline__
#else
#define NT_INLINE inline __attribute__((always_inline))
#endif
