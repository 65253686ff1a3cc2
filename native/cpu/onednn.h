// oneDNN 2.6 to 3.x: the shared engine and stream, and the two shapes of making a primitive descriptor.
#pragma once
#include <omp.h>

#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>

#include "cpu/cpu.h"

namespace needletail::onednn {

using Memory = dnnl::memory;
using Layout = dnnl::memory::format_tag;

// Never destroyed: the queue's thread computes until the process ends.
inline dnnl::engine& engine() {
  static auto* made = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *made;
}
inline dnnl::stream& stream() {
  static auto* made = new dnnl::stream(engine());
  return *made;
}

// oneDNN 2.x describes an operation and then looks for an implementation; 3.x does both at once. An empty result
// (get(true) is null): none was found. Scratch memory is the caller's (pd.scratchpad_desc()), so that running allocates
// nothing. A primitive is made for as many threads as this thread's OpenMP would start: call useThreads first.
#if DNNL_VERSION_MAJOR >= 3
template <class Primitive, class... Args>
typename Primitive::primitive_desc describe(const dnnl::primitive_attr& attr, const Args&... args) {
  return typename Primitive::primitive_desc(engine(), args..., attr, true);
}
template <class Primitive, class Forward, class... Args>
typename Primitive::primitive_desc describeBackward(const dnnl::primitive_attr& attr, const Forward& forward,
                                                    const Args&... args) {
  return typename Primitive::primitive_desc(engine(), args..., forward, attr, true);
}
#else
template <class Primitive, class... Args>
typename Primitive::primitive_desc describe(const dnnl::primitive_attr& attr, const Args&... args) {
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), attr, engine(), true);
}
template <class Primitive, class Forward, class... Args>
typename Primitive::primitive_desc describeBackward(const dnnl::primitive_attr& attr, const Forward& forward,
                                                    const Args&... args) {
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), attr, engine(), forward, true);
}
#endif

inline dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}
inline void append(dnnl::post_ops& ops, dnnl::algorithm function) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(function, 0, 0);
#else
  ops.append_eltwise(1, function, 0, 0);
#endif
}

inline void useThreads() {
  if (omp_get_max_threads() != threads()) omp_set_num_threads(threads());
}

// The reference implementations are hundreds of times slower than any loop written for the purpose.
template <class Description>
bool usable(const Description& description) {
  if (!description.get(true)) return false;
  const char* name = description.impl_info_str();
  return !std::strstr(name, "ref") && !std::strstr(name, "simple");
}

inline Memory memory(const Memory::desc& desc) { return Memory(desc, engine(), nullptr); }

}  // namespace needletail::onednn
