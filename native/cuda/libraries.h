// NVIDIA's libraries and driver, found and opened at run time: nothing of CUDA is needed to load this library.
#pragma once
#include <string>

namespace needletail::cuda {

// In the order in which they are opened: cuDNN's engines open the other two by name.
enum class Library { nvrtc, cublasLt, cudnn };

// The library's handle for dlsym; all three are opened when one is first asked for. Throws as requireLibraries().
void* library(Library which);
// "9.24.0": of a library that is open.
std::string libraryVersion(Library which);

// Throws an Error that says which library is missing, where it was looked for, what was found instead, and the command
// that mends it.
void requireLibraries();
// Throws where there is no driver that knows CUDA 13, or no GPU of that number that CUDA 13 can use.
void requireGpu(int ordinal);

// What `needletail doctor` shows, as JSON: an array of
// { name: "driver" | "GPU" | "cuDNN" | "cuBLASLt" | "NVRTC", found: string | null, path: string | null,
//   looked: string[], mend: string | null }. `mend` says what to do where something is missing or too old.
std::string report();

}  // namespace needletail::cuda
