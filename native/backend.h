// What a device is to the library: memory, order, and one table from Kernel to the function that prepares it.
#pragma once
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "error.h"
#include "params.h"
#include "spec.h"

namespace needletail {

// The kernels, and what a device calls the function that prepares each. Which elementwise row, reduction, distribution
// or optimizer, and the epilogue of a convolution or matmul (bias, activation, residual) are parameters, not entries.
// Parameter layouts stand in params.h.
// clang-format off
#define NEEDLETAIL_KERNELS(K)                                                                                         \
  K(elementwise, prepareElementwise) K(elementwiseRun, prepareElementwiseRun) K(cast, prepareCast)                    \
  K(fill, prepareFill) K(copy, prepareCopy)                                                                           \
  K(iota, prepareIota) K(reduce, prepareReduce) K(argReduce, prepareArgReduce) K(cumulate, prepareCumulate)           \
  K(softmax, prepareSoftmax) K(softmaxGradient, prepareSoftmaxGradient)                                               \
  K(softmaxCrossEntropy, prepareSoftmaxCrossEntropy)                                                                  \
  K(softmaxCrossEntropyGradient, prepareSoftmaxCrossEntropyGradient)                                                  \
  K(linearCrossEntropyGradient, prepareLinearCrossEntropyGradient) K(matmul, prepareMatmul)                           \
  K(convolution, prepareConvolution) K(convolutionData, prepareConvolutionData)                                       \
  K(convolutionWeights, prepareConvolutionWeights) K(convolutionGradients, prepareConvolutionGradients)               \
  K(pool, preparePool) K(poolGradient, preparePoolGradient)                                                           \
  K(batchNorm, prepareBatchNorm) K(batchNormGradient, prepareBatchNormGradient) K(layerNorm, prepareLayerNorm)        \
  K(layerNormGradient, prepareLayerNormGradient) K(permute, preparePermute) K(slice, prepareSlice)                    \
  K(pad, preparePad) K(concat, prepareConcat) K(gather, prepareGather) K(scatterAdd, prepareScatterAdd)               \
  K(sort, prepareSort) K(topK, prepareSort) K(resize, prepareResize) K(resizeGradient, prepareResizeGradient)         \
  K(random, prepareRandom) K(optimizer, prepareOptimizer) K(batch, prepareBatch) K(count, prepareCount)
// clang-format on

enum class Kernel : uint8_t {
#define K(name, function) name,
  NEEDLETAIL_KERNELS(K)
#undef K
};
#define K(name, function) +1
constexpr int kKernels = 0 NEEDLETAIL_KERNELS(K);
#undef K
const char* name(Kernel kernel);

// A kernel call as an op issues it and a Program records it: no pointers.
struct Call {
  Kernel kernel;
  Params params;
  Specs in, out;
  std::string text() const;
  bool operator==(const Call& other) const;
  struct Hash {
    size_t operator()(const Call& call) const;
  };
};

// Where prepared calls run: a device's stream and its scratch memory.
struct Stream {
  void* handle = nullptr;  // cudaStream_t on CUDA
  void* workspace = nullptr;  // at least as large as the Prepared asked
  const char* op = "";  // whose call is run
};

// What a device makes of a Call, once, and caches by it: a oneDNN primitive, a cuDNN plan, a launch configuration.
struct Prepared {
  virtual ~Prepared() = default;
  // buffers: the call's inputs, then its outputs. A failure is thrown as Error without the op's name.
  virtual void run(Stream& stream, void* const* buffers) = 0;

  // Of a call that first brings one of its inputs into a layout of its own, as weights often are: which input, and the
  // bytes that takes. While the input stays as it is a Program keeps what pack() has made of it, and runPacked() gets
  // that in the input's place. Its results are those of run() to the bit.
  struct Packing {
    int input = -1;  // none
    size_t bytes = 0;
  } packing;
  virtual void pack(Stream&, const void* /*input*/, void* /*packed*/) {}
  virtual void runPacked(Stream&, void* const* /*buffers*/) {}

  // What of a call is run. pack: its buffers are the input and what is made of it.
  enum class Part : uint8_t { whole, pack, packed };
  void run(Stream& stream, void* const* buffers, Part part) {
    switch (part) {
      case Part::whole: return run(stream, buffers);
      case Part::pack: return pack(stream, buffers[0], buffers[1]);
      case Part::packed: return runPacked(stream, buffers);
    }
  }

  size_t workspace = 0;  // bytes of scratch memory that any of them uses
  double cost = 0;  // estimated nanoseconds on one thread; decides whether a reader runs it itself
  bool threadBound = false;  // true: it uses the team of threads, so only the queue's own or who waits for it runs it
  std::atomic<int> references{0};
};

struct MemoryInfo {
  size_t total = 0;  // bytes the device has (the container's limit on a CPU)
  size_t free = 0;  // of them, in nobody's use; 0 where the device can't tell
  size_t limit = 0;  // how many may be held unless the user says otherwise
};

// A place in a stream.
struct Mark {
  virtual ~Mark() = default;
  virtual bool passed() = 0;  // whether all that was enqueued before it has run
  virtual void wait() = 0;  // until it has; throws what has become of the device
  virtual double since(Mark& earlier) = 0;  // milliseconds between two that are timed and have passed
};

// What a stream was given once, to be launched again as one thing.
struct Captured {
  virtual ~Captured() = default;
  virtual void launch(Stream& stream) = 0;
};

// Of backends where run() only enqueues.
struct StreamCalls {
  void (*open)(Stream&);  // makes the stream's handle
  std::unique_ptr<Mark> (*mark)(Stream&, bool timed);
  // Host memory that the device copies from and to while the host goes on; null when there is none.
  std::shared_ptr<void> (*hostMemory)(size_t bytes);
  // What the steps enqueue, kept instead of run: step i runs after those in after[i] (before it in number) have, and
  // else beside any. Its memory must stay. Throws where something in it can't be kept.
  std::unique_ptr<Captured> (*capture)(Stream&, const std::vector<std::vector<int>>& after,
                                       const std::function<void(int)>& step);
  // What kernels that have run found wrong with their values since this was last asked; empty: nothing.
  std::string (*complaint)(Stream&);
};

struct Transfer {
  void* to;
  const void* from;
  size_t bytes;
};

struct Backend {
  const char* name;  // "cpu", "cuda:0"
  int ordinal;  // which of its kind
  size_t alignment;  // bytes at whose multiples tensors begin
  // Null where run() computes, so that the queue needs a thread.
  const StreamCalls* stream;
  void (*use)(int ordinal);  // the calling thread works with this device from now on; null: there is one
  void* (*allocate)(size_t bytes);  // nullptr when there is no memory left
  void (*release)(void* memory, size_t bytes);
  void (*copyIn)(Stream&, void* to, const void* from, size_t bytes);  // host to device, in stream order
  void (*copyOut)(Stream&, void* to, const void* from, size_t bytes);  // device to host, in stream order
  void (*copy)(Stream&, std::span<const Transfer>);  // within the device, in stream order
  void (*rest)();  // the calling thread will compute nothing for a while: gives its team of threads back; or null
  MemoryInfo (*memory)();
  // What there is to know of it, as JSON: { "name": "NVIDIA H200", "driver": "13.0", ... }; null: nothing.
  std::string (*description)(int ordinal);
  // From Kernel to what prepares it; a null entry is an op that says `<op>: not implemented on <device>`.
  using Prepare = std::unique_ptr<Prepared> (*)(const Call&);
  Prepare prepare[kKernels];

  void enter() const {
    if (use) use(ordinal);
  }
};

Backend& cpuBackend();

}  // namespace needletail
