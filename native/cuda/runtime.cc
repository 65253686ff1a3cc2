// Memory, order, graphs and what kernels complain about, over the CUDA runtime.
#include "cuda/runtime.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <new>
#include <sstream>
#include <utility>
#include <vector>

#include "cuda/variable.h"
#include "error.h"

namespace needletail::cuda {

namespace {

constexpr int kMostDevices = 64;
thread_local int current = -1;  // none chosen yet: the first
Complaint* complaints[kMostDevices] = {};  // in memory that host and device see
Complaint nothing{};  // of a described device

// Errors after which every call of the process fails; the others leave the device as it was.
bool isLost(cudaError_t status) {
  switch (status) {
    case cudaErrorMemoryAllocation:
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorNotSupported:
    case cudaErrorNotReady:
    case cudaErrorLaunchOutOfResources:
    case cudaErrorInvalidResourceHandle:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorStreamCaptureUnsupported:
    case cudaErrorStreamCaptureInvalidated:
    case cudaErrorStreamCaptureImplicit: return false;
    default: return true;
  }
}

// Address space that nothing touches, for a described device: each block has an address of its own.
void* placeFor(size_t bytes) {
  constexpr size_t kSpace = size_t{1} << 44;
  static char* const space =
      static_cast<char*>(mmap(nullptr, kSpace, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  static std::atomic<size_t> taken{0};
  const size_t at = taken.fetch_add((bytes + 255) / 256 * 256);
  return space == MAP_FAILED || at + bytes > kSpace ? nullptr : space + at;
}

struct EventMark final : Mark {
  cudaEvent_t event = nullptr;
  EventMark(Stream& stream, bool timed) {
    const unsigned flags = cudaEventBlockingSync | (timed ? cudaEventDefault : cudaEventDisableTiming);
    check(cudaEventCreateWithFlags(&event, flags), "a mark");
    if (const cudaError_t status = cudaEventRecord(event, streamOf(stream)); status != cudaSuccess) {
      cudaEventDestroy(event);
      check(status, "a mark");
    }
  }
  ~EventMark() override { cudaEventDestroy(event); }
  bool passed() override { return cudaEventQuery(event) != cudaErrorNotReady; }
  void wait() override {
    // A short while awake: being woken takes longer than most of what is waited for.
    constexpr auto kAwake = std::chrono::microseconds(50);
    for (const auto end = std::chrono::steady_clock::now() + kAwake; std::chrono::steady_clock::now() < end;) {
      if (const cudaError_t status = cudaEventQuery(event); status != cudaErrorNotReady)
        return check(status, "the work");
    }
    check(cudaEventSynchronize(event), "the work");
  }
  double since(Mark& earlier) override {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, static_cast<EventMark&>(earlier).event, event), "a clock");
    return milliseconds;
  }
};
struct PassedMark final : Mark {
  bool passed() override { return true; }
  void wait() override {}
  double since(Mark&) override { return 0; }
};

struct Graph final : Captured {
  cudaGraphExec_t graph = nullptr;
  ~Graph() override {
    if (graph) cudaGraphExecDestroy(graph);
  }
  void launch(Stream& stream) override {
    if (graph) check(cudaGraphLaunch(graph, streamOf(stream)), "a launch");
  }
};

// The last nodes of a step in a graph, and how what follows is tied to them.
struct Ends {
  std::vector<cudaGraphNode_t> nodes;
  std::vector<cudaGraphEdgeData> edges;
  void add(const Ends& other) {
    for (size_t i = 0; i < other.nodes.size(); i++) {
      if (std::find(nodes.begin(), nodes.end(), other.nodes[i]) != nodes.end()) continue;
      nodes.push_back(other.nodes[i]), edges.push_back(other.edges[i]);
    }
  }
};

// One step into the graph, behind `from`.
Ends captureStep(cudaStream_t stream, cudaGraph_t graph, const Ends& from, const std::function<void()>& step) {
  check(cudaStreamBeginCaptureToGraph(stream, graph, from.nodes.data(), from.edges.data(), from.nodes.size(),
                                      cudaStreamCaptureModeRelaxed),
        "a capture");
  try {
    step();
    cudaStreamCaptureStatus status;
    const cudaGraphNode_t* nodes = nullptr;
    const cudaGraphEdgeData* edges = nullptr;
    size_t count = 0;
    check(cudaStreamGetCaptureInfo(stream, &status, nullptr, nullptr, &nodes, &edges, &count), "a capture");
    Ends ends;
    for (size_t i = 0; i < count; i++) {
      ends.nodes.push_back(nodes[i]);
      ends.edges.push_back(edges ? edges[i] : cudaGraphEdgeData{});
    }
    check(cudaStreamEndCapture(stream, &graph), "a capture");
    return ends;
  } catch (...) {
    cudaStreamEndCapture(stream, &graph);
    cudaGetLastError();
    throw;
  }
}

// Streams, the blocks of whose kernels go before others that could run: from not at all to the most.
struct Urgent {
  std::vector<cudaStream_t> streams;
  Urgent() {
    int least = 0, greatest = 0;
    check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "a capture");
    for (int priority = least; priority >= greatest; priority--) {
      cudaStream_t made = nullptr;
      check(cudaStreamCreateWithPriority(&made, cudaStreamNonBlocking, priority), "a capture");
      streams.push_back(made);
    }
  }
  ~Urgent() {
    for (cudaStream_t stream : streams) cudaStreamDestroy(stream);
  }
  Urgent(const Urgent&) = delete;
  cudaStream_t at(int urgency) const { return streams[std::min<size_t>(urgency, streams.size() - 1)]; }
};

// A stream is another while this lives.
struct Onto {
  Stream& stream;
  void* const before;
  Onto(Stream& stream, cudaStream_t other) : stream(stream), before(std::exchange(stream.handle, other)) {}
  ~Onto() { stream.handle = before; }
};

// How urgent each step is: the steps of the longest way from it to the end. What others wait for goes first.
std::vector<int> urgencies(const std::vector<std::vector<int>>& after) {
  std::vector<int> urgency(after.size(), 0);
  for (size_t i = after.size(); i-- > 0;) {
    for (int before : after[i]) urgency[before] = std::max(urgency[before], urgency[i] + 1);
  }
  return urgency;
}

std::unique_ptr<Captured> capture(Stream& stream, const std::vector<std::vector<int>>& after,
                                  const std::function<void(int)>& step) {
  auto made = std::make_unique<Graph>();
  const int count = static_cast<int>(after.size());
  if (described()) {
    for (int i = 0; i < count; i++) step(i);
    return made;
  }
  static const bool serial = variable("NEEDLETAIL_CUDA_SERIAL") == "1";
  cudaGraph_t graph = nullptr;
  check(cudaGraphCreate(&graph, 0), "a capture");
  const std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, cudaError_t (*)(cudaGraph_t)> owner(graph,
                                                                                                cudaGraphDestroy);
  const Urgent urgent;
  const std::vector<int> urgency = urgencies(after);
  std::vector<Ends> ends;
  for (int i = 0; i < count; i++) {
    Ends from;
    if (serial && i > 0) from = ends.back();
    if (!serial) {
      for (int before : after[i]) from.add(ends[before]);
    }
    const Onto onto(stream, urgent.at(urgency[i]));
    ends.push_back(captureStep(streamOf(stream), graph, from, [&] { step(i); }));
  }
  check(cudaGraphInstantiate(&made->graph, graph, 0), "a capture");
  return made;
}

std::unique_ptr<Mark> mark(Stream& stream, bool timed) {
  if (described()) return std::make_unique<PassedMark>();
  return std::make_unique<EventMark>(stream, timed);
}

void open(Stream& stream) {
  if (described()) return;
  cudaStream_t made = nullptr;
  check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "the opening");
  stream.handle = made;
}

// Whether there was no memory left; throws what else a call for memory failed with.
bool isShort(cudaError_t status) {
  if (status != cudaErrorMemoryAllocation) return check(status, "a call for memory"), false;
  cudaGetLastError();  // forgotten: the caller frees and tries again
  return true;
}

std::shared_ptr<void> hostMemory(size_t bytes) {
  if (described()) return std::shared_ptr<void>(std::calloc(bytes, 1), std::free);
  void* memory = nullptr;
  if (isShort(cudaHostAlloc(&memory, bytes, cudaHostAllocDefault))) return nullptr;
  return std::shared_ptr<void>(memory, [](void* m) { cudaFreeHost(m); });
}

std::string complaint(Stream& stream) {
  Complaint& own = *complaintOf(stream);
  // The device writes it.
  if (std::atomic_ref<int32_t>(own.kind).load(std::memory_order_acquire) == 0) return "";
  const Complaint c = own;
  own = {};
  const char* what[] = {"indices", "labels", "predictions", "positions"};
  return std::string(c.op) + ": expected " + what[c.kind - 1] + " in [0, " + std::to_string(c.limit) + "), got " +
         std::to_string(c.got) + ".";
}

}  // namespace

const StreamCalls streamCalls = {open, mark, hostMemory, capture, complaint};

const std::string* described() {
  static const std::string* const text = []() -> const std::string* {
    const std::string path = variable("NEEDLETAIL_CUDA_DESCRIBED");
    if (path.empty()) return nullptr;
    std::ifstream file(path);
    std::stringstream content;
    content << file.rdbuf();
    if (!file) throw expected("device", "the description of a GPU in the file of NEEDLETAIL_CUDA_DESCRIBED", path);
    return new std::string(content.str());
  }();
  return text;
}

int deviceCount() {
  if (described()) return 1;
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  return std::min(count, kMostDevices);
}

int currentOrdinal() { return std::max(current, 0); }

int attribute(cudaDeviceAttr which) {
  int value = 0;
  if (!described()) check(cudaDeviceGetAttribute(&value, which, currentOrdinal()), "a description");
  return value;
}

void use(int ordinal) {
  if (current == ordinal) return;
  if (!described()) check(cudaSetDevice(ordinal), "the choice of a device");
  current = ordinal;
}

void openDevice(int ordinal) {
  if (described()) return;
  use(ordinal);
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (complaints[ordinal]) return;
  void* memory = nullptr;
  check(cudaHostAlloc(&memory, sizeof(Complaint), cudaHostAllocMapped), "the opening");
  complaints[ordinal] = new (memory) Complaint{};
}

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // told here: the next call must not tell it again
  throw Error(std::string("expected ") + what + " to succeed on the GPU, got " + cudaGetErrorName(status) + " (" +
                  cudaGetErrorString(status) + ")." +
                  (isLost(status) ? " The GPU is lost to this process: start it anew." : ""),
              Fault::device);
}

void checkLaunch() { check(cudaGetLastError(), "a launch"); }

Complaint* complaintOf(Stream&) { return described() ? &nothing : complaints[currentOrdinal()]; }

void* allocate(size_t bytes) {
  if (described()) return placeFor(bytes);
  void* memory = nullptr;
  return isShort(cudaMalloc(&memory, bytes)) ? nullptr : memory;
}
void release(void* memory, size_t) {
  if (!described()) cudaFree(memory);
}

void copyIn(Stream& stream, void* to, const void* from, size_t bytes) {
  if (!described()) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, streamOf(stream)), "a copy");
}
void copyOut(Stream& stream, void* to, const void* from, size_t bytes) {
  if (described()) return void(std::memset(to, 0, bytes));
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, streamOf(stream)), "a copy");
}
void copyWithin(Stream& stream, void* to, const void* from, size_t bytes) {
  if (!described() && bytes)
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, streamOf(stream)), "a copy");
}

MemoryInfo memory() {
  constexpr size_t kDescribed = size_t{1} << 43;
  if (described()) return {kDescribed, kDescribed, kDescribed};
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  return {total, free, total};
}

}  // namespace needletail::cuda
