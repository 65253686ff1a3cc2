#pragma once
#include <algorithm>
#include <memory>

#include "backend.h"

namespace needletail::cuda {

// Several calls as one, each over some of its buffers.
struct Sequence final : Prepared {
  struct Step {
    std::unique_ptr<Prepared> prepared;
    SmallVector<int, 4> buffers;
  };
  std::vector<Step> steps;
  // False where there is no kernel for it.
  bool add(std::unique_ptr<Prepared> prepared, std::initializer_list<int> buffers) {
    if (!prepared) return false;
    workspace = std::max(workspace, prepared->workspace);
    steps.push_back({std::move(prepared), {}});
    for (int buffer : buffers) steps.back().buffers.push_back(buffer);
    return true;
  }
  void run(Stream& stream, void* const* buffers) override {
    for (const Step& step : steps) {
      SmallVector<void*, 4> own;
      for (int buffer : step.buffers) own.push_back(buffers[buffer]);
      step.prepared->run(stream, own.data());
    }
  }
};

}  // namespace needletail::cuda
