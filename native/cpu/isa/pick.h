// NEEDLETAIL_ISA_FUNCTION declares a function of native/cpu/isa/ in each of its namespaces, and name##ForIsa(), which
// says which of them this processor runs.
#pragma once
#include "cpu/cpu.h"

#ifdef __x86_64__
#define NEEDLETAIL_ISA_FUNCTION(name, ...)                                                         \
  namespace baseline {                                                                             \
  void name(__VA_ARGS__);                                                                          \
  }                                                                                                \
  namespace avx2 {                                                                                 \
  void name(__VA_ARGS__);                                                                          \
  }                                                                                                \
  namespace avx512 {                                                                               \
  void name(__VA_ARGS__);                                                                          \
  }                                                                                                \
  inline auto name##ForIsa() {                                                                     \
    return isa() == Isa::avx512 ? avx512::name : isa() == Isa::avx2 ? avx2::name : baseline::name; \
  }
#else
#define NEEDLETAIL_ISA_FUNCTION(name, ...) \
  namespace baseline {                     \
  void name(__VA_ARGS__);                  \
  }                                        \
  inline auto name##ForIsa() { return baseline::name; }
#endif
