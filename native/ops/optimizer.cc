// The optimizers' updates, in place: one call for all parameters, as PyTorch's SGD, Adam and AdamW compute them.
#include <algorithm>
#include <cmath>

#include "ops/check.h"
#include "ops/ops.h"

namespace needletail {

namespace {

// Parameters per kernel call: their tensors are the call's results, and a command tells its first 32 apart.
constexpr int kGroup = 10;
// A parameter of so many elements has a call of its own: where calls run side by side, it is updated as soon as its
// gradient is there, while those of other layers are computed.
constexpr int64_t kLarge = int64_t{1} << 20;

void requireIn(const Arguments& args, const char* what, double value, double low, double high) {
  if (!(value >= low && value < high)) args.fail(what, numberText(value));
}

void checkNumbers(const Arguments& args) {
  const double kind = args.params.real(0), count = args.params.real(1);
  if (!(kind == 0 || kind == 1 || kind == 2)) args.fail("an optimizer", numberText(kind));
  if (!(count >= 0 && count < 1e6 && std::floor(count) == count)) args.fail("a count of parameters", numberText(count));
  const auto p = read<Optimizer>(args.params);
  requireIn(args, "a momentum of at least 0", p.momentum, 0, INFINITY);
  requireIn(args, "beta1 in [0, 1)", p.beta1, 0, 1);
  requireIn(args, "beta2 in [0, 1)", p.beta2, 0, 1);
  requireIn(args, "an epsilon of at least 0", p.epsilon, 0, INFINITY);
  requireIn(args, "a weight decay of at least 0", p.weightDecay, 0, INFINITY);
  if (p.nesterov && p.momentum == 0) args.fail("a momentum above 0 with nesterov", "0");
}

Specs inferOptimizer(const Arguments& args) {
  checkNumbers(args);
  const auto p = read<Optimizer>(args.params);
  const int slots = p.slots();
  constexpr int kScalars = Optimizer::kScalars;
  const size_t count = kScalars + static_cast<size_t>(p.count) * (2 + slots);
  if (args.in.size() != count) args.fail(std::to_string(count) + " tensors", std::to_string(args.in.size()));
  for (const Tensor& t : args.in) {
    if (!t || t.isImmediate()) args.fail("tensors", t ? "a number" : "nothing");
  }
  for (int i = 0; i < kScalars; i++) {
    const char* what[] = {"a learning rate float32 []", "a step float32 []", "a factor float32 []"};
    if (args.spec(i) != Spec{DType::float32, {}}) args.fail(what[i], args.spec(i).text());
  }
  for (int i = 0; i < p.count; i++) {
    const int first = kScalars + i * (2 + slots);
    const Spec& parameter = args.spec(first);
    const std::string which = " for parameter " + std::to_string(i);
    if (!isFloat(parameter.dtype)) {
      args.fail("float32, bfloat16 or float16" + which, parameter.text(), "Integers can't be trained.");
    }
    if (args.spec(first + 1) != parameter) {
      args.fail("a gradient " + parameter.text() + which, args.spec(first + 1).text());
    }
    for (int j = 0; j < slots; j++) {
      const Spec slot{DType::float32, parameter.shape};
      if (args.spec(first + 2 + j) != slot)
        args.fail("a state " + slot.text() + which, args.spec(first + 2 + j).text());
    }
  }
  // Two parameters in one memory would be updated by two threads.
  SmallVector<Storage*, 16> written;
  for (int i = 0; i < p.count; i++) {
    for (int j = 0; j < 2 + slots; j++) {
      if (j != 1) written.push_back(args.in[kScalars + i * (2 + slots) + j].storage());
    }
  }
  std::sort(written.begin(), written.end());
  if (std::adjacent_find(written.begin(), written.end()) != written.end()) {
    args.fail("parameters of their own memory", "the same memory twice",
              "Pass each parameter once, and no views of others.");
  }
  return {};
}

void forwardOptimizer(const Arguments& args, Tensors&) {
  auto p = read<Optimizer>(args.params);
  p.copies = 0;  // passes ask for them
  const int each = 2 + p.slots(), count = p.count;
  const auto isLarge = [&](int k) { return args.spec(Optimizer::kScalars + k * each).elements() >= kLarge; };
  for (int first = 0; first < count; first += p.count) {
    p.count = 1;
    while (!isLarge(first) && p.count < std::min(kGroup, count - first) && !isLarge(first + p.count)) p.count++;
    Tensors in, out;
    for (int i = 0; i < Optimizer::kScalars; i++) in.push_back(args.in[i]);
    for (int i = first * each; i < (first + p.count) * each; i++) {
      in.push_back(args.in[Optimizer::kScalars + i].detached());
      if (i % each != 1) out.push_back(in.back());
    }
    issue(Kernel::optimizer, write(p), in, out);
  }
}

}  // namespace

const Op optimizerOp = {
    .name = "optimizer", .infer = inferOptimizer, .forward = forwardOptimizer, .casts = Casts::none};

}  // namespace needletail
