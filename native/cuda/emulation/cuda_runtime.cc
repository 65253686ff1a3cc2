#include "cuda_runtime.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using Work = std::function<void()>;

struct EmulatedNode {
  Work work;
  std::vector<EmulatedNode*> after;
};

struct EmulatedGraph {
  std::vector<std::shared_ptr<EmulatedNode>> nodes;
  // The works in the order in which they run.
  std::vector<Work> works() const {
    std::vector<Work> all;
    std::vector<const EmulatedNode*> done;
    auto isDone = [&](const EmulatedNode* node) { return std::find(done.begin(), done.end(), node) != done.end(); };
    while (done.size() < nodes.size()) {
      const auto next = std::find_if(nodes.rbegin(), nodes.rend(), [&](const auto& node) {
        return !isDone(node.get()) && std::all_of(node->after.begin(), node->after.end(), isDone);
      });
      done.push_back(next->get());
      all.push_back((*next)->work);
    }
    return all;
  }
};
struct EmulatedRun {
  std::vector<Work> works;
};

struct EmulatedStream {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Work> works;
  EmulatedGraph* capturing = nullptr;
  std::vector<EmulatedNode*> ends;  // of what has been captured
  bool gone = false;  // ends with its last work
  EmulatedStream() {
    std::thread([this] { run(); }).detach();
  }
  void run() {
    for (;;) {
      Work next;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return !works.empty() || gone; });
        if (works.empty()) break;
        next = std::move(works.front());
        works.pop_front();
      }
      next();
    }
    delete this;
  }
  void push(Work work) {
    std::lock_guard lock(mutex);
    if (capturing) {
      capturing->nodes.push_back(std::make_shared<EmulatedNode>(std::move(work), ends));
      ends = {capturing->nodes.back().get()};
      return;
    }
    works.push_back(std::move(work));
    changed.notify_one();
  }
};

struct EmulatedEvent {
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool passed = true;
    std::chrono::steady_clock::time_point time;
  };
  std::shared_ptr<State> state = std::make_shared<State>();
};

namespace {

constexpr size_t kMemory = size_t{4} << 30;
constexpr int kDevices = 2;

std::atomic<cudaError_t> lost{cudaSuccess};  // what every call fails with, once a device is lost
thread_local cudaError_t last = cudaSuccess;
std::atomic<size_t> used{0};

// The failures that were asked for.
struct Wish {
  std::string call;
  long first;
  bool on;  // and all after it
  cudaError_t error;
  std::atomic<long> count{0};
};
std::deque<Wish>& wishes() {
  static std::deque<Wish> list;
  static std::once_flag once;
  std::call_once(once, [] {
    const char* text = std::getenv("NEEDLETAIL_EMULATED_FAIL");
    std::istringstream stream(text ? text : "");
    for (std::string one; std::getline(stream, one, ',');) {
      std::istringstream parts(one);
      std::string call, number, error;
      std::getline(parts, call, ':'), std::getline(parts, number, ':'), std::getline(parts, error, ':');
      Wish& wish = list.emplace_back();
      wish.call = call;
      wish.first = std::atol(number.c_str());
      wish.on = number.ends_with("+");
      wish.error = static_cast<cudaError_t>(std::atoi(error.c_str()));
    }
  });
  return list;
}
cudaError_t wished(const char* call) {
  for (Wish& wish : wishes()) {
    if (wish.call != call) continue;
    const long n = ++wish.count;
    if (n == wish.first || (wish.on && n > wish.first)) return wish.error;
  }
  return cudaSuccess;
}

cudaError_t answer(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) last = error;
  return error;
}
// What a call begins with.
cudaError_t begin(const char* call) {
  if (const cudaError_t error = lost.load(); error != cudaSuccess) return answer(error);
  const cudaError_t error = wished(call);
  if (error == cudaErrorIllegalAddress) lost = error;
  return answer(error);
}

}  // namespace

#define BEGIN \
  if (const cudaError_t error = begin(__func__); error != cudaSuccess) return error

cudaError_t cudaGetDeviceCount(int* count) {
  BEGIN;
  *count = kDevices;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  BEGIN;
  return answer(device < kDevices ? cudaSuccess : cudaErrorNoDevice);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  BEGIN;
  *properties = {"the processor, as a GPU", 0, 0, kMemory};
  return cudaSuccess;
}
// Those of an H100.
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) {
  BEGIN;
  *value = which == cudaDevAttrComputeCapabilityMajor ? 9 : 227 << 10;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 0;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }
cudaError_t cudaGetLastError() {
  const cudaError_t error = lost.load() != cudaSuccess ? lost.load() : last;
  last = cudaSuccess;
  return error;
}
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
    default: return "cudaError";
  }
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
    default: return "an error that was asked for";
  }
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  BEGIN;
  // The size stands before the block.
  constexpr size_t kHead = 256;
  if (used.fetch_add(bytes) + bytes > kMemory || posix_memalign(memory, kHead, bytes + kHead) != 0) {
    used -= bytes;
    return answer(cudaErrorMemoryAllocation);
  }
  std::memcpy(*memory, &bytes, sizeof bytes);
  *memory = static_cast<char*>(*memory) + kHead;
  // Fresh memory of a GPU holds anything: a kernel that reads what it has not written is found here.
  std::memset(*memory, 0xff, bytes);
  return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
  BEGIN;
  char* block = static_cast<char*>(memory) - 256;
  size_t bytes;
  std::memcpy(&bytes, block, sizeof bytes);
  used -= bytes;
  std::free(block);
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  BEGIN;
  *total = kMemory;
  *free = kMemory - used;
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  BEGIN;
  *memory = std::malloc(bytes);
  return answer(*memory ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  BEGIN;
  *stream = new EmulatedStream();
  return cudaSuccess;
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  BEGIN;
  *least = 0, *greatest = -1;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
  BEGIN;
  *stream = new EmulatedStream();
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  std::lock_guard lock(stream->mutex);
  stream->gone = true;
  stream->changed.notify_one();
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  BEGIN;
  stream->push([=] {
    if (lost.load() == cudaSuccess && bytes) std::memmove(to, from, bytes);
  });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  BEGIN;
  *event = new EmulatedEvent();
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  BEGIN;
  event->state->passed = false;
  stream->push([state = event->state] {
    std::lock_guard lock(state->mutex);
    state->passed = true;
    state->time = std::chrono::steady_clock::now();
    state->changed.notify_all();
  });
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  BEGIN;
  std::lock_guard lock(event->state->mutex);
  return event->state->passed ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  BEGIN;
  {
    std::unique_lock lock(event->state->mutex);
    event->state->changed.wait(lock, [&] { return event->state->passed; });
  }
  return answer(lost.load());
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  BEGIN;
  auto time = [](cudaEvent_t event) {
    std::lock_guard lock(event->state->mutex);
    return event->state->time;
  };
  *milliseconds = std::chrono::duration<float, std::milli>(time(to) - time(from)).count();
  return answer(lost.load());
}

cudaError_t cudaGraphCreate(cudaGraph_t* graph, unsigned) {
  BEGIN;
  *graph = new EmulatedGraph();
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCaptureToGraph(cudaStream_t stream, cudaGraph_t graph, const cudaGraphNode_t* dependencies,
                                          const cudaGraphEdgeData*, size_t count, cudaStreamCaptureMode) {
  BEGIN;
  std::lock_guard lock(stream->mutex);
  stream->capturing = graph;
  stream->ends.assign(dependencies, dependencies + count);
  return cudaSuccess;
}
cudaError_t cudaStreamGetCaptureInfo(cudaStream_t stream, cudaStreamCaptureStatus* status, unsigned long long*,
                                     cudaGraph_t*, const cudaGraphNode_t** dependencies, const cudaGraphEdgeData**,
                                     size_t* count) {
  std::lock_guard lock(stream->mutex);
  *status = cudaStreamCaptureStatusActive;
  *dependencies = stream->ends.data();
  *count = stream->ends.size();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  std::lock_guard lock(stream->mutex);
  *graph = std::exchange(stream->capturing, nullptr);
  BEGIN;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  BEGIN;
  *exec = new EmulatedRun{graph->works()};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  BEGIN;
  for (const Work& work : exec->works) stream->push(work);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}

void emulatedLaunch(cudaStream_t stream, Work run) {
  if (begin("launch") != cudaSuccess) return;
  stream->push([run = std::move(run)] {
    if (lost.load() != cudaSuccess) return;
    if (const cudaError_t error = wished("kernel"); error != cudaSuccess) {
      lost = error;
      return;
    }
    run();
  });
}
