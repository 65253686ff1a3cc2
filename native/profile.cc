#include "profile.h"

#include <sstream>

#include "geometry.h"

namespace needletail {

void Clock::tick(Stream& stream) {
  if (backend_.stream) {
    marks_.push_back(backend_.stream->mark(stream, true));
  } else {
    times_.push_back(std::chrono::steady_clock::now());
  }
}

std::vector<double> Clock::ticks() const {
  std::vector<double> ms;
  for (const auto& time : times_) ms.push_back(std::chrono::duration<double, std::milli>(time - times_[0]).count());
  for (const auto& mark : marks_) ms.push_back(mark->since(*marks_[0]));
  return ms;
}

namespace {
double operations(const Call& call) {
  switch (call.kernel) {
    case Kernel::matmul: {
      const Shape& a = call.in[0].shape;
      return 2.0 *
             static_cast<double>(call.out[0].elements() * a.fromEnd(read<Matmul>(call.params).transposeA ? 2 : 1));
    }
    case Kernel::convolution:
    case Kernel::convolutionData:
    case Kernel::convolutionWeights: return 2.0 * ConvolutionShape(call).products();
    default: return 0;
  }
}

std::string list(const Specs& specs) {
  std::string s;
  for (const Spec& spec : specs) (s += s.empty() ? "\"" : ", \"").append(spec.text()) += '"';
  return s;
}
}  // namespace

std::string timedCall(const char* op, const Call& call, double start, double end) {
  size_t bytes = 0;
  for (const Specs* specs : {&call.in, &call.out}) {
    for (const Spec& spec : *specs) bytes += spec.bytes();
  }
  std::ostringstream s;
  s.precision(17);
  s << R"({"op": ")" << op << R"(", "kernel": ")" << name(call.kernel) << R"(", "call": ")" << call.text()
    << R"(", "inputs": [)" << list(call.in) << R"(], "outputs": [)" << list(call.out) << R"(], "start": )" << start
    << R"(, "ms": )" << end - start << R"(, "bytes": )" << bytes << R"(, "operations": )" << operations(call) << "}";
  return s.str();
}

}  // namespace needletail
