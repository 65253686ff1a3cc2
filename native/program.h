// A Program: a recorded list of kernel calls with a memory plan, replayed as one command. What follows from tensors
// outside of it alone, such as weights in another dtype or layout, it keeps from one replay to the next.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend.h"
#include "profile.h"
#include "tensor.h"

namespace needletail {

struct Step {
  Call call;
  const char* op;
  SmallVector<int, 8> buffers;  // indices into Program::buffers: the inputs, then the outputs
  Prepared* prepared = nullptr;
  Prepared::Part part = Prepared::Part::whole;  // pack: buffers: what is packed, the packed form
};

struct Buffer {
  enum Kind : uint8_t { input, external, temporary, kept } kind;
  size_t bytes = 0;
  Ref<Storage> held;  // external: kept alive
  size_t offset = 0;  // all but external: its place in the arena
  int first = -1, last = -1;  // steps between which its value is needed; from finish() on
};

class Program {
 public:
  ~Program();
  Program() = default;
  Program(const Program&) = delete;
  // Plans memory by liveness; the program can be replayed from then on.
  void finish();
  // Copies the inputs in, runs, copies the results out: one command in the queue, no allocation but the results.
  Tensors replay(const Tensors& inputs);
  // A replay that is waited for: a JSON list of its timed calls. Copying the inputs in and the results out are calls,
  // too.
  std::string profile(const Tensors& inputs);
  // Whether a tensor that it reads or changes has left its memory.
  bool isStale() const;
  // One line a step: kernel, parameters, buffers with shapes; then the memory plan.
  std::string text() const;

  Device* device = nullptr;  // where all of it runs
  std::vector<Step> steps;
  // What makes the `kept` buffers, before the other steps, where a tensor that they follow from has changed since it
  // last did. A step that changes such a tensor must change what is kept with it.
  struct Keeping {
    Step step;
    SmallVector<int, 4> from;  // external buffers
    uint64_t seen = ~uint64_t{0};  // the sum of their versions, which only go up
    size_t inputs() const;  // how many of the step's buffers it reads
  };
  std::vector<Keeping> prologue;
  std::vector<Buffer> buffers;
  // For passes: another call in place of a step; false where the device has no kernel for it.
  bool replace(size_t step, Call call, const char* op, SmallVector<int, 8> buffers);
  bool insert(size_t step, Call call, const char* op, SmallVector<int, 8> buffers);  // before that step; false alike
  void remove(size_t step);
  // Moves a step whose inputs are external or kept into the prologue; what it makes is kept.
  void keep(size_t step);
  void forget(size_t step);  // of the prologue
  // The step reads the packed form of the input that its call packs, which is kept.
  void keepPacked(size_t step);
  void redirect(int buffer, int other);  // steps use the other in its place

  struct Port {
    Spec spec;
    int buffer;
  };
  std::vector<Port> inputs, results;
  size_t arenaBytes = 0;
  // What the passes did, and how often.
  struct Change {
    const char* pass;
    int count;
  };
  std::vector<Change> changes;

 private:
  // What the queue needs for a replay, captured by devices that can; holds nothing that is counted on the JavaScript
  // thread.
  struct Run;
  Tensors enqueue(const Tensors& inputs, std::shared_ptr<Clock> clock);
  size_t aligned(size_t bytes) const;
  void* addressOf(int buffer) const;
  // Of each step the steps that must have run before it: they write what it reads or writes, or read what it writes.
  struct Order {
    std::vector<std::vector<int>> after;  // but for those that one of them comes after
    std::vector<std::vector<bool>> comesAfter;
  };
  // By where buffers lie; scratch: the buffer of each step's scratch memory, or -1.
  Order inOrder(const std::vector<int>& scratch,
                const std::function<std::pair<const char*, const char*>(int buffer)>& placeOf) const;
  void addKept(Step step);
  uint64_t version(const Keeping& keeping) const;
  void* arena_ = nullptr;
  std::shared_ptr<Run> run_;
  std::vector<Storage*> written_;  // external, by its steps
};

// Collects what `issue` does on this thread while it lives.
class Recorder {
 public:
  // `inputs`: fresh tensors that the function will be called with.
  explicit Recorder(const Tensors& inputs);
  ~Recorder();
  static Recorder* current();
  void add(const Call& call, const char* op, Prepared& prepared, const Tensors& in, const Tensors& out);
  std::unique_ptr<Program> finish(const Tensors& results);

 private:
  void useDevice(Device& device);
  int bufferOf(const Tensor& tensor, bool written);
  std::unique_ptr<Program> program_;
  uint64_t firstId_;
  std::unordered_map<uint64_t, int> byStorage_;
};

}  // namespace needletail
