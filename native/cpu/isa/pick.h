// NEEDLETAIL_ISA_FUNCTION declares a function of native/cpu/isa/ in each of its namespaces, and name##ForIsa(), which
// says which of them this processor runs. NEEDLETAIL_ISA_RESULT: the same for a function that gives something.
#pragma once
#include "cpu/cpu.h"

#ifdef __x86_64__
#define NEEDLETAIL_ISA_RESULT(result, name, ...)     \
  namespace baseline {                               \
  result name(__VA_ARGS__);                          \
  }                                                  \
  namespace avx2 {                                   \
  result name(__VA_ARGS__);                          \
  }                                                  \
  namespace avx512 {                                 \
  result name(__VA_ARGS__);                          \
  }                                                  \
  namespace avx512bf16 {                             \
  result name(__VA_ARGS__);                          \
  }                                                  \
  inline auto name##ForIsa() {                       \
    switch (isa()) {                                 \
      case Isa::avx512bf16: return avx512bf16::name; \
      case Isa::avx512: return avx512::name;         \
      case Isa::avx2: return avx2::name;             \
      case Isa::baseline: break;                     \
    }                                                \
    return baseline::name;                           \
  }
#else
#define NEEDLETAIL_ISA_RESULT(result, name, ...) \
  namespace baseline {                           \
  result name(__VA_ARGS__);                      \
  }                                              \
  inline auto name##ForIsa() { return baseline::name; }
#endif
#define NEEDLETAIL_ISA_FUNCTION(name, ...) NEEDLETAIL_ISA_RESULT(void, name, __VA_ARGS__)
