// How the calls of this process are computed where a library has a choice, and the plans of that library kept on disk.
#pragma once
#include <optional>
#include <string>

#include "backend.h"

namespace needletail::cuda {

// A call with all that it depends on, in one line: "matmul(0, 1, ...) float32 [2, 3], float32 [4, 3] -> float32 [2,
// 4]".
std::string textOf(const Call& call);

// Notes how a call is computed: by the plan of that name, in parts, by own kernels.
void notePlan(const Call& call, const std::string& plan);
// What the call's plan was when it was last made for the described device: from the file that NEEDLETAIL_CUDA_PLANNED
// names, whose lines are a plan, a tab and textOf(call). For tests that plan only what is new.
std::optional<std::string> plannedBefore(const Call& call);
// What was noted, as a JSON object from textOf(call) to plan.
std::string notedPlans();

// Whether a library's ways to compute a call are tried on the device and the fastest is taken, rather than the one that
// the library thinks fastest; for calls that are prepared from then on. NEEDLETAIL_CUDNN_MEASURE=1 says so at the
// start.
bool measuring();
void setMeasuring(bool on);

// A plan on disk, in the folder `plans` of the library's cache (NEEDLETAIL_CACHE, lib/data/cache.ts).
struct StoredPlan {
  std::string name, data;
};
// `key` names all that a plan depends on. Nothing where there is no such plan, or what is there is broken or another's.
std::optional<StoredPlan> loadPlan(const std::string& key);
// Whole or not at all; where it can't be written, the next process plans again.
void storePlan(const std::string& key, const StoredPlan& plan);

}  // namespace needletail::cuda
