// What the CPU kernels share: how many threads there are, which instruction set, when a loop is worth the team.
#pragma once
#include <cstdint>
#include <string>

namespace needletail {

enum class Isa { baseline, avx2, avx512, avx512bf16 };
Isa isa();  // the best this processor has; NEEDLETAIL_ISA=baseline|avx2|avx512|avx512bf16 takes a lesser one
const char* isaName();
// Whether the processor has instructions for products of half-precision numbers.
bool hasBFloat16();
bool hasFloat16();
bool hasTiles();  // AMX, which multiplies blocks of bfloat16
std::string onednnVersion();  // of the library that was loaded

// Threads a kernel may use: the container's or machine's cores unless set.
int threads();
void setThreads(int count);

// Nanoseconds of work on one thread from which a kernel asks the team to help.
constexpr double kParallelCost = 30000;
inline bool worthParallel(double cost) { return cost > kParallelCost && threads() > 1; }

}  // namespace needletail
