#include "op.h"

#include <algorithm>
#include <bit>

#include "autograd.h"
#include "device.h"
#include "geometry.h"
#include "ops/elementwise_rows.h"
#include "ops/functions.h"
#include "program.h"

namespace needletail {

namespace {
// The op at work on this thread, and the device of its inputs, where its results and intermediate values go.
NEEDLETAIL_THREAD const char* currentOp = "needletail";
NEEDLETAIL_THREAD Device* currentDevice = nullptr;
NEEDLETAIL_THREAD Compute currentCompute = Compute::float32;
NEEDLETAIL_THREAD bool currentlyExact = false;
NEEDLETAIL_THREAD Journal* journal = nullptr;
struct OpScope {
  const char* opBefore = currentOp;
  Device* deviceBefore = currentDevice;
  OpScope(const char* name, const Tensors& in) {
    currentOp = name;
    Device* device = nullptr;
    for (const Tensor& t : in) {
      if (!t || t.isImmediate()) continue;
      Device* other = &t.storage()->device;
      if (device && device != other) {
        restore();
        throw expected(name, "tensors on one device", std::string(device->backend.name) + " and " + other->backend.name,
                       "See to().");
      }
      device = other;
    }
    if (device) currentDevice = device;
  }
  ~OpScope() { restore(); }
  void restore() {
    currentOp = opBefore;
    currentDevice = deviceBefore;
  }
};

constexpr int64_t kMaxBytes = int64_t{1} << 46;
void checkSize(const Spec& spec) {
  int64_t bytes = static_cast<int64_t>(size(spec.dtype));
  for (int i = 0; i < spec.shape.rank(); i++) {
    if (spec.shape[i] < 0 || __builtin_mul_overflow(bytes, spec.shape[i], &bytes) || bytes > kMaxBytes) {
      throw expected(currentOp, "a result of at most 2^46 bytes", spec.text());
    }
  }
}

// Numbers become tensors where an op can't take them as they are.
Tensor materialise(const Tensor& number) {
  Tensor out = empty({number.dtype(), {}});
  issue(Kernel::fill, write(Fill{number.number()}), {}, {out});
  return out;
}

// The dtype that an op's floating inputs are to be of while `half` is the precision; numbers follow the tensors.
DType castTo(Casts casts, const Tensors& in, DType half) {
  if (casts != Casts::widest) return casts == Casts::half ? half : DType::float32;
  bool any = false;
  DType widest = half;
  for (const Tensor& t : in) {
    if (!t || t.isImmediate() || !isFloat(t.dtype())) continue;
    if (any && t.dtype() != widest) return DType::float32;  // the wider of any two
    any = true;
    widest = t.dtype();
  }
  return widest;
}
Tensors castFloats(const Tensors& in, DType dtype) {
  Tensors out;
  for (const Tensor& t : in) {
    if (!t || !isFloat(t.dtype()))
      out.push_back(t);
    else
      out.push_back(t.isImmediate() ? Tensor::immediate(t.number(), dtype) : cast(t, dtype));
  }
  return out;
}
}  // namespace

Compute compute() { return currentCompute; }
void setCompute(Compute compute) { currentCompute = compute; }
bool exact() { return currentlyExact; }
void setExact(bool exact) { currentlyExact = exact; }

OpName::OpName(const char* name) : before_(currentOp) { currentOp = name; }
OpName::~OpName() { currentOp = before_; }

DeviceScope::DeviceScope(Device& device) : before_(std::exchange(currentDevice, &device)) {}
DeviceScope::~DeviceScope() { currentDevice = before_; }

void Arguments::fail(const std::string& what, const std::string& actual, const std::string& hint) const {
  throw expected(op.name, what, actual, hint);
}

Tensor empty(const Spec& spec) {
  checkSize(spec);
  try {
    return Tensor::make(spec, new Storage(currentDevice ? *currentDevice : defaultDevice(), spec.bytes()));
  } catch (const Error& error) {
    throw Error(std::string(currentOp) + ": " + error.what(), error.fault);
  }
}

void issue(Kernel kernel, const Params& params, const Tensors& in, const Tensors& out) {
  bool nothing = true;
  for (const Tensor& t : out) nothing = nothing && t.elements() == 0;
  if (nothing) return;
  Call call{kernel, params, {}, {}};
  const int inputs = static_cast<int>(in.size()), outputs = static_cast<int>(out.size());
  SmallVector<void*, 16> buffers;
  buffers.reserve(inputs + outputs);
  for (const Tensor& t : in) {
    call.in.push_back(t.spec());
    buffers.push_back(t.storage()->data);
  }
  uint32_t inPlace = 0;
  for (int i = 0; i < outputs; i++) {
    call.out.push_back(out[i].spec());
    Storage* storage = out[i].storage();
    if (journal) journal->note(storage);
    storage->version++;
    buffers.push_back(storage->data);
    for (const Tensor& t : in) {
      if (t.storage() == storage) inPlace |= 1u << std::min(i, 31);
    }
  }
  Device& device = out[0].storage()->device;
  Prepared& prepared = device.prepare(call, currentOp);
  device.queue.push(prepared, currentOp, buffers.data(), inputs, outputs, inPlace);
  if (Recorder* recorder = Recorder::current()) recorder->add(call, currentOp, prepared, in, out);
}

Journal::Journal() : firstId_(Storage::nextId()) { journal = this; }
Journal::~Journal() { journal = nullptr; }

namespace {
Tensor bytesOf(const Ref<Storage>& storage) {
  return Tensor::make({DType::uint8, {static_cast<int64_t>(storage->bytes)}}, storage);
}
// Not recorded: a recording is of what is undone.
void copyBytes(const Tensor& from, const Tensor& to) {
  Device& device = to.storage()->device;
  void* const buffers[] = {from.storage()->data, to.storage()->data};
  Prepared& prepared = device.prepare({Kernel::copy, {}, {from.spec()}, {to.spec()}}, "compile");
  device.queue.push(prepared, "compile", buffers, 1, 1, 0);
}
}  // namespace

void Journal::note(Storage* storage) {
  if (storage->id >= firstId_ && storage->version == 0) return;
  if (std::ranges::any_of(changes_, [&](const Change& change) { return change.storage.get() == storage; })) return;
  const Ref<Storage> own(storage);
  changes_.push_back({own, bytesOf(Ref<Storage>(new Storage(storage->device, storage->bytes)))});
  copyBytes(bytesOf(own), changes_.back().before);
}

void Journal::undo() {
  for (const Change& change : changes_) {
    copyBytes(change.before, bytesOf(change.storage));
    change.storage->version++;
  }
  changes_.clear();
}

Tensors apply(const Op& op, const Tensors& given, const Params& params) {
  OpScope scope(op.name, given);
  Tensors made;
  const Tensors* used = &given;
  if (currentCompute > Compute::tf32 && op.casts != Casts::none) [[unlikely]] {
    const DType half = currentCompute == Compute::bfloat16 ? DType::bfloat16 : DType::float16;
    made = castFloats(given, castTo(op.casts, given, half));
    used = &made;
  }
  if (!op.takesImmediates) {
    for (size_t i = 0; i < given.size(); i++) {
      if ((*used)[i] && (*used)[i].isImmediate()) {
        if (made.empty()) made = given;
        made[i] = materialise(made[i]);
        used = &made;
      }
    }
  }
  const Tensors& in = *used;
  const Arguments arguments{op, in, params};
  const Specs specs = op.infer(arguments);
  Tensors out;
  for (size_t i = 0; i < specs.size(); i++) {
    const int alias = i < 4 ? op.alias[i] : 0;
    out.push_back(alias ? Tensor::make(specs[i], in[alias - 1].storage()) : empty(specs[i]));
  }
  op.forward(arguments, out);
  if (op.backward && gradientMode()) {
    for (const Tensor& t : in) {
      if (t && t.requiresGradient()) {
        record(op, in, params, out);
        break;
      }
    }
  }
  return out;
}

const char* name(Kernel kernel) {
  constexpr const char* names[] = {
#define K(name, function) #name,
      NEEDLETAIL_KERNELS(K)
#undef K
  };
  return names[static_cast<int>(kernel)];
}

bool Call::operator==(const Call& other) const {
  return kernel == other.kernel && params == other.params && std::ranges::equal(in, other.in) &&
         std::ranges::equal(out, other.out);
}
// A multilinear hash: each word has an odd factor of its own, so that the products don't wait for each other.
size_t Call::Hash::operator()(const Call& call) const {
  constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;
  uint64_t hash = 0, factor = kFactor;
  auto add = [&](uint64_t word) {
    hash += (word ^ word >> 32) * factor;
    factor += 2 * kFactor;
  };
  add(static_cast<uint64_t>(call.kernel));
  for (int i = 0; i < call.params.count(); i++) add(std::bit_cast<uint64_t>(call.params.data()[i]));
  for (const Specs* specs : {&call.in, &call.out}) {
    for (const Spec& spec : *specs) {
      add(static_cast<uint64_t>(spec.dtype) << 8 | spec.shape.rank());
      for (int i = 0; i < spec.shape.rank(); i++) add(static_cast<uint64_t>(spec.shape[i]));
    }
  }
  return hash ^ hash >> 32;
}

namespace {
const char* name(Row row) {
  constexpr const char* kNames[] = {
#define UNARY(name, dtypes, value, derivative, doc) #name, #name "_gradient",
#define BINARY(name, dtypes, value, derivativeA, derivativeB, doc) #name, #name "_gradientA", #name "_gradientB",
#define TEST(name, dtypes, value, doc) #name,
#define COMPARE(name, dtypes, value, doc) #name,
#include "ops/elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST
#undef COMPARE
      "where"};
  return kNames[static_cast<int>(row)];
}
std::string text(double v) {
  char buffer[32];
  snprintf(buffer, sizeof buffer, "%.9g", v);
  return buffer;
}
// "mul(#0, 2) add(%0, #1)": #0 is the first input, %0 what the first part makes.
std::string text(const ElementwiseParts& run) {
  std::string s;
  for (int k = 0; k < run.count; k++) {
    const ElementwiseParts::Part& part = run.parts[k];
    s += k ? " " : "";
    s.append(name(static_cast<Row>(part.row))).append("(");
    for (int i = 0; i < part.operands; i++) {
      s += i ? ", " : "";
      const int from = part.from[i];
      if (part.immediates >> i & 1)
        s += text(part.values[i]);
      else
        s.append(from < 0 ? "%" : "#").append(std::to_string(from < 0 ? -1 - from : from));
    }
    if (part.p != 0 || part.q != 0) s.append("; ").append(text(part.p)).append(", ").append(text(part.q));
    s += ")";
  }
  return s;
}
}  // namespace

std::string Call::text() const {
  std::string s = needletail::name(kernel);
  s += "(";
  if (kernel == Kernel::elementwise || kernel == Kernel::elementwiseRun) {
    s += needletail::text(partsOf(*this));
  } else {
    for (int i = 0; i < params.count(); i++) s += (i ? ", " : "") + needletail::text(params.real(i));
  }
  return s + ")";
}

}  // namespace needletail
