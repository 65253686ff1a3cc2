#pragma once
#include <cstdlib>
#include <string>

namespace needletail::cuda {

// What an environment variable says; "" where it isn't set.
inline std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace needletail::cuda
