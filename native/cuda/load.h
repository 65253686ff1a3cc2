// Elements of any dtype as the numbers that are computed with: half-precision floats as float32.
#pragma once
#include "inline.h"
#include "types.h"

namespace needletail::cuda {

// Element `i` as T; T is float for floats, else the dtype's own type (uint8_t for bool).
template <class T>
NT_INLINE T load(const void* data, DType dtype, int64_t i) {
  if constexpr (std::is_same_v<T, float>) {
    if (dtype == DType::bfloat16) return static_cast<const BFloat16*>(data)[i];
    if (dtype == DType::float16) return static_cast<const Float16*>(data)[i];
  }
  return static_cast<const T*>(data)[i];
}

template <class T>
NT_INLINE void store(void* data, DType dtype, int64_t i, T value) {
  if constexpr (std::is_same_v<T, float>) {
    if (dtype == DType::bfloat16) return void(static_cast<BFloat16*>(data)[i] = BFloat16(value));
    if (dtype == DType::float16) return void(static_cast<Float16*>(data)[i] = Float16(value));
  }
  static_cast<T*>(data)[i] = value;
}

// A float as it would be read from memory of that type.
NT_INLINE float rounded(DType dtype, float x) {
  if (dtype == DType::bfloat16) return BFloat16(x);
  if (dtype == DType::float16) return Float16(x);
  return x;
}

// How many neighbours of a type are loaded and stored at once: those in 16 bytes.
template <class S>
constexpr int kVector = sizeof(S) == 1 ? 8 : 16 / sizeof(S);

template <class S, int V>
struct alignas(sizeof(S) * V) Pack {
  S of[V];
};
// At an address that is a multiple of the pack's size.
template <int V, class S>
NT_INLINE Pack<S, V> loadPack(const S* from) {
  return *reinterpret_cast<const Pack<S, V>*>(from);
}
template <int V, class S>
NT_INLINE void storePack(S* to, const Pack<S, V>& pack) {
#if defined(__CUDA_ARCH__)
  // In one instruction: the compiler takes a pack apart, and stores each of it by itself.
  if constexpr (sizeof(pack) == 16 || sizeof(pack) == 8) {
    uint32_t w[sizeof(pack) / 4];
    memcpy(w, &pack, sizeof w);
    if constexpr (sizeof(pack) == 16)
      asm volatile("st.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(w[0]), "r"(w[1]), "r"(w[2]), "r"(w[3])
                   : "memory");
    else
      asm volatile("st.v2.b32 [%0], {%1, %2};" ::"l"(to), "r"(w[0]), "r"(w[1]) : "memory");
    return;
  }
#endif
  *reinterpret_cast<Pack<S, V>*>(to) = pack;
}

// Calls f with Type<S>, the C++ type that a floating dtype is stored as.
template <class F>
NT_INLINE void dispatchStored(DType dtype, const F& f) {
  if (dtype == DType::bfloat16) return f(Type<BFloat16>());
  if (dtype == DType::float16) return f(Type<Float16>());
  f(Type<float>());
}

// V neighbours of any floating dtype as floats; i is a multiple of V.
template <int V>
NT_INLINE void loadFloats(const void* data, DType dtype, int64_t i, float (&to)[V]) {
  const auto take = [&](auto tag) {
    using S = typename decltype(tag)::type;
    const Pack<S, V> pack = loadPack<V>(static_cast<const S*>(data) + i);
    NT_UNROLL
    for (int e = 0; e < V; e++) to[e] = pack.of[e];
  };
  if (dtype == DType::bfloat16) return take(Type<BFloat16>());
  if (dtype == DType::float16) return take(Type<Float16>());
  take(Type<float>());
}
template <int V>
NT_INLINE void storeFloats(void* data, DType dtype, int64_t i, const float (&from)[V]) {
  const auto put = [&](auto tag) {
    using S = typename decltype(tag)::type;
    Pack<S, V> pack;
    NT_UNROLL
    for (int e = 0; e < V; e++) pack.of[e] = static_cast<S>(from[e]);
    storePack(static_cast<S*>(data) + i, pack);
  };
  if (dtype == DType::bfloat16) return put(Type<BFloat16>());
  if (dtype == DType::float16) return put(Type<Float16>());
  put(Type<float>());
}

// V floats, and V neighbours of a known type as such.
template <int V>
struct Floats {
  float of[V];
};
template <int V, class S>
NT_INLINE Floats<V> floatsOf(const Pack<S, V>& pack) {
  Floats<V> floats;
  NT_UNROLL
  for (int e = 0; e < V; e++) floats.of[e] = pack.of[e];
  return floats;
}
template <int V, class S>
NT_INLINE void storeAs(S* to, const Floats<V>& floats) {
  Pack<S, V> pack;
  NT_UNROLL
  for (int e = 0; e < V; e++) pack.of[e] = static_cast<S>(floats.of[e]);
  storePack(to, pack);
}

// Calls f with Type<S> of a floating dtype and as an integral_constant how many of `channels` neighbours a thread
// takes.
template <class F>
void dispatchFloats(DType dtype, int64_t channels, F f) {
  dispatchStored(dtype, [&](auto type) {
    constexpr int V = kVector<typename decltype(type)::type>;
    channels % V == 0 ? f(type, std::integral_constant<int, V>()) : f(type, std::integral_constant<int, 1>());
  });
}

// Calls f with Type<T>, T what numbers of the dtype are computed in.
template <class F>
decltype(auto) dispatchCompute(DType dtype, F&& f) {
  if (isFloat(dtype)) return f(Type<float>());
  if (dtype == DType::int32) return f(Type<int32_t>());
  if (dtype == DType::int64) return f(Type<int64_t>());
  return f(Type<uint8_t>());
}

}  // namespace needletail::cuda
