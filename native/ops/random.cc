// Random numbers. The op's parameters: those of the kernel, then dtype and shape. With `seeded` there is no input; else
// the input is the generator's state, int64 [2], which is also the second result, moved on in place.
#include <cmath>

#include "ops/check.h"
#include "ops/ops.h"

namespace needletail {

namespace {

constexpr int kOwn = 5;  // the kernel's parameters; then the dtype, then the sizes

bool isWhole(double v, double low, double high) { return v >= low && v <= high && std::floor(v) == v; }

Specs inferRandom(const Arguments& args) {
  constexpr double exact = 9007199254740992.0;  // 2^53
  const Params& p = args.params;
  if (p.count() < kOwn + 1 || p.count() > kOwn + 1 + kMaxRank) {
    args.fail("a shape of at most 8 axes", std::to_string(p.count() - kOwn - 1) + " axes");
  }
  if (!isWhole(p.real(0), 0, 5)) args.fail("a distribution", numberText(p.real(0)));
  if (!isWhole(p.real(kOwn), 0, kDTypes - 1)) args.fail("a dtype", numberText(p.real(kOwn)));
  const bool seeded = p.flag(1);
  if (seeded) {
    if (!args.in.empty()) args.fail("no inputs beside a seed", std::to_string(args.in.size()));
    if (!isWhole(p.real(2), 0, exact - 1)) args.fail("a seed that is an integer in [0, 2^53)", numberText(p.real(2)));
  } else if (args.in.size() != 1 || !args.has(0) || args.spec(0) != Spec{DType::int64, {2}}) {
    args.fail("a generator state int64 [2]", args.has(0) ? args.spec(0).text() : "nothing");
  }

  Spec out{static_cast<DType>(p.integer(kOwn)), {}};
  for (int i = kOwn + 1; i < p.count(); i++) {
    if (!isWhole(p.real(i), 0, exact)) args.fail("a shape of integers from 0", numberText(p.real(i)));
    out.shape.push(p.integer(i));
  }
  const double a = p.real(3), b = p.real(4);
  switch (static_cast<Distribution>(p.integer(0))) {
    case Distribution::bits:
      if (out.dtype != DType::int32) args.fail("dtype int32", name(out.dtype));
      break;
    case Distribution::uniform:
      if (!isFloat(out.dtype)) args.fail("dtype float32, bfloat16 or float16", name(out.dtype), "Use integers.");
      if (!(std::isfinite(a) && std::isfinite(b) && a < b)) {
        args.fail("finite bounds, the first below the second", numberText(a) + " and " + numberText(b));
      }
      if (!std::isfinite(static_cast<float>(a)) || !std::isfinite(static_cast<float>(b)) ||
          !std::isfinite(static_cast<float>(b) - static_cast<float>(a)) ||
          static_cast<float>(a) >= static_cast<float>(b)) {
        args.fail("bounds that float32 can tell apart and subtract", numberText(a) + " and " + numberText(b));
      }
      break;
    case Distribution::normal:
      if (!isFloat(out.dtype)) args.fail("dtype float32, bfloat16 or float16", name(out.dtype));
      if (!(std::isfinite(a) && std::isfinite(b) && b >= 0)) {
        args.fail("a finite mean and a deviation of at least 0", numberText(a) + " and " + numberText(b));
      }
      break;
    case Distribution::integers: {
      if (!isInteger(out.dtype)) args.fail("dtype int32, int64 or uint8", name(out.dtype));
      const double low = out.dtype == DType::int32 ? -2147483648.0 : out.dtype == DType::uint8 ? 0 : -exact;
      const double high = out.dtype == DType::int32 ? 2147483648.0 : out.dtype == DType::uint8 ? 256 : exact;
      if (!isWhole(a, low, high) || !isWhole(b, low, high) || a >= b) {
        args.fail(std::string("integer bounds of ") + name(out.dtype) + ", the first below the second",
                  numberText(a) + " and " + numberText(b));
      }
      break;
    }
    case Distribution::bernoulli: {
      if (!(a >= 0 && a <= 1)) args.fail("a probability in [0, 1]", numberText(a));
      const double high = out.dtype == DType::boolean ? 1 : out.dtype == DType::uint8 ? 255 : 2147483647.0;
      if (isFloat(out.dtype) ? !std::isfinite(b) : !isWhole(b, 0, high)) {
        args.fail(std::string("a value that ") + name(out.dtype) + " can hold", numberText(b));
      }
      break;
    }
    case Distribution::permutation:
      if (out.dtype != DType::int32) args.fail("dtype int32", name(out.dtype));
      if (out.shape.rank() != 1 || out.shape[0] >= int64_t{1} << 31) {
        args.fail("a permutation of fewer than 2^31 numbers", out.text());
      }
      break;
  }
  if (seeded) return {out};
  return {out, args.spec(0)};
}

void forwardRandom(const Arguments& args, Tensors& out) {
  Params kernel;
  for (int i = 0; i < kOwn; i++) kernel.push(args.params.real(i));
  if (out[0].elements() > 0) issue(Kernel::random, kernel, args.in, out);
}

}  // namespace

// The second result shares the state's memory.
const Op randomOp = {.name = "random", .infer = inferRandom, .forward = forwardRandom, .alias = {0, 1}};

}  // namespace needletail
