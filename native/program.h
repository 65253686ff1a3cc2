// A Program: a recorded list of kernel calls with a memory plan, replayed as one command.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "backend.h"
#include "tensor.h"

namespace needletail {

// Which memory a call's buffer is.
struct Slot {
  enum Kind : uint8_t { input, external, temporary } kind;
  int index;
};

struct Step {
  Call call;
  const char* op;
  SmallVector<int, 8> buffers;  // indices into Program::buffers: the inputs, then the outputs
  uint32_t inPlace = 0;
  Prepared* prepared = nullptr;
};

struct Buffer {
  enum Kind : uint8_t { input, external, temporary } kind;
  size_t bytes = 0;
  uint64_t storage = 0;  // its id while recording
  Ref<Storage> held;     // external: kept alive
  size_t offset = 0;     // temporary and input: place in the arena
  int first = -1, last = -1;  // liveness, in steps
};

class Program {
 public:
  Program(Device& device) : device(device) {}
  ~Program();
  // Plans memory and makes the program ready to replay.
  void finish(const Tensors& inputs, const Tensors& results);
  // Copies the inputs in, runs, copies results out: one command in the queue.
  Tensors replay(const Tensors& inputs);
  std::string text() const;

  Device& device;
  std::vector<Step> steps;
  std::vector<Buffer> buffers;
  size_t arenaBytes = 0, unplannedBytes = 0;
  uint64_t replays = 0;

 private:
  friend class Recorder;
  void plan();
  void* arena_ = nullptr;
  std::vector<int> inputBuffers_;
  struct Result { Spec spec; int buffer; };
  std::vector<Result> results_;
  std::vector<std::vector<void*>> addresses_;
};

// Collects what `issue` does between begin and end (per thread).
class Recorder {
 public:
  explicit Recorder(Device& device);
  ~Recorder();
  static Recorder* current();
  void add(const Call& call, const char* op, Prepared& prepared, const Tensors& in, const Tensors& out);
  std::shared_ptr<Program> program;

 private:
  int bufferOf(const Tensor& tensor, bool written);
  std::unordered_map<uint64_t, int> byStorage_;
};

}  // namespace needletail
