#include "device.h"

#include "op.h"
#include "stream_queue.h"
#include "thread_queue.h"

namespace needletail {

thread_local void (*reclaim)() = nullptr;

namespace {
constexpr size_t kCacheLimit = 1 << 14;  // prepared calls: a loop over ever new shapes must not grow without bound
}  // namespace

Device::Device(Backend& backend)
    : backend(backend),
      allocator(backend),
      ownQueue_(backend.stream ? std::unique_ptr<Queue>(std::make_unique<StreamQueue>(*this))
                               : std::make_unique<ThreadQueue>(backend)),
      queue(*ownQueue_) {}

Prepared* Device::cached(const Call& call) {
  std::lock_guard lock(latch_);
  const auto found = cache_.find(call);
  return found != cache_.end() ? found->second.get() : nullptr;
}

Prepared* Device::find(const Call& call) {
  if (Prepared* found = cached(call)) return found;
  std::lock_guard making(making_);
  if (Prepared* found = cached(call)) return found;  // another thread has made it meanwhile
  if (cache_.size() >= kCacheLimit) forget();
  backend.enter();
  auto make = backend.prepare[static_cast<int>(call.kernel)];
  std::unique_ptr<Prepared> prepared = make ? make(call) : nullptr;
  if (!prepared) return nullptr;
  preparedCount_++;
  std::lock_guard lock(latch_);
  return (cache_[call] = std::move(prepared)).get();
}

Prepared& Device::prepare(const Call& call, const char* op) {
  if (Prepared* found = find(call)) return *found;
  throw Error(std::string(op) + ": not implemented on " + backend.name + " for " +
              (call.in.empty() ? name(call.out[0].dtype) : name(call.in[0].dtype)));
}

void Device::forgetPrepared() {
  std::lock_guard making(making_);
  forget();
}
void Device::forget() {
  queue.wait();  // commands in the queue point at prepared calls
  std::lock_guard lock(latch_);
  std::erase_if(cache_, [](const auto& entry) { return entry.second->references == 0; });
}

void* Device::allocate(size_t bytes) {
  if (void* memory = allocator.allocate(bytes)) return memory;
  if (reclaim) reclaim();
  queue.wait();
  allocator.trim();
  if (void* memory = allocator.allocate(bytes)) return memory;
  std::string got = std::to_string(allocator.used()) + " in use";
  if (allocator.limit() < allocator.reserved() + bytes) {
    got = "a limit of " + std::to_string(allocator.limit()) + " with " + got;
  } else if (const MemoryInfo info = backend.memory(); info.free) {
    got += ", " + std::to_string(info.free) + " of " + std::to_string(info.total) + " free on the device";
  }
  throw Error("expected " + std::to_string(bytes) + " bytes of memory on " + backend.name + ", got " + got +
                  ". Dispose of tensors, use a smaller batch, or raise the limit with setMemoryLimit.",
              Fault::memory);
}

void* Device::allocateToStay(size_t bytes) {
  if (allocator.reserved() - allocator.used() > bytes) {
    queue.wait();
    allocator.trim();
  }
  return allocate(bytes);
}

Device& cpuDevice() { return deviceNamed("cpu"); }

}  // namespace needletail
