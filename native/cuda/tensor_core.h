// Tensor cores: the 32 threads of a warp multiply small matrices together, of which each has a part in registers. Under
// g++ a part is an array over the lanes, and what the warp does is done by the layouts of the PTX manual ("Matrix
// fragments for mma.m16n8k16", "ldmatrix"). From compute capability 8.0 on; before it these functions do nothing.
#pragma once
#include <bit>

#include "cuda/launch.h"
#include "cuda/load.h"
#include "cuda/variable.h"

namespace needletail::cuda {

constexpr int kLanes = 32;
constexpr int kWarps = kThreads / kLanes;
constexpr int kTile = 16;  // places of an image that a block has, down and across; across: those of one product
constexpr int kVec = 8;  // elements in 16 bytes
constexpr int kPad = 8;  // elements behind each row in shared memory: eight rows' 16 bytes lie in different banks

// What each lane of a warp has; OfWarps: of every warp of a block.
template <class T>
using Lanes = Own<T, kLanes>;
template <class T>
using OfWarps = Own<T, kWarps>;

// Runs body(warp) for each warp of the block, then waits for all.
template <class F>
NT_INLINE void eachWarp(const F& body) {
#if defined(__CUDA_ARCH__)
  body(static_cast<int>(threadIdx.x) / kLanes);
  __syncthreads();
#else
  for (int warp = 0; warp < kWarps; warp++) body(warp);
#endif
}
// Runs body(lane) for each lane of a warp.
template <class F>
NT_INLINE void eachLane(const F& body) {
#if defined(__CUDA_ARCH__)
  body(static_cast<int>(threadIdx.x) % kLanes);
#else
  for (int lane = 0; lane < kLanes; lane++) body(lane);
#endif
}

// Whether kernels here may use them: NEEDLETAIL_CUDA_TENSOR=0 says no, for comparison.
inline bool hasTensorCores() {
  static const bool off = variable("NEEDLETAIL_CUDA_TENSOR") == "0";
  return !off && attribute(cudaDevAttrComputeCapabilityMajor) >= 8;
}

// --- copies into shared memory that go on beside what follows

#if !defined(__CUDA_ARCH__)
// Under g++ they are made when they are awaited, so that one that is awaited too late is found.
struct Copies {
  struct Copy {
    void* to;
    const void* from;
    size_t group;  // the threads', one after the other
  };
  std::vector<Copy> copies;
  size_t groups = 0;
  void make(int later) {
    const size_t each = groups / kThreads;
    std::erase_if(copies, [&](const Copy& copy) {
      if (copy.group % each + later >= each) return false;
      copy.from ? std::memcpy(copy.to, copy.from, 16) : std::memset(copy.to, 0, 16);
      return true;
    });
    if (copies.empty()) groups = 0;
  }
};
inline thread_local Copies pending;
#endif

// 16 bytes; zeros if not `inside`: `from` isn't read then.
NT_INLINE void copyAsync(void* to, const void* from, bool inside) {
#if !defined(__CUDA_ARCH__)
  pending.copies.push_back({to, inside ? from : nullptr, pending.groups});
#elif __CUDA_ARCH__ >= 800
  asm volatile(
      "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(static_cast<uint32_t>(__cvta_generic_to_shared(to))),
      "l"(from), "r"(inside ? 16 : 0)
      : "memory");
#endif
}
// Ends a group of a thread's copies.
NT_INLINE void endCopies() {
#if !defined(__CUDA_ARCH__)
  pending.groups++;
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Waits until all groups of all threads but the last `later` have arrived (of more than four later ones: but four).
NT_INLINE void awaitCopies(int later) {
#if !defined(__CUDA_ARCH__)
  pending.make(later);
#elif __CUDA_ARCH__ >= 800
  switch (later) {
    case 0: asm volatile("cp.async.wait_group 0;" ::: "memory"); break;
    case 1: asm volatile("cp.async.wait_group 1;" ::: "memory"); break;
    case 2: asm volatile("cp.async.wait_group 2;" ::: "memory"); break;
    case 3: asm volatile("cp.async.wait_group 3;" ::: "memory"); break;
    default: asm volatile("cp.async.wait_group 4;" ::: "memory");
  }
  __syncthreads();
#endif
}

// copy(line, element) for each kVec elements of lines of `width`, which neighbouring threads take: 1 << lanes a line.
// Threads that have nothing to copy do so again what others do: there is no branch.
constexpr int lanesFor(int width) { return std::bit_width(static_cast<unsigned>(width / kVec - 1)); }
template <class F>
NT_INLINE void eachChunk(int t, int lanes, int lines, int width, const F& copy) {
  const int atOnce = kThreads >> lanes, element = std::min((t & ((1 << lanes) - 1)) * kVec, width - kVec);
  const int rounds = (lines + atOnce - 1) * (1 << lanes) / kThreads;
  NT_UNROLL_FOUR
  for (int i = 0; i < rounds; i++) copy(std::min((t >> lanes) + i * atOnce, lines - 1), element);
}

// --- matrices

struct Registers {  // eight halves: a lane's of four matrices of 8 x 8
  uint32_t of[4];
};
struct Sums {  // a lane's of a matrix of 16 x 8
  float of[4];
};

#if !defined(__CUDA_ARCH__)
// Half `i` of a register.
template <class S>
float halfOf(uint32_t word, int i) {
  S half;
  half.bits = static_cast<uint16_t>(word >> 16 * i);
  return half;
}
#endif

// Four matrices of 8 x 8 halves from shared memory, Turned: their columns become rows. row(lane) is the address of row
// lane % 8 of matrix lane / 8; a lane gets, of each matrix, columns 2 * (lane % 4) and the next of row lane / 4.
template <bool Turned, class Row>
NT_INLINE void loadMatrices(Lanes<Registers>& to, const Row& row) {
#if !defined(__CUDA_ARCH__)
  for (int lane = 0; lane < kLanes; lane++) {
    for (int matrix = 0; matrix < 4; matrix++) {
      uint32_t word = 0;
      for (int i = 0; i < 2; i++) {
        const int line = Turned ? lane % 4 * 2 + i : lane / 4, column = Turned ? lane / 4 : lane % 4 * 2 + i;
        word |= static_cast<uint32_t>(row(matrix * 8 + line)[column].bits) << 16 * i;
      }
      to[lane].of[matrix] = word;
    }
  }
#elif __CUDA_ARCH__ >= 800
  const uint32_t at = static_cast<uint32_t>(__cvta_generic_to_shared(row(static_cast<int>(threadIdx.x) % kLanes)));
  uint32_t (&r)[4] = to[0].of;
  if constexpr (Turned)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at));
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at));
#endif
}

// sums += a * b, of 16 x 16 and 16 x 8 elements of type S. The matrices of `a` are its upper left, lower left, upper
// right and lower right; those of `b`, columns first, the upper and the lower half: matrices 2 * which and the next. A
// lane has sums (lane / 4, 2 * (lane % 4)), the one beside it, and the same eight rows below.
template <class S>
NT_INLINE void multiply(Lanes<Sums>& sums, Lanes<Registers>& a, Lanes<Registers>& b, int which) {
#if !defined(__CUDA_ARCH__)
  float left[16][16], right[16][8];
  for (int lane = 0; lane < kLanes; lane++) {
    for (int e = 0; e < 8; e++) {
      left[lane / 4 + e / 2 % 2 * 8][lane % 4 * 2 + e % 2 + e / 4 * 8] = halfOf<S>(a[lane].of[e / 2], e % 2);
    }
    for (int e = 0; e < 4; e++) {
      right[lane % 4 * 2 + e % 2 + e / 2 * 8][lane / 4] = halfOf<S>(b[lane].of[2 * which + e / 2], e % 2);
    }
  }
  for (int lane = 0; lane < kLanes; lane++) {
    for (int e = 0; e < 4; e++) {
      float& sum = sums[lane].of[e];
      for (int k = 0; k < 16; k++) sum += left[lane / 4 + e / 2 * 8][k] * right[k][lane % 4 * 2 + e % 2];
    }
  }
#elif __CUDA_ARCH__ >= 800
  float (&d)[4] = sums[0].of;
  const uint32_t (&l)[4] = a[0].of, *r = b[0].of + 2 * which;
  if constexpr (std::is_same_v<S, BFloat16>)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(l[0]), "r"(l[1]), "r"(l[2]), "r"(l[3]), "r"(r[0]), "r"(r[1]));
  else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(l[0]), "r"(l[1]), "r"(l[2]), "r"(l[3]), "r"(r[0]), "r"(r[1]));
#endif
}

}  // namespace needletail::cuda
