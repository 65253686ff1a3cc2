// Mutants: deliberate faults for scripts/mutate, which writes the calls to these into a copy of the sources. One of
// them is chosen at run time by NEEDLETAIL_MUTANT; with NEEDLETAIL_MUTANT=trace none is, and those reached are listed
// at the end.
#pragma once
#ifdef NEEDLETAIL_MUTANTS
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <type_traits>

#include "backend.h"
#include "mutants_table.h"  // written by scripts/mutants.mjs: kMutants, kKernelMutants, gradientMutant

namespace needletail {
class Tensor;
}
namespace needletail::mutants {

// Whether an expression of elementwise.def is one over tensors.
template <class T>
constexpr int isGraph = std::is_same_v<T, Tensor> ? 1 : 0;

struct State {
  int active = -1;
  bool trace = false;
  unsigned char reached[kMutants + 1] = {};
  State() {
    const char* chosen = std::getenv("NEEDLETAIL_MUTANT");
    if (!chosen) return;
    trace = std::strcmp(chosen, "trace") == 0;
    if (!trace)
      active = std::atoi(chosen);
    else
      std::atexit(list);
  }
  static void list();
};
inline State state;

inline void State::list() {
  const char* path = std::getenv("NEEDLETAIL_MUTANTS_REACHED");
  FILE* file = path ? std::fopen(path, "w") : nullptr;
  if (!file) return;
  for (int id = 0; id < kMutants; id++) {
    if (state.reached[id]) std::fprintf(file, "%d\n", id);
  }
  std::fclose(file);
}

inline bool chosen(int id) {
  if (__builtin_expect(state.trace, 0)) state.reached[id] = 1;
  return id == state.active;
}

// Makes one element wrong.
inline void spoil(void* memory, DType dtype, int64_t index) {
  auto* bytes = static_cast<unsigned char*>(memory) + index * static_cast<int64_t>(size(dtype));
  auto put = [&](auto value, auto other) {
    if (std::memcmp(bytes, &value, sizeof value) == 0) value = other;
    std::memcpy(bytes, &value, sizeof value);
  };
  switch (dtype) {
    case DType::float32: return put(5.5f, -2.25f);
    case DType::bfloat16: return put(uint16_t{0x40B0}, uint16_t{0xC010});
    case DType::float16: return put(uint16_t{0x4580}, uint16_t{0xC080});
    case DType::int32:
    case DType::int64:
    case DType::uint8: bytes[0]++; return;
    case DType::boolean: bytes[0] ^= 1; return;
  }
}

// A kernel whose results are wrong in one place: the first element of result `i`, or its last for one dtype.
struct Spoilt final : Prepared {
  Spoilt(const Call& call, std::unique_ptr<Prepared> inner) : call(call), inner(std::move(inner)) {
    workspace = this->inner->workspace;
    cost = this->inner->cost;
    threadBound = this->inner->threadBound;
  }
  void run(Stream& stream, void* const* buffers) override {
    inner->run(stream, buffers);
    for (size_t i = 0; i < call.out.size() && i < kSpoiltResults; i++) {
      const Spec& spec = call.out[i];
      if (spec.elements() == 0) continue;
      const int first =
          kKernelMutants + (static_cast<int>(call.kernel) * kSpoiltResults + static_cast<int>(i)) * (1 + kDTypes);
      if (chosen(first)) spoil(buffers[call.in.size() + i], spec.dtype, 0);
      if (chosen(first + 1 + static_cast<int>(spec.dtype)))
        spoil(buffers[call.in.size() + i], spec.dtype, spec.elements() - 1);
    }
  }
  Call call;
  std::unique_ptr<Prepared> inner;
};
inline std::unique_ptr<Prepared> spoilt(const Call& call, std::unique_ptr<Prepared> prepared) {
  if (!prepared) return prepared;
  return std::make_unique<Spoilt>(call, std::move(prepared));
}

}  // namespace needletail::mutants

#define NT_MUTATE_DERIVATIVE(id, value, mutated) \
  (needletail::mutants::chosen(id + needletail::mutants::isGraph<std::decay_t<decltype(value)>>) ? (mutated) : (value))
#define NT_MUTATE(id, value, mutated) (needletail::mutants::chosen(id) ? (mutated) : (value))
#define NT_UNLESS_MUTANT(id, failure) (needletail::mutants::chosen(id) ? void() : (failure))
#endif
