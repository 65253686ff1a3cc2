// The border to JavaScript: the only file that knows Node-API. Tensors cross as integer handles; lists of handles and
// numbers through scratch memory that both sides see. Plain C calls where an op takes a fraction of a microsecond,
// node-addon-api elsewhere.
#include <napi.h>
#include <omp.h>

#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "autograd.h"
#include "cpu/cpu.h"
#include "device.h"
#include "handles.h"
#include "ops/elementwise_tensor.h"
#include "ops/ops.h"
#include "program.h"
#include "transfer.h"

namespace needletail {

namespace {

constexpr int kScratchHandles = 1 << 14, kScratchNumbers = 1 << 12;
constexpr int64_t kReportStep = 1 << 20;  // bytes by which memory changes before the garbage collector hears of it

// How a queue's threads reach a JavaScript thread, which may have gone: its threadsafe function must not be touched
// then.
struct Mailbox {
  std::shared_mutex mutex;  // shared by those who put letters in
  napi_threadsafe_function function = nullptr;  // none: the thread has gone
  // `write` fills memory of that thread, which stays as long as it runs.
  template <class F>
  bool put(void* letter, F write) {
    std::shared_lock lock(mutex);
    if (!function) return false;
    write();
    return napi_call_threadsafe_function(function, letter, napi_tsfn_nonblocking) == napi_ok;
  }
  void close() {
    std::lock_guard lock(mutex);
    function = nullptr;
  }
};

// What one JavaScript thread has.
struct Environment {
  napi_env env;
  Handles handles;
  int32_t in[kScratchHandles];  // from JavaScript: handles, -1 for none
  int32_t out[kScratchHandles];  // to JavaScript
  double numbers[kScratchNumbers];  // both ways: parameters, shapes
  std::unique_ptr<Recorder> recorder;
  std::unique_ptr<GradientMode> recordingMode;
  std::unique_ptr<Journal> journal;
  std::vector<std::unique_ptr<Program>> programs;
  int64_t reported = 0;
  uint64_t crossings = 0;
  napi_threadsafe_function wakeUp = nullptr;
  std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
  napi_ref collect = nullptr;
  int reading = 0;  // reads that JavaScript waits for: they keep the process alive

  explicit Environment(napi_env env) : env(env), handles(this, alive, forget) {}
  static bool alive(void* context, void* reference) {
    napi_value value = nullptr;
    napi_get_reference_value(static_cast<Environment*>(context)->env, static_cast<napi_ref>(reference), &value);
    return value != nullptr;
  }
  static void forget(void* context, void* reference) {
    napi_delete_reference(static_cast<Environment*>(context)->env, static_cast<napi_ref>(reference));
  }
  void reportMemory() {
    const int64_t used = static_cast<int64_t>(bytesInUse());
    if (used - reported < kReportStep && reported - used < kReportStep) return;
    int64_t result;
    napi_adjust_external_memory(env, used - reported, &result);
    reported = used;
  }
  int32_t add(Tensor t) {
    const int32_t handle = handles.add(std::move(t));
    reportMemory();
    return handle;
  }
};
NEEDLETAIL_THREAD Environment* here = nullptr;

[[noreturn]] void failArgument(const char* what, const char* got, const char* hint = "") {
  throw expected("needletail", what, got, hint);
}

napi_value throwError(napi_env env, const std::exception& error) {
  const auto* known = dynamic_cast<const Error*>(&error);
  const char* codes[] = {"ERR_ARGUMENT", "ERR_MEMORY", "ERR_DEVICE"};
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, known ? codes[static_cast<int>(known->fault)] : "ERR_INTERNAL", error.what());
  return nullptr;
}

// A JavaScript exception is pending already: leave C++ until the border.
struct JavaScriptThrew : std::exception {
  const char* what() const noexcept override { return "a JavaScript callback threw"; }
};

// The arguments of a call, with checks. Numbers that are not are 0: TypeScript has checked what users pass.
struct Call_ {
  napi_env env;
  Environment& here;
  size_t count;
  napi_value values[8];
  int32_t integer(int i) const {
    int32_t v = 0;
    if (i < static_cast<int>(count)) napi_get_value_int32(env, values[i], &v);
    return v;
  }
  double number(int i) const {
    double v = 0;
    if (i < static_cast<int>(count)) napi_get_value_double(env, values[i], &v);
    return v;
  }
  bool flag(int i) const {
    bool v = false;
    if (i < static_cast<int>(count)) napi_get_value_bool(env, values[i], &v);
    return v;
  }
  const Op& op(int i) const {
    const auto& ops = allOps();
    const int32_t index = integer(i);
    if (index < 0 || index >= static_cast<int32_t>(ops.size()))
      failArgument("the number of an op", std::to_string(index).c_str());
    return *ops[index];
  }
  const Tensor& tensor(int i, const char* op) const { return find(integer(i), op); }
  const Tensor& find(int32_t handle, const char* op) const {
    const Tensor* found = here.handles.find(handle);
    if (!found)
      throw expected(op, "a live tensor", "a disposed one",
                     "It was disposed of, or its tidy() scope or `using` block has ended.");
    return *found;
  }
  // `n` handles from the scratch memory, -1 for none.
  Tensors list(int first, int n, const char* op) const {
    if (n < 0 || first < 0 || first + n > kScratchHandles)
      failArgument("at most 16384 tensors", std::to_string(n).c_str());
    Tensors tensors;
    tensors.reserve(n);
    for (int i = first; i < first + n; i++) tensors.push_back(here.in[i] < 0 ? Tensor() : find(here.in[i], op));
    return tensors;
  }
  // Puts handles of results into the scratch memory and returns their number.
  napi_value give(const Tensors& tensors) const {
    if (tensors.size() > kScratchHandles) failArgument("at most 16384 results", std::to_string(tensors.size()).c_str());
    for (size_t i = 0; i < tensors.size(); i++) here.out[i] = tensors[i] ? here.add(tensors[i]) : -1;
    return integerValue(static_cast<int32_t>(tensors.size()));
  }
  std::string string(int i) const {
    char text[256];
    size_t length = 0;
    if (i < static_cast<int>(count)) napi_get_value_string_utf8(env, values[i], text, sizeof text, &length);
    return std::string(text, length);
  }
  napi_value integerValue(int32_t v) const {
    napi_value value;
    napi_create_int32(env, v, &value);
    return value;
  }
  napi_value numberValue(double v) const {
    napi_value value;
    napi_create_double(env, v, &value);
    return value;
  }
  napi_value text(const std::string& s) const {
    napi_value value;
    napi_create_string_utf8(env, s.data(), s.size(), &value);
    return value;
  }
  napi_value none() const { return nullptr; }
};

template <napi_value (*F)(const Call_&)>
napi_value enter(napi_env env, napi_callback_info info) {
  Call_ call{env, *here, 8, {}};
  napi_get_cb_info(env, info, &call.count, call.values, nullptr, nullptr);
  call.count = std::min<size_t>(call.count, 8);
  call.here.crossings++;
  try {
    return F(call);
  } catch (const std::exception& error) {
    return throwError(env, error);
  }
}

// --- ops

// unary(op, a, p, q) → handle
napi_value unary(const Call_& c) {
  const Op& op = c.op(0);
  Params params;
  if (c.count > 2) params = {c.number(2), c.number(3)};
  return c.integerValue(c.here.add(apply1(op, {c.tensor(1, op.name)}, params)));
}
// binary(op, a, b) → handle
napi_value binary(const Call_& c) {
  const Op& op = c.op(0);
  return c.integerValue(c.here.add(apply1(op, {c.tensor(1, op.name), c.tensor(2, op.name)})));
}
// binaryNumber(op, a, number, flipped) → handle
napi_value binaryNumber(const Call_& c) {
  const Op& op = c.op(0);
  const Tensor& a = c.tensor(1, op.name);
  const Tensor number = Tensor::immediate(c.number(2), a.dtype());
  return c.integerValue(c.here.add(c.flag(3) ? apply1(op, {number, a}) : apply1(op, {a, number})));
}
// invoke(op, inputs, parameters) → number of results
napi_value invoke(const Call_& c) {
  const Op& op = c.op(0);
  const int count = c.integer(2);
  Params params;
  if (count < 0 || count > Params::kMax) failArgument("at most 40 parameters", std::to_string(count).c_str());
  for (int i = 0; i < count; i++) params.push(c.here.numbers[i]);
  return c.give(apply(op, c.list(0, c.integer(1), op.name), params));
}

// --- making and reading

Spec specFrom(const Call_& c, int dtypeIndex, int rankIndex) {
  Spec spec;
  const int dtype = c.integer(dtypeIndex), rank = c.integer(rankIndex);
  if (dtype < 0 || dtype >= kDTypes) failArgument("a dtype", std::to_string(dtype).c_str());
  if (rank < 0 || rank > kMaxRank)
    throw expected("tensor", "a shape of at most 8 axes", std::to_string(rank) + " axes");
  spec.dtype = static_cast<DType>(dtype);
  for (int i = 0; i < rank; i++) {
    const double d = c.here.numbers[i];
    if (!(d >= 0 && d <= 9e15) || d != static_cast<double>(static_cast<int64_t>(d))) {
      throw expected("tensor", "sizes that are whole numbers from 0", std::to_string(d));
    }
    spec.shape.push(static_cast<int64_t>(d));
  }
  return spec;
}

struct Bytes {
  const void* data = nullptr;
  size_t size = 0;
};
Bytes bytesOf(const Call_& c, int i) {
  Bytes bytes;
  bool typed = false, view = false;
  napi_is_typedarray(c.env, c.values[i], &typed);
  napi_is_dataview(c.env, c.values[i], &view);
  void* data = nullptr;
  if (typed) {
    napi_typedarray_type type;
    size_t length = 0;
    napi_get_typedarray_info(c.env, c.values[i], &type, &length, &data, nullptr, nullptr);
    const size_t sizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    bytes.size = length * (static_cast<size_t>(type) < std::size(sizes) ? sizes[type] : 1);
  } else {
    napi_get_arraybuffer_info(c.env, c.values[i], &data, &bytes.size);
  }
  bytes.data = data;
  return bytes;
}

// Copies bytes into a tensor's memory in the order of the queue; JavaScript may change its array right away.
void upload(const char* op, const Tensor& tensor, const Bytes& bytes) {
  Storage* storage = tensor.storage();
  storage->version++;
  if (bytes.size == 0) return;
  try {
    storage->device.queue.write(storage->data, bytes.data, bytes.size);
  } catch (const Error& error) {
    throw Error(std::string(op) + ": " + error.what(), error.fault);
  }
}

// create(dtype, rank, bytes) → handle; the shape is in the numbers
napi_value create(const Call_& c) {
  const Spec spec = specFrom(c, 0, 1);
  const Bytes bytes = bytesOf(c, 2);
  Tensor t = empty(spec);
  if (bytes.size != spec.bytes()) {
    throw expected("tensor", std::to_string(spec.bytes()) + " bytes for " + spec.text(),
                   std::to_string(bytes.size) + " bytes");
  }
  upload("tensor", t, bytes);
  return c.integerValue(c.here.add(t));
}
// write(handle, bytes): new values in place
napi_value write_(const Call_& c) {
  const Tensor& t = c.tensor(0, "write");
  const Bytes bytes = bytesOf(c, 1);
  if (bytes.size != t.spec().bytes()) {
    throw expected("write", std::to_string(t.spec().bytes()) + " bytes for " + t.spec().text(),
                   std::to_string(bytes.size) + " bytes");
  }
  if (c.here.recorder)
    throw expected("write", "no upload inside a compiled function", "one", "Pass the values as an argument.");
  upload("write", t, bytes);
  return c.none();
}
// describe(handle) → dtype * 16 + rank; the shape is in the numbers
napi_value describe(const Call_& c) {
  const Spec& spec = c.tensor(0, "shape").spec();
  for (int i = 0; i < spec.shape.rank(); i++) c.here.numbers[i] = static_cast<double>(spec.shape[i]);
  return c.integerValue(static_cast<int>(spec.dtype) * 16 + spec.shape.rank());
}
napi_value alive(const Call_& c) {
  napi_value value;
  napi_get_boolean(c.env, c.here.handles.find(c.integer(0)) != nullptr, &value);
  return value;
}
napi_value dispose(const Call_& c) {
  c.here.handles.dispose(c.integer(0));
  return c.none();
}
// adopt(block, object): the object that the tensors of a block share
napi_value adopt(const Call_& c) {
  napi_ref reference;
  if (napi_create_reference(c.env, c.values[1], 0, &reference) != napi_ok) failArgument("an object", "something else");
  c.here.handles.adopt(c.integer(0), reference);
  // V8's young collector goes by its own bytes: a loop over small objects that stand for much memory, or that the
  // compiler never allocates, would not make it run. Garbage in proportion to the memory does.
  constexpr size_t kMost = 1 << 14;  // words
  napi_value garbage;
  napi_create_array_with_length(c.env, std::min(c.here.handles.bytes(c.integer(0)) / 256, kMost), &garbage);
  return c.none();
}

void checkReadable(const Call_& c) {
  if (c.here.recorder) {
    throw expected("data", "no reading inside a compiled function", "a read",
                   "Return the tensor from the function and read it outside.");
  }
}
// The values as an ArrayBuffer, after waiting.
napi_value bufferOf(const Call_& c, const Tensor& t) {
  void* to = nullptr;
  napi_value buffer;
  if (napi_create_arraybuffer(c.env, t.spec().bytes(), &to, &buffer) != napi_ok)
    throw Error("data: expected memory for the values, got none.", Fault::memory);
  t.storage()->device.queue.readSync(to, t.storage()->data, t.spec().bytes());
  return buffer;
}
// readSmall(handle) → elements * 16 + dtype, with the values in the numbers; -1 when they are many or of half precision
napi_value readSmall(const Call_& c) {
  constexpr size_t kMost = 64;  // bytes up to which V8 makes arrays without a buffer
  checkReadable(c);
  const Tensor t = c.tensor(0, "data");
  const size_t bytes = t.spec().bytes();
  if (bytes > kMost || (isFloat(t.dtype()) && t.dtype() != DType::float32)) return c.integerValue(-1);
  t.storage()->device.queue.readSync(c.here.numbers, t.storage()->data, bytes);
  return c.integerValue(static_cast<int32_t>(t.elements()) * 16 + static_cast<int32_t>(t.dtype()));
}
// readSync(handle) → ArrayBuffer
napi_value readSync(const Call_& c) {
  checkReadable(c);
  return bufferOf(c, c.tensor(0, "data"));
}
// itemSync(handle) → number (all dtypes but float16, bfloat16)
napi_value itemSync(const Call_& c) {
  checkReadable(c);
  const Tensor t = c.tensor(0, "item");
  if (t.elements() != 1) throw expected("item", "a tensor of one element", t.spec().text(), "See data() and array().");
  union {
    float float32;
    int32_t int32;
    int64_t int64;
    uint8_t uint8;
  } value;
  if (isFloat(t.dtype()) && t.dtype() != DType::float32)
    throw expected("item", "a dtype that JavaScript can read", name(t.dtype()));
  t.storage()->device.queue.readSync(&value, t.storage()->data, t.spec().bytes());
  switch (t.dtype()) {
    case DType::float32: return c.numberValue(value.float32);
    case DType::int32: return c.numberValue(value.int32);
    case DType::int64: return c.numberValue(static_cast<double>(value.int64));
    default: return c.numberValue(value.uint8);
  }
}
// readNow(handle) → ArrayBuffer; undefined when the queue's thread is at work, or where copying takes more than a
// moment: this thread has timers to serve
napi_value readNow(const Call_& c) {
  constexpr int64_t kMost = 1 << 18;  // bytes
  checkReadable(c);
  const Tensor t = c.tensor(0, "data");
  if (t.spec().bytes() > kMost) return c.none();
  return t.storage()->device.queue.tryFinish() ? bufferOf(c, t) : c.none();
}

struct Read {
  napi_deferred deferred;
  napi_ref buffer = nullptr;  // JavaScript sees it when it is filled
  void* to = nullptr;
  Failure failure;
};
void finishRead(napi_env env, napi_value, void* context, void* data) {
  std::unique_ptr<Read> read(static_cast<Read*>(data));
  if (!env) return;  // the environment is being torn down
  auto* owner = static_cast<Environment*>(context);
  if (--owner->reading == 0) napi_unref_threadsafe_function(env, owner->wakeUp);
  napi_value value = nullptr;
  napi_get_reference_value(env, read->buffer, &value);
  napi_delete_reference(env, read->buffer);
  if (read->failure) {
    napi_value code, message;
    napi_create_string_utf8(env, "ERR_DEVICE", NAPI_AUTO_LENGTH, &code);
    napi_create_string_utf8(env, read->failure->what(), NAPI_AUTO_LENGTH, &message);
    napi_create_error(env, code, message, &value);
    napi_reject_deferred(env, read->deferred, value);
    return;
  }
  napi_resolve_deferred(env, read->deferred, value);
}
// readLater(handle, into?) → Promise of an ArrayBuffer, `into` where it is given; a thread of the queue fills it, in
// the order of the queue. A handle of -1 only waits.
napi_value readLater(const Call_& c) {
  checkReadable(c);
  const bool any = c.integer(0) >= 0;
  const Tensor t = any ? c.tensor(0, "data") : Tensor();
  const size_t bytes = any ? t.spec().bytes() : 0;
  auto read = std::make_unique<Read>();
  napi_value promise, buffer;
  if (c.count > 1) {
    const Bytes into = bytesOf(c, 1);
    bool isMemory = false;
    napi_is_arraybuffer(c.env, c.values[1], &isMemory);
    if (!isMemory || into.size != bytes) {
      throw expected("data", "an ArrayBuffer of " + std::to_string(bytes) + " bytes for the values",
                     isMemory ? std::to_string(into.size) : "something else");
    }
    buffer = c.values[1];
    read->to = const_cast<void*>(into.data);
  } else if (napi_create_arraybuffer(c.env, bytes, &read->to, &buffer) != napi_ok) {
    throw Error("data: expected memory for the values, got none.", Fault::memory);
  }
  // A thread that is being terminated gets no promise any more, and doesn't come to ask for it.
  if (napi_create_promise(c.env, &read->deferred, &promise) != napi_ok) return c.none();
  napi_create_reference(c.env, buffer, 1, &read->buffer);
  if (c.here.reading++ == 0) napi_ref_threadsafe_function(c.env, c.here.wakeUp);
  Device& device = any ? t.storage()->device : defaultDevice();
  const void* from = any ? t.storage()->data : nullptr;
  auto answer = [read = read.release(), bytes, mailbox = c.here.mailbox](const void* values, Failure failure) {
    read->failure = std::move(failure);
    const bool sent = mailbox->put(read, [&] {
      if (!read->failure && bytes) std::memcpy(read->to, values, bytes);
    });
    if (!sent) delete read;
  };
  try {
    device.queue.read(from, bytes, answer);
  } catch (const Error& error) {
    answer(nullptr, std::make_shared<const Error>(error));
  }
  return promise;
}
// sync(): waits, and throws the first failure that nobody has seen
napi_value sync(const Call_& c) {
  checkReadable(c);
  defaultDevice().queue.wait();
  if (Failure failure = defaultDevice().queue.takeFailure()) throw *failure;
  return c.none();
}

// --- gradients

napi_value gradientMode_(const Call_& c) {
  const bool before = gradientMode();
  setGradientMode(c.flag(0));
  napi_value value;
  napi_get_boolean(c.env, before, &value);
  return value;
}
// setCompute(precision, isExact): a number as in Compute (op.h)
napi_value setCompute_(const Call_& c) {
  const int32_t next = c.integer(0);
  if (next < 0 || next > static_cast<int32_t>(Compute::float16))
    failArgument("a precision", std::to_string(next).c_str());
  setCompute(static_cast<Compute>(next));
  setExact(c.flag(1));
  return nullptr;
}
napi_value requiresGradient(const Call_& c) {
  napi_value value;
  napi_get_boolean(c.env, c.tensor(0, "requiresGradient").requiresGradient(), &value);
  return value;
}
// parameter(handle, on): becomes a leaf that collects a gradient, or without `on` a tensor without history
napi_value parameter(const Call_& c) {
  Tensor t = c.tensor(0, "parameter");
  if (!c.flag(1)) {
    t.body()->node = {};
    return c.none();
  }
  if (!isFloat(t.dtype()))
    throw expected("parameter", "float32, bfloat16 or float16", name(t.dtype()), "Only these have gradients.");
  requireGradient(t);
  return c.none();
}
napi_value leaf_(const Call_& c) {
  const Tensor& t = c.tensor(0, "grad");
  if (!isFloat(t.dtype())) throw expected("grad", "a tensor of float32, bfloat16 or float16", t.spec().text());
  return c.integerValue(c.here.add(leaf(t)));
}
napi_value detach(const Call_& c) { return c.integerValue(c.here.add(c.tensor(0, "detach").detached())); }
// backward(output, seed or -1, targets, graph, keep) → number of results; targets in the scratch memory; -1: takes no
// part
napi_value backward_(const Call_& c) {
  const Tensor output = c.tensor(0, "grad");
  if (!isFloat(output.dtype()))
    throw expected("grad", "a result of float32, bfloat16 or float16", output.spec().text());
  Tensor seed;
  if (c.integer(1) >= 0) {
    seed = c.tensor(1, "grad");
    if (!(seed.spec() == output.spec()))
      throw expected("grad", "a seed of " + output.spec().text(), seed.spec().text());
  } else {
    if (output.elements() != 1) {
      throw expected("grad", "a function with a scalar result", output.spec().text(),
                     "Reduce it with sum() or mean().");
    }
    DeviceScope scope(output.storage()->device);
    seed = full(output.spec(), 1);
  }
  return c.give(backward(output, seed, c.list(0, c.integer(2), "grad"), c.flag(3), c.flag(4)));
}
// recordCustom(name, inputs, outputs, backward): results in the scratch memory behind the inputs get a history.
// `backward` is called with the number of gradients in the out-scratch; it puts the inputs' gradients into the
// in-scratch.
napi_value recordCustom_(const Call_& c) {
  char name[128] = "";
  size_t length;
  napi_get_value_string_utf8(c.env, c.values[0], name, sizeof name, &length);
  const int inputs = c.integer(1), outputs = c.integer(2);
  const Tensors in = c.list(0, inputs, name);
  Tensors out = c.list(inputs, outputs, name);
  napi_ref reference;
  napi_create_reference(c.env, c.values[3], 1, &reference);
  auto callback = std::shared_ptr<napi_ref__>(reference, [env = c.env](napi_ref r) { napi_delete_reference(env, r); });
  recordCustom(name, in, out, [callback, inputs, env = c.env, op = std::string(name)](const Tensors& gradients) {
    Environment& owner = *here;
    Call_ call{env, owner, 0, {}};
    napi_value function, self, argument = call.give(gradients), result;
    napi_get_reference_value(env, callback.get(), &function);
    napi_get_undefined(env, &self);
    if (napi_call_function(env, self, function, 1, &argument, &result) != napi_ok) throw JavaScriptThrew();
    return call.list(0, inputs, op.c_str());
  });
  return c.none();
}

// --- record and replay

// recordBegin(inputs) → number of fresh inputs to call the function with
napi_value recordBegin(const Call_& c) {
  if (c.here.recorder) throw expected("compile", "no compiled function inside another while it is recorded", "one");
  Tensors inputs;
  {
    GradientMode off(false);
    for (const Tensor& t : c.list(0, c.integer(0), "compile")) inputs.push_back(apply1(copyOp, {t}));
  }
  napi_value count = c.give(inputs);
  c.here.recorder = std::make_unique<Recorder>(inputs);
  return count;
}
// recordEnd(results) → number of the program, with the results in the scratch memory; -1 results: give up
napi_value recordEnd(const Call_& c) {
  std::unique_ptr<Recorder> recorder = std::move(c.here.recorder);
  if (!recorder || c.integer(0) < 0) return c.integerValue(-1);
  std::unique_ptr<Program> program = recorder->finish(c.list(0, c.integer(0), "compile"));
  auto& programs = c.here.programs;
  size_t index = 0;
  while (index < programs.size() && programs[index]) index++;
  if (index == programs.size()) programs.emplace_back();
  programs[index] = std::move(program);
  return c.integerValue(static_cast<int32_t>(index));
}
Program& programOf(const Call_& c) {
  const int32_t index = c.integer(0);
  auto& programs = c.here.programs;
  if (index < 0 || index >= static_cast<int32_t>(programs.size()) || !programs[index])
    failArgument("a program", "something else");
  return *programs[index];
}
// The arguments of a recorded function. Of a replay they are as recorded: its signature says so.
Tensors inputsOf(const Call_& c, const Program& program) {
  Tensors inputs = c.list(0, c.integer(1), "compile");
  if (inputs.size() != program.inputs.size())
    throw expected("profile", std::to_string(program.inputs.size()) + " tensors, as recorded",
                   std::to_string(inputs.size()));
  for (size_t i = 0; i < inputs.size(); i++) {
    if (!(inputs[i].spec() == program.inputs[i].spec))
      throw expected("profile", program.inputs[i].spec.text() + ", as recorded", inputs[i].spec().text());
  }
  return inputs;
}
// replay(program, inputs) → number of results
napi_value replay(const Call_& c) {
  Program& program = programOf(c);
  return c.give(program.replay(inputsOf(c, program)));
}
// programProfile(program, inputs) → JSON text
napi_value programProfile(const Call_& c) {
  Program& program = programOf(c);
  return c.text(program.profile(inputsOf(c, program)));
}
// isStale(program): whether a tensor that it knows has left its memory
napi_value isStale(const Call_& c) {
  napi_value value;
  napi_get_boolean(c.env, programOf(c).isStale(), &value);
  return value;
}
// programState(program) → number of tensors: what the program changes in place, as bytes
napi_value programState(const Call_& c) {
  Program& program = programOf(c);
  std::vector<bool> written(program.buffers.size());
  for (const Step& step : program.steps) {
    for (size_t i = step.call.in.size(); i < step.buffers.size(); i++) written[step.buffers[i]] = true;
  }
  Tensors state;
  for (size_t i = 0; i < written.size(); i++) {
    const Buffer& buffer = program.buffers[i];
    if (!written[i] || buffer.kind != Buffer::external) continue;
    state.push_back(Tensor::make({DType::uint8, {static_cast<int64_t>(buffer.bytes)}}, buffer.held));
  }
  return c.give(state);
}
// journalBegin(): what ops change from here on can be undone
napi_value journalBegin(const Call_& c) {
  c.here.journal = std::make_unique<Journal>();
  return c.none();
}
// journalEnd(): undoes it
napi_value journalEnd(const Call_& c) {
  const std::unique_ptr<Journal> journal = std::move(c.here.journal);
  if (journal) journal->undo();
  return c.none();
}
napi_value programText(const Call_& c) { return c.text(programOf(c).text()); }
napi_value programFree(const Call_& c) {
  programOf(c);
  c.here.programs[c.integer(0)].reset();
  return c.none();
}

// --- the process

napi_value object(const Call_& c, std::initializer_list<std::pair<const char*, double>> fields) {
  Napi::Object result = Napi::Object::New(c.env);
  for (const auto& [key, value] : fields) result.Set(key, value);
  return result;
}
napi_value memory(const Call_& c) {
  c.here.handles.pollAll();
  c.here.reportMemory();
  const Allocator& a = defaultDevice().allocator;
  return object(c, {{"tensors", static_cast<double>(c.here.handles.live())},
                    {"bytes", static_cast<double>(a.used())},
                    {"peakBytes", static_cast<double>(a.peak())},
                    {"reservedBytes", static_cast<double>(a.reserved())},
                    {"limitBytes", static_cast<double>(a.limit())}});
}
napi_value counters(const Call_& c) {
  return object(c, {{"crossings", static_cast<double>(c.here.crossings)},
                    {"allocations", static_cast<double>(defaultDevice().allocator.allocations())},
                    {"executed", static_cast<double>(defaultDevice().queue.executed())},
                    {"prepared", static_cast<double>(defaultDevice().preparedCount())}});
}
napi_value setMemoryLimit(const Call_& c) {
  defaultDevice().allocator.setLimit(static_cast<size_t>(std::max(0.0, c.number(0))));
  return c.none();
}
napi_value resetPeak(const Call_& c) {
  defaultDevice().allocator.resetPeak();
  return c.none();
}
napi_value getThreads(const Call_& c) { return c.integerValue(threads()); }
napi_value setThreads_(const Call_& c) {
  const int count = c.integer(0);
  if (count < 1 || count > 1024) throw expected("setThreads", "a whole number from 1 to 1024", std::to_string(count));
  defaultDevice().queue.wait();
  setThreads(count);
  defaultDevice().forgetPrepared();  // they were made for another number of threads
  return c.none();
}
napi_value device_(const Call_& c) {
  if (c.count > 0) setDefaultDevice(deviceNamed(c.string(0)));
  return c.text(defaultDevice().backend.name);
}
napi_value devices_(const Call_& c) {
  Napi::Array names = Napi::Array::New(c.env);
  for (const std::string& name : deviceNames()) names.Set(names.Length(), name);
  return names;
}
// deviceOf(handle) → name
napi_value deviceOf(const Call_& c) { return c.text(c.tensor(0, "device").storage()->device.backend.name); }
// toDevice(handle, name) → handle
napi_value toDevice(const Call_& c) {
  if (c.here.recorder) {
    throw expected("to", "no copy between devices inside a compiled function", "one",
                   "Pass the values as an argument that is on the device.");
  }
  return c.integerValue(c.here.add(copiedTo(c.tensor(0, "to"), deviceNamed(c.string(1)))));
}
// replace(handle, by): the tensor takes over the memory of another of its shape and dtype; programs that know the old
// are stale
napi_value replace(const Call_& c) {
  const Tensor &t = c.tensor(0, "to"), &by = c.tensor(1, "to");
  if (!(t.spec() == by.spec())) failArgument(t.spec().text().c_str(), by.spec().text().c_str());
  t.storage()->left = true;
  by.storage()->version = t.storage()->version + 1;  // what was saved for a gradient is another's
  t.body()->storage = by.body()->storage;
  return c.none();
}
napi_value cudaReport_(const Call_& c) { return c.text(cudaReport()); }
napi_value cudaPlans_(const Call_& c) { return c.text(cudaPlans()); }
// measureCudaPlans(on)
napi_value measureCudaPlans_(const Call_& c) {
  measureCudaPlans(c.flag(0));
  return c.none();
}
// deviceDescription(name) → JSON
napi_value deviceDescription(const Call_& c) {
  const Backend& backend = deviceNamed(c.string(0)).backend;
  return c.text(backend.description ? backend.description(backend.ordinal) : "{}");
}
napi_value isa_(const Call_& c) { return c.text(isaName()); }
// computes(precision): whether the processor has instructions for it
napi_value computes(const Call_& c) {
  const auto precision = static_cast<Compute>(c.integer(0));
  napi_value value;
  napi_get_boolean(c.env,
                   precision == Compute::bfloat16  ? hasBFloat16()
                   : precision == Compute::float16 ? hasFloat16()
                                                   : true,
                   &value);
  return value;
}
napi_value onednn_(const Call_& c) { return c.text(onednnVersion()); }
napi_value pending(const Call_& c) { return c.numberValue(static_cast<double>(defaultDevice().queue.pending())); }
napi_value hold(const Call_& c) {
  defaultDevice().queue.hold(c.flag(0));
  return c.none();
}
napi_value poll(const Call_& c) {
  c.here.handles.pollAll();
  c.here.reportMemory();
  return c.none();
}

// onShortage(collect): a function that runs the garbage collector
napi_value onShortage(const Call_& c) {
  napi_create_reference(c.env, c.values[0], 1, &c.here.collect);
  return c.none();
}

// --- set-up

// An array over memory that lives as long as the environment.
template <class Array, class T, size_t N>
void expose(Napi::Object exports, const char* name, T (&memory)[N]) {
  exports.Set(name, Array::New(exports.Env(), N, Napi::ArrayBuffer::New(exports.Env(), memory, sizeof memory), 0));
}

void cleanUp(void* data) {
  auto* environment = static_cast<Environment*>(data);
  environment->mailbox->close();
  environment->recorder.reset();
  environment->programs.clear();
  environment->handles.clear();
  napi_release_threadsafe_function(environment->wakeUp, napi_tsfn_abort);
  here = nullptr;
  delete environment;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* environment = new Environment(env);
  here = environment;
  reclaim = [] {
    if (!here) return;
    if (here->collect) {
      napi_value self, function, result;
      napi_get_undefined(here->env, &self);
      napi_get_reference_value(here->env, here->collect, &function);
      napi_call_function(here->env, self, function, 0, nullptr, &result);
    }
    here->handles.pollAll();
  };
  napi_value resource;
  napi_create_string_utf8(env, "needletail", NAPI_AUTO_LENGTH, &resource);
  napi_create_threadsafe_function(env, nullptr, nullptr, resource, 0, 1, nullptr, nullptr, environment, finishRead,
                                  &environment->wakeUp);
  napi_unref_threadsafe_function(env, environment->wakeUp);
  environment->mailbox->function = environment->wakeUp;
  napi_add_env_cleanup_hook(env, cleanUp, environment);  // last hook first: before that of the threadsafe function
  expose<Napi::Int32Array>(exports, "inputs", environment->in);
  expose<Napi::Int32Array>(exports, "results", environment->out);
  expose<Napi::Float64Array>(exports, "numbers", environment->numbers);

  Napi::Array names = Napi::Array::New(env);
  for (const Op* op : allOps()) names.Set(names.Length(), op->name);
  exports.Set("ops", names);

#define FUNCTION(name, f)                                                        \
  {                                                                              \
    name, nullptr, enter<f>, nullptr, nullptr, nullptr, napi_enumerable, nullptr \
  }
  const napi_property_descriptor functions[] = {FUNCTION("unary", unary),
                                                FUNCTION("binary", binary),
                                                FUNCTION("binaryNumber", binaryNumber),
                                                FUNCTION("invoke", invoke),
                                                FUNCTION("create", create),
                                                FUNCTION("write", write_),
                                                FUNCTION("describe", describe),
                                                FUNCTION("alive", alive),
                                                FUNCTION("dispose", dispose),
                                                FUNCTION("adopt", adopt),
                                                FUNCTION("readSmall", readSmall),
                                                FUNCTION("readSync", readSync),
                                                FUNCTION("itemSync", itemSync),
                                                FUNCTION("readNow", readNow),
                                                FUNCTION("readLater", readLater),
                                                FUNCTION("sync", sync),
                                                FUNCTION("setGradientMode", gradientMode_),
                                                FUNCTION("setCompute", setCompute_),
                                                FUNCTION("requiresGradient", requiresGradient),
                                                FUNCTION("parameter", parameter),
                                                FUNCTION("leaf", leaf_),
                                                FUNCTION("detach", detach),
                                                FUNCTION("backward", backward_),
                                                FUNCTION("recordCustom", recordCustom_),
                                                FUNCTION("recordBegin", recordBegin),
                                                FUNCTION("recordEnd", recordEnd),
                                                FUNCTION("replay", replay),
                                                FUNCTION("programState", programState),
                                                FUNCTION("journalBegin", journalBegin),
                                                FUNCTION("journalEnd", journalEnd),
                                                FUNCTION("programText", programText),
                                                FUNCTION("programProfile", programProfile),
                                                FUNCTION("programFree", programFree),
                                                FUNCTION("memory", memory),
                                                FUNCTION("counters", counters),
                                                FUNCTION("setMemoryLimit", setMemoryLimit),
                                                FUNCTION("resetPeak", resetPeak),
                                                FUNCTION("threads", getThreads),
                                                FUNCTION("setThreads", setThreads_),
                                                FUNCTION("device", device_),
                                                FUNCTION("devices", devices_),
                                                FUNCTION("deviceOf", deviceOf),
                                                FUNCTION("toDevice", toDevice),
                                                FUNCTION("replace", replace),
                                                FUNCTION("isStale", isStale),
                                                FUNCTION("cudaReport", cudaReport_),
                                                FUNCTION("cudaPlans", cudaPlans_),
                                                FUNCTION("measureCudaPlans", measureCudaPlans_),
                                                FUNCTION("deviceDescription", deviceDescription),
                                                FUNCTION("isa", isa_),
                                                FUNCTION("computes", computes),
                                                FUNCTION("onednn", onednn_),
                                                FUNCTION("pending", pending),
                                                FUNCTION("hold", hold),
                                                FUNCTION("poll", poll),
                                                FUNCTION("onShortage", onShortage)};
#undef FUNCTION
  napi_define_properties(env, exports, std::size(functions), functions);
  return exports;
}

}  // namespace

}  // namespace needletail

static Napi::Object initialise(Napi::Env env, Napi::Object exports) { return needletail::init(env, exports); }
NODE_API_MODULE(needletail, initialise)
