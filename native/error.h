// The one form of an error: `<op>: expected <what>, got <actual>. <hint>`.
#pragma once
#include <stdexcept>
#include <string>

namespace needletail {

enum class Fault { argument, memory, device };

struct Error : std::runtime_error {
  Error(const std::string& message, Fault fault = Fault::argument) : std::runtime_error(message), fault(fault) {}
  Fault fault;
};

inline Error expected(const std::string& op, const std::string& what, const std::string& actual,
                      const std::string& hint = "") {
  return Error(op + ": expected " + what + ", got " + actual + "." + (hint.empty() ? "" : " " + hint));
}

}  // namespace needletail
