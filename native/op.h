// An Op is one record that knows no device: what it accepts, which kernels it calls, its derivative in terms of ops.
#pragma once
#include <string>
#include <vector>

#include "backend.h"
#include "error.h"
#include "tensor.h"

namespace needletail {

struct Op;

// An op's arguments. `in` may hold empty tensors where an argument is optional.
struct Arguments {
  const Op& op;
  const Tensors& in;
  const Params& params;
  const Spec& spec(int i) const { return in[i].spec(); }
  bool has(int i) const { return i < static_cast<int>(in.size()) && in[i]; }
  // Throws `<op>: expected <what>, got <actual>. <hint>`
  [[noreturn]] void fail(const std::string& what, const std::string& actual, const std::string& hint = "") const;
};

// What a backward sees: the saved inputs and outputs (asking for one that the op did not declare is a bug and throws).
struct History {
  const Op& op;
  const Params& params;
  const Tensors& in;  // saved inputs; those not declared are empty
  const Tensors& out;  // saved outputs; those not declared are empty
  const Specs& inSpecs;
  const Specs& outSpecs;
  const SmallVector<bool, 4>& wanted;  // per input: is its gradient asked for?
  bool graph;  // a graph of the gradient is asked for: use ops that have a derivative, no shortcut
};

// The precision of computation, of a thread: what PyTorch calls autocast. In half precision, products are computed in
// it and what needs the range or the digits of float32 is computed in float32; values become of the dtype wanted by
// casts on the tape, so that float32 parameters get float32 gradients. tf32: float32 products may round their inputs to
// 10 bits, where the device is faster so.
enum class Compute : uint8_t { float32, tf32, bfloat16, float16 };
Compute compute();
void setCompute(Compute compute);
// Whether convolutions are computed by their sums alone, of a thread: by no algorithm that rounds more, as Winograd's.
bool exact();
void setExact(bool exact);

// What becomes of an op's floating inputs in half precision.
enum class Casts : uint8_t {
  widest,  // nothing, unless they differ: then all become of the widest dtype among them
  half,  // of the half dtype: products, which are faster in it
  float32,  // of float32
  none  // nothing: the op has a dtype for each of its inputs
};

constexpr uint32_t kSaveNone = 0;
constexpr uint32_t save(int i) { return 1u << i; }
template <class... Rest>
constexpr uint32_t save(int first, Rest... rest) {
  return save(first) | save(rest...);
}

struct Op {
  const char* name;
  // Checks every argument, says what comes out. Throws through Arguments::fail.
  Specs (*infer)(const Arguments&);
  // Issues kernel calls through `issue`. `out` is allocated already (an alias of the input where `alias` says so).
  void (*forward)(const Arguments&, Tensors& out);
  // Gradients of the inputs from those of the outputs (an empty one means zero), written in ops; empty where none is
  // wanted or none exists. Null: the op has no derivative.
  Tensors (*backward)(const History&, const Tensors& gradients) = nullptr;
  uint32_t saveInputs = kSaveNone, saveOutputs = kSaveNone;
  // For results that share their input's memory: views (reshape) and in-place changes.
  // alias[i] = 1 + index of the input whose storage output i shares, 0 for none.
  uint8_t alias[4] = {0, 0, 0, 0};
  // Default device operands: which inputs may be immediate numbers (elementwise only); others are materialised.
  bool takesImmediates = false;
  Casts casts = Casts::widest;
};

// Applies an op: infer, allocate, forward, and a node on the tape where a gradient flows.
Tensors apply(const Op& op, const Tensors& in, const Params& params = {});
inline Tensor apply1(const Op& op, const Tensors& in, const Params& params = {}) { return apply(op, in, params)[0]; }

// Names the op at work in errors and recordings while it lives; `apply` and `backward` do so.
class OpName {
 public:
  explicit OpName(const char* name);
  ~OpName();

 private:
  const char* before_;
};
// Where fresh tensors are made that follow from no other, while it lives.
class DeviceScope {
 public:
  explicit DeviceScope(Device& device);
  ~DeviceScope();

 private:
  Device* before_;
};
// Issues one kernel call in the queue of the device of `in` and `out` (called by Op::forward alone).
void issue(Kernel kernel, const Params& params, const Tensors& in, const Tensors& out);
// Keeps, while it lives, what calls of this thread change, as it was before: all but what they make.
class Journal {
 public:
  Journal();
  ~Journal();
  Journal(const Journal&) = delete;
  void undo();
  void note(Storage* storage);  // which is about to be changed

 private:
  struct Change {
    Ref<Storage> storage;
    Tensor before;
  };
  const uint64_t firstId_;  // of what is made meanwhile, which is noted once it has a value
  std::vector<Change> changes_;
};
// A fresh tensor without values, for an op's intermediate results, on the device of the op's inputs.
Tensor empty(const Spec& spec);

// The table of all ops (ops/ops.cc); an op's index there is its number in JavaScript.
const std::vector<const Op*>& allOps();

}  // namespace needletail
