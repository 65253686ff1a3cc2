#include "program.h"

#include <algorithm>
#include <numeric>

#include "device.h"
#include "passes/passes.h"

namespace needletail {

namespace {
NEEDLETAIL_THREAD Recorder* recorder = nullptr;
}  // namespace

struct Program::Run {
  struct Item {
    Prepared* prepared;
    const char* op;
    void* workspace;  // of its own, where a capture keeps its address; null: the queue's
    std::vector<void*> buffers;
    Prepared::Part part;
  };
  struct Copy {
    void* memory;
    size_t bytes;
  };
  std::vector<Item> items;
  std::vector<Item> prologue;
  std::vector<bool> due;  // of the prologue: what must be made anew
  std::vector<Copy> inputs, results;
  double cost = 0;
  bool threadBound = false;

  static void call(const Item& item, Queue& queue, Stream& stream) {
    stream.op = item.op;
    if (item.workspace) {
      Stream own = stream;
      own.workspace = item.workspace;
      item.prepared->run(own, item.buffers.data(), item.part);
    } else {
      queue.runPrepared(stream, *item.prepared, item.buffers.data(), item.part);
    }
  }
  // Where this fails, all that was due stays so.
  void prepare(Queue& queue, Stream& stream, const std::vector<int>& changed) {
    for (int i : changed) due[i] = true;
    for (size_t i = 0; i < prologue.size(); i++) {
      if (due[i]) call(prologue[i], queue, stream);
    }
    due.assign(prologue.size(), false);
  }
  // The calls, one by one.
  void call(Queue& queue, Stream& stream, Clock* clock = nullptr) const {
    for (const Item& item : items) {
      if (queue.stopping()) return;
      call(item, queue, stream);
      if (clock) clock->tick(stream);
    }
  }
  // As one launch where the device can, but for the first time: what a device does at a kernel's first launch, loading
  // it, may not be possible while a stream is captured, and passes bring kernels that have never run.
  void launch(Queue& queue, Stream& stream, const Backend& backend) {
    if (!backend.stream || !std::exchange(hasRun, true)) return call(queue, stream);
    if (!captured) captured = backend.stream->capture(stream, after, [&](int i) { call(items[i], queue, stream); });
    captured->launch(stream);
  }
  std::vector<std::vector<int>> after;  // of each item: those that must have run
  std::unique_ptr<Captured> captured;
  bool hasRun = false;
};

Recorder::Recorder(const Tensors& inputs) : program_(std::make_unique<Program>()), firstId_(Storage::nextId()) {
  for (const Tensor& t : inputs) {
    useDevice(t.storage()->device);
    program_->inputs.push_back({t.spec(), static_cast<int>(program_->buffers.size())});
    byStorage_[t.storage()->id] = static_cast<int>(program_->buffers.size());
    program_->buffers.push_back({Buffer::input, t.spec().bytes(), {}, 0, -1, -1});
  }
  recorder = this;
}
Recorder::~Recorder() { recorder = nullptr; }
Recorder* Recorder::current() { return recorder; }

void Recorder::useDevice(Device& device) {
  if (!program_->device) program_->device = &device;
  if (program_->device != &device) {
    throw expected("compile", "arguments and operations on one device",
                   std::string(program_->device->backend.name) + " and " + device.backend.name);
  }
}

int Recorder::bufferOf(const Tensor& tensor, bool written) {
  Storage* storage = tensor.storage();
  auto [found, isNew] = byStorage_.try_emplace(storage->id, static_cast<int>(program_->buffers.size()));
  if (isNew) {
    // What was there before, and what was uploaded meanwhile (read before any step wrote it), stays where it is.
    const bool temporary = storage->id >= firstId_ && written;
    program_->buffers.push_back({temporary ? Buffer::temporary : Buffer::external, storage->bytes,
                                 temporary ? Ref<Storage>() : Ref<Storage>(storage), 0, -1, -1});
  }
  return found->second;
}

void Recorder::add(const Call& call, const char* op, Prepared& prepared, const Tensors& in, const Tensors& out) {
  useDevice(out[0].storage()->device);
  Step step{call, op, {}, &prepared};
  for (const Tensor& t : in) step.buffers.push_back(bufferOf(t, false));
  for (const Tensor& t : out) step.buffers.push_back(bufferOf(t, true));
  prepared.references++;
  program_->steps.push_back(std::move(step));
}

std::unique_ptr<Program> Recorder::finish(const Tensors& results) {
  for (const Tensor& t : results) {
    useDevice(t.storage()->device);
    program_->results.push_back({t.spec(), bufferOf(t, false)});
  }
  if (!program_->device) program_->device = &defaultDevice();
  runPasses(*program_);
  program_->finish();
  return std::move(program_);
}

Program::~Program() {
  for (Step& step : steps) step.prepared->references--;
  for (Keeping& keeping : prologue) keeping.step.prepared->references--;
  if (arena_) device->allocator.release(arena_, arenaBytes);
}

void* Program::addressOf(int index) const {
  const Buffer& buffer = buffers[index];
  return buffer.kind == Buffer::external ? buffer.held->data : static_cast<char*>(arena_) + buffer.offset;
}

bool Program::replace(size_t index, Call call, const char* op, SmallVector<int, 8> uses) {
  Prepared* prepared = device->find(call);
  if (!prepared) return false;
  Step& step = steps[index];
  step.prepared->references--;
  prepared->references++;
  step = {std::move(call), op, std::move(uses), prepared};
  return true;
}

bool Program::insert(size_t index, Call call, const char* op, SmallVector<int, 8> uses) {
  Prepared* prepared = device->find(call);
  if (!prepared) return false;
  prepared->references++;
  steps.insert(steps.begin() + static_cast<std::ptrdiff_t>(index), {std::move(call), op, std::move(uses), prepared});
  return true;
}

void Program::redirect(int buffer, int other) {
  for (Step& step : steps) {
    for (int& used : step.buffers) {
      if (used == buffer) used = other;
    }
  }
}

void Program::remove(size_t index) {
  steps[index].prepared->references--;
  steps.erase(steps.begin() + static_cast<std::ptrdiff_t>(index));
}

size_t Program::Keeping::inputs() const { return step.part == Prepared::Part::pack ? 1 : step.call.in.size(); }

void Program::addKept(Step step) {
  Keeping keeping{std::move(step), {}};
  const Step& own = keeping.step;
  auto follow = [&](int buffer) {
    if (std::find(keeping.from.begin(), keeping.from.end(), buffer) == keeping.from.end())
      keeping.from.push_back(buffer);
  };
  for (size_t k = 0; k < keeping.inputs(); k++) {
    const int b = own.buffers[k];
    if (buffers[b].kind == Buffer::external) follow(b);
    for (const Keeping& before : prologue) {
      const auto& made = before.step.buffers;
      if (std::find(made.begin(), made.end(), b) == made.end()) continue;
      for (int from : before.from) follow(from);
    }
  }
  for (size_t k = keeping.inputs(); k < own.buffers.size(); k++) buffers[own.buffers[k]].kind = Buffer::kept;
  own.prepared->references++;
  prologue.push_back(std::move(keeping));
}

void Program::forget(size_t index) {
  prologue[index].step.prepared->references--;
  prologue.erase(prologue.begin() + static_cast<std::ptrdiff_t>(index));
}

void Program::keep(size_t index) {
  addKept(steps[index]);
  remove(index);
}

void Program::keepPacked(size_t index) {
  Step& step = steps[index];
  const Prepared::Packing& packing = step.prepared->packing;
  const int packed = static_cast<int>(buffers.size());
  buffers.push_back({Buffer::kept, packing.bytes, {}, 0, -1, -1});
  Step pack{step.call, step.op, {step.buffers[packing.input], packed}, step.prepared, Prepared::Part::pack};
  addKept(std::move(pack));
  step.buffers[packing.input] = packed;
  step.part = Prepared::Part::packed;
}

uint64_t Program::version(const Keeping& keeping) const {
  uint64_t sum = 0;
  for (int b : keeping.from) sum += buffers[b].held->version;
  return sum;
}

size_t Program::aligned(size_t bytes) const {
  const size_t unit = device->backend.alignment;
  return (std::max<size_t>(bytes, 1) + unit - 1) / unit * unit;
}

void Program::finish() {
  for (size_t i = 0; i < steps.size(); i++) {
    for (int b : steps[i].buffers) {
      if (buffers[b].first < 0) buffers[b].first = static_cast<int>(i);
      buffers[b].last = static_cast<int>(i);
    }
  }
  for (const Port& port : results) buffers[port.buffer].last = static_cast<int>(steps.size());
  // What is kept stays, but for what the prologue alone reads and makes anew whenever it does. The prologue's steps
  // come before the inputs, which come at -1.
  const int begin = -1 - static_cast<int>(prologue.size());
  for (size_t i = 0; i < prologue.size(); i++) {
    const Keeping& maker = prologue[i];
    for (size_t k = maker.inputs(); k < maker.step.buffers.size(); k++) {
      Buffer& buffer = buffers[maker.step.buffers[k]];
      bool stays = buffer.last >= 0;
      buffer.first = buffer.last = begin + static_cast<int>(i);
      for (size_t j = i + 1; j < prologue.size(); j++) {
        const Keeping& reader = prologue[j];
        const int* end = reader.step.buffers.begin() + reader.inputs();
        if (std::find(reader.step.buffers.begin(), end, maker.step.buffers[k]) == end) continue;
        buffer.last = begin + static_cast<int>(j);
        stays = stays || reader.from.size() > maker.from.size();
      }
      if (stays) buffer.first = begin, buffer.last = static_cast<int>(steps.size());
    }
  }
  // Where a capture keeps addresses, scratch memory is a value like any other.
  std::vector<int> scratch(steps.size(), -1);
  if (device->backend.stream) {
    for (size_t i = 0; i < steps.size(); i++) {
      if (steps[i].prepared->workspace == 0) continue;
      scratch[i] = static_cast<int>(buffers.size());
      const int at = static_cast<int>(i);
      buffers.push_back({Buffer::temporary, steps[i].prepared->workspace, {}, 0, at, at});
    }
  }
  // Largest first, each at the lowest offset where nothing overlaps that lives at the same time.
  std::vector<int> order;
  for (size_t i = 0; i < buffers.size(); i++) {
    if (buffers[i].kind == Buffer::external || (buffers[i].kind == Buffer::temporary && buffers[i].last < 0)) continue;
    if (buffers[i].kind == Buffer::input) buffers[i].first = -1;
    order.push_back(static_cast<int>(i));
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return buffers[a].bytes > buffers[b].bytes; });
  // Where steps may run side by side, a small value takes another's memory only once all that need the other have run:
  // else they would be waited for. Of large ones that would cost too much memory, and their steps fill a device.
  constexpr size_t kSmall = size_t{16} << 20;
  std::vector<std::vector<int>> users(buffers.size());
  Order values;
  if (device->backend.stream) {
    values = inOrder(scratch, [](int buffer) {
      const char* place = reinterpret_cast<const char*>(static_cast<uintptr_t>(buffer));
      return std::pair(place, place + 1);
    });
    for (size_t i = 0; i < steps.size(); i++) {
      for (int b : steps[i].buffers) users[b].push_back(static_cast<int>(i));
      if (scratch[i] >= 0) users[scratch[i]].push_back(static_cast<int>(i));
    }
  }
  const auto mayFollow = [&](int next, int before) {
    if (buffers[before].last >= buffers[next].first) return false;
    if (std::max(buffers[before].bytes, buffers[next].bytes) > kSmall || users[next].empty()) return true;
    const std::vector<bool>& done = values.comesAfter[users[next].front()];
    return std::ranges::all_of(users[before], [&](int step) { return done[step]; });
  };
  std::vector<int> placed;  // by offset
  for (int index : order) {
    Buffer& buffer = buffers[index];
    size_t offset = 0;
    for (int other : placed) {
      const Buffer& o = buffers[other];
      if (mayFollow(index, other) || mayFollow(other, index)) continue;
      if (offset + aligned(buffer.bytes) <= o.offset) break;
      offset = std::max(offset, o.offset + aligned(o.bytes));
    }
    buffer.offset = offset;
    arenaBytes = std::max(arenaBytes, offset + aligned(buffer.bytes));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), index,
                                   [&](int a, int b) { return buffers[a].offset < buffers[b].offset; }),
                  index);
  }
  if (arenaBytes) arena_ = device->allocateToStay(arenaBytes);

  auto run = std::make_shared<Run>();
  auto add = [&](std::vector<Run::Item>& items, const Step& step, void* workspace) {
    Run::Item item{step.prepared, step.op, workspace, {}, step.part};
    for (int b : step.buffers) item.buffers.push_back(addressOf(b));
    items.push_back(std::move(item));
    run->threadBound = run->threadBound || step.prepared->threadBound;
  };
  for (const Keeping& keeping : prologue) add(run->prologue, keeping.step, nullptr);
  run->due.resize(prologue.size());
  for (size_t i = 0; i < steps.size(); i++) {
    const Step& step = steps[i];
    add(run->items, step, scratch[i] < 0 ? nullptr : addressOf(scratch[i]));
    run->cost += step.prepared->cost;
    for (size_t k = step.call.in.size(); k < step.buffers.size(); k++) {
      const Buffer& buffer = buffers[step.buffers[k]];
      if (buffer.kind == Buffer::external) written_.push_back(buffer.held.get());
    }
  }
  for (const Port& port : inputs) run->inputs.push_back({addressOf(port.buffer), port.spec.bytes()});
  for (const Port& port : results) run->results.push_back({addressOf(port.buffer), port.spec.bytes()});
  if (device->backend.stream) {
    run->after = inOrder(scratch, [this](int buffer) {
                   const char* place = static_cast<const char*>(addressOf(buffer));
                   return std::pair(place, place + buffers[buffer].bytes);
                 }).after;
  }
  run_ = std::move(run);
}

Program::Order Program::inOrder(const std::vector<int>& scratch,
                                const std::function<std::pair<const char*, const char*>(int buffer)>& placeOf) const {
  struct Use {
    std::pair<const char*, const char*> place;
    bool written;
    bool isInTheWay(const Use& other) const {
      return (written || other.written) && place.first < other.place.second && other.place.first < place.second;
    }
  };
  std::vector<std::vector<Use>> uses(steps.size());
  Order order{std::vector<std::vector<int>>(steps.size()),
              std::vector<std::vector<bool>>(steps.size(), std::vector<bool>(steps.size()))};
  for (size_t i = 0; i < steps.size(); i++) {
    const Step& step = steps[i];
    for (size_t k = 0; k < step.buffers.size(); k++)
      uses[i].push_back({placeOf(step.buffers[k]), k >= step.call.in.size()});
    if (scratch[i] >= 0) uses[i].push_back({placeOf(scratch[i]), true});
    std::vector<bool>& done = order.comesAfter[i];
    for (size_t j = i; j-- > 0;) {
      if (done[j]) continue;
      const bool isInTheWay = std::ranges::any_of(uses[i], [&](const Use& own) {
        return std::ranges::any_of(uses[j], [&](const Use& other) { return own.isInTheWay(other); });
      });
      if (!isInTheWay) continue;
      order.after[i].push_back(static_cast<int>(j));
      done[j] = true;
      for (size_t k = 0; k < j; k++) done[k] = done[k] || order.comesAfter[j][k];
    }
  }
  return order;
}

Tensors Program::replay(const Tensors& given) { return enqueue(given, nullptr); }

Tensors Program::enqueue(const Tensors& given, std::shared_ptr<Clock> clock) {
  Tensors out;
  for (const Port& port : results) out.push_back(Tensor::make(port.spec, new Storage(*device, port.spec.bytes())));
  std::vector<void*> from, to;
  for (const Tensor& t : given) from.push_back(t.storage()->data);
  for (const Tensor& t : out) to.push_back(t.storage()->data);
  double cost = run_->cost;
  std::vector<int> changed;
  for (size_t i = 0; i < prologue.size(); i++) {
    if (prologue[i].seen == version(prologue[i])) continue;
    changed.push_back(static_cast<int>(i));
    cost += prologue[i].step.prepared->cost;
  }
  Queue& queue = device->queue;
  const Backend& backend = device->backend;
  auto task = [run = run_, from = std::move(from), to = std::move(to), changed = std::move(changed),
               clock = std::move(clock), &queue, &backend](Stream& stream) {
    stream.op = "compile";
    try {
      run->prepare(queue, stream, changed);
      if (clock) clock->tick(stream);
      SmallVector<Transfer, 8> in, out;
      for (size_t i = 0; i < from.size(); i++) {
        if (Failure failure = queue.failureOf(from[i]))
          return queue.fail(failure, to.data(), static_cast<int>(to.size()), 0);
        in.push_back({run->inputs[i].memory, from[i], run->inputs[i].bytes});
      }
      backend.copy(stream, {in.begin(), in.end()});
      if (clock) {
        clock->tick(stream);
        run->call(queue, stream, clock.get());
      } else {
        run->launch(queue, stream, backend);
      }
      for (size_t i = 0; i < to.size(); i++) {
        queue.heal(to[i]);
        out.push_back({to[i], run->results[i].memory, run->results[i].bytes});
      }
      backend.copy(stream, {out.begin(), out.end()});
      if (clock) clock->tick(stream);
    } catch (const std::exception& error) {
      queue.fail(std::make_shared<const Error>(std::string(stream.op) + ": " + error.what(), Fault::device), to.data(),
                 static_cast<int>(to.size()), 0);
    }
  };
  queue.push(std::move(task), cost, run_->threadBound);
  for (Storage* storage : written_) storage->version++;
  for (Keeping& keeping : prologue) keeping.seen = version(keeping);
  return out;
}

std::string Program::profile(const Tensors& given) {
  auto clock = std::make_shared<Clock>(device->backend);
  const Tensors out = enqueue(given, clock);
  device->queue.wait();
  if (Failure failure = device->queue.takeFailure()) throw *failure;
  const std::vector<double> ticks = clock->ticks();
  if (ticks.size() != steps.size() + 3) throw Error("compile: expected a whole run to profile, got a part of it.");

  auto copy = [](const std::vector<Port>& ports) {
    Call call{Kernel::copy, {}, {}, {}};
    for (const Port& port : ports) call.in.push_back(port.spec), call.out.push_back(port.spec);
    return call;
  };
  std::string json;
  size_t at = 0;
  auto add = [&](const char* op, const Call& call) {
    json += (at ? ",\n" : "[") + timedCall(op, call, ticks[at], ticks[at + 1]);
    at++;
  };
  add("arguments", copy(inputs));
  for (const Step& step : steps) add(step.op, step.call);
  add("results", copy(results));
  return json + "]";
}

bool Program::isStale() const {
  return std::ranges::any_of(buffers, [](const Buffer& buffer) { return buffer.held && buffer.held->left; });
}

std::string Program::text() const {
  auto buffer = [&](int b) {
    const char* prefixes[] = {"in", "ext", "tmp", "kept"};
    return prefixes[buffers[b].kind] + std::to_string(b);
  };
  std::string s;
  auto line = [&](const Step& step) {
    const size_t inputCount = step.call.in.size();
    std::string out, in;
    for (size_t i = 0; i < step.buffers.size(); i++) {
      std::string& side = i < inputCount ? in : out;
      const Spec& spec = i < inputCount ? step.call.in[i] : step.call.out[i - inputCount];
      side += (side.empty() ? "" : ", ") + buffer(step.buffers[i]) + ": " + spec.text();
    }
    s += out + " = " + step.op + "." + step.call.text() + " <- " + in + "\n";
  };
  for (const Keeping& keeping : prologue) {
    const Step& step = keeping.step;
    s += "kept: ";
    if (step.part != Prepared::Part::pack) {
      line(step);
      continue;
    }
    const Prepared::Packing& packing = step.prepared->packing;
    s += buffer(step.buffers[1]) + ": " + std::to_string(packing.bytes) + " bytes = packed for " + step.op + "." +
         step.call.text() + " <- " + buffer(step.buffers[0]) + ": " + step.call.in[packing.input].text() + "\n";
  }
  for (const Step& step : steps) line(step);
  size_t sum = 0;
  for (const Buffer& b : buffers) sum += b.kind == Buffer::external || b.last < 0 ? 0 : aligned(b.bytes);
  s += std::to_string(steps.size()) + " steps, " + std::to_string(arenaBytes) + " bytes planned for " +
       std::to_string(sum) + " bytes of intermediate values\n";
  for (const Change& change : changes) s += std::to_string(change.count) + " " + change.pass + "\n";
  return s;
}

}  // namespace needletail
