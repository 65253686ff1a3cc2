#include "cuda/cudnn.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <optional>

#include "cuda/libraries.h"
#include "cuda/plans.h"
#include "cuda/runtime.h"
#include "cuda/trial.h"

// What the frontend calls cuDNN through.
namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;
}

namespace needletail::cuda {

namespace {

// Engines that are tried when plans are measured, the ones that cuDNN thinks fastest.
constexpr size_t kMeasured = 12;

fe::DataType_t typeOf(DType dtype) {
  switch (dtype) {
    case DType::bfloat16: return fe::DataType_t::BFLOAT16;
    case DType::float16: return fe::DataType_t::HALF;
    default: return fe::DataType_t::FLOAT;
  }
}

struct Layout {
  std::vector<int64_t> dims, strides;
  explicit Layout(const Shape& s) {
    if (s.rank() == 4) {
      dims = {s[0], s[3], s[1], s[2]};
      strides = {s[1] * s[2] * s[3], 1, s[2] * s[3], s[3]};
    } else {
      dims = {1, s[0], 1, 1};
      strides = {s[0], 1, s[0], s[0]};
    }
  }
};

void check(cudnnStatus_t status) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  throw Error(
      std::string("cuDNN: ") + fe::detail::get_error_string(status) + ": " + fe::detail::get_last_error_string_(),
      Fault::device);
}

// cuDNN on one device.
struct Session {
  std::mutex mutex;
  cudnnHandle_t handle = nullptr;  // null: the device is described
  std::shared_ptr<fe::DeviceProperties> properties;  // of a described device
  std::string key;  // device and versions
  int64_t workspaceLimit;

  Session() {
    fe::cudnn_dlhandle = library(Library::cudnn);
    key = machine();
    // Beyond it an engine's gain does not repay the memory that it takes from tensors.
    workspaceLimit = static_cast<int64_t>(memory().total / 8);
    if (const std::string* description = described()) {
      const char* kMemory = "\"totalGlobalMem\":";
      if (const size_t at = description->find(kMemory); at != std::string::npos)
        workspaceLimit = std::atoll(description->c_str() + at + std::strlen(kMemory)) / 8;
      properties = std::make_shared<fe::DeviceProperties>();
      const fe::error_t error = properties->deserialize({description->begin(), description->end()});
      if (error.is_bad()) throw Error("cuDNN: expected a description of a GPU, got " + *description);
      return;
    }
    check(fe::detail::create_handle(&handle));
  }

  void onto(cudaStream_t stream) {
    if (stream == stream_) return;
    check(fe::detail::set_stream(handle, stream));
    stream_ = stream;
  }

 private:
  cudaStream_t stream_ = nullptr;
};

Session& session() {
  static auto* sessions = new OfDevices<std::unique_ptr<Session>>;  // outlives every thread
  return *sessions->current([] { return std::make_unique<Session>(); });
}

using Plan = std::shared_ptr<fe::ExecutionPlan>;

// A plan's buffers as cuDNN takes them, made anew only when an address has changed.
class Pack {
 public:
  explicit Pack(std::vector<int64_t> buffers) : buffers_(std::move(buffers)) {
    for (int64_t buffer : buffers_) uids_.push_back(buffer + 1);
  }
  void execute(Session& session, fe::ExecutionPlan& plan, void* const* buffers, void* workspace) {
    std::vector<void*>& now = now_;
    now.clear();
    for (int64_t buffer : buffers_) now.push_back(buffers[buffer]);
    now.push_back(workspace);
    if (!pack_ || now != packed_) {
      packed_.clear();  // nothing, should what follows fail
      pack_.emplace(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
      check(pack_->get_status());
      std::vector<void*> pointers(now.begin(), now.end() - 1);
      fe::error_t error = fe::detail::create_variant_pack(*pack_, pointers, uids_, workspace);
      if (error.is_bad()) throw Error("cuDNN: " + error.get_message(), Fault::device);
      packed_ = now;
    }
    check(fe::detail::execute(session.handle, plan.get_raw_desc(), pack_->get_ptr()));
  }

 private:
  std::vector<int64_t> buffers_, uids_;
  std::vector<void*> now_, packed_;
  std::optional<fe::detail::backend_descriptor> pack_;
};

struct PlanRun final : Prepared {
  Session& session;
  Plan plan;
  Pack pack;
  PlanRun(Session& session, Plan made, std::vector<int64_t> buffers)
      : session(session), plan(std::move(made)), pack(std::move(buffers)) {
    if (plan) workspace = static_cast<size_t>(plan->getWorkspaceSize());
  }
  void run(Stream& stream, void* const* buffers) override {
    if (described()) return;
    std::lock_guard lock(session.mutex);
    session.onto(streamOf(stream));
    pack.execute(session, *plan, buffers, stream.workspace);
  }
};

bool willDo(cudnnBackendDescriptor_t engine, const Demands& demands) {
  if (fe::hasNumericalNote<CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC>(engine)) return false;
  if (fe::hasNumericalNote<CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION>(engine)) return false;
  if (fe::hasNumericalNote<CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS>(engine)) return false;
  if (fe::hasNumericalNote<CUDNN_NUMERICAL_NOTE_TENSOR_CORE>(engine) && demands.noTensorCores) return false;
  if (fe::hasNumericalNote<CUDNN_NUMERICAL_NOTE_WINOGRAD>(engine) && demands.noWinograd) return false;
  if (fe::hasNumericalNote<CUDNN_NUMERICAL_NOTE_TENSOR_CORE>(engine)) return true;
  // A compiled engine without tensor cores takes any graph, slowly: parts of the graph are faster.
  return !fe::hasBehaviorNote<CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION>(engine);
}

struct Made {
  Plan plan;  // null: none
  std::string name;  // of the plan, or why there is none
};

// rival: null, or what is measured beside the plans; taken by its name, without a plan.
Made makePlan(Session& session, const Call& call, const Demands& demands, CallGraph& graph, Rival* rival) {
  fe::EngineConfigList engines;
  fe::error_t error = graph.lower(session.handle, session.properties);
  if (error.is_good()) error = graph.engines(engines);
  if (error.is_bad()) {
    std::string why = error.get_message().substr(0, 200);
    std::replace(why.begin(), why.end(), '\n', ' ');
    return {nullptr, "none: " + why};
  }
  const bool measure = measuring() && session.handle;
  std::vector<Made> plans;
  int64_t workspace = 0;
  for (auto& engine : engines) {
    int64_t needed = 0;
    if (!willDo(engine->get_backend_descriptor(), demands)) continue;
    if (fe::detail::get_workspace_size(engine, needed).is_bad() || needed > session.workspaceLimit) continue;
    Plan plan;
    error = fe::detail::create_cudnn_execution_plan(plan, engine, graph.tag(), nullptr);
    if (error.is_bad()) continue;
    workspace = std::max(workspace, plan->getWorkspaceSize());
    plans.push_back({plan, fe::detail::get_engine_tag(engine)});
    if (plans.size() >= (measure ? kMeasured : 1)) break;
  }
  if (plans.empty()) return {nullptr, "none: no engine of " + std::to_string(engines.size()) + " will do"};
  if (plans.size() == 1 && !rival) return plans[0];
  Trial trial(call, std::max(static_cast<size_t>(workspace), rival ? rival->prepared->workspace : 0));
  if (!trial.hasMemory()) return plans[0];
  const Made* best = &plans[0];
  float least = std::numeric_limits<float>::infinity();
  for (const Made& made : plans) {
    Pack pack(graph.used());
    const float time = trial.time([&](Stream& stream, void* const* buffers) {
      session.onto(streamOf(stream));
      pack.execute(session, *made.plan, buffers, stream.workspace);
    });
    if (time < least) least = time, best = &made;
  }
  const auto runRival = [&](Stream& stream, void* const* buffers) { rival->prepared->run(stream, buffers); };
  if (rival && trial.time(runRival) < least) return {nullptr, rival->name};
  return *best;
}

void keep(const std::string& key, const Made& made) {
  try {
    storePlan(key, {made.name, made.plan ? made.plan->getJsonRepresentation() : ""});
  } catch (const fe::cudnnException&) {  // an engine that can't be told: planned again by the next process
  }
}

}  // namespace

CallGraph::CallGraph(const Call& call) : call_(call) {
  set_io_data_type(typeOf(call.in[0].dtype));
  set_intermediate_data_type(fe::DataType_t::FLOAT);
  set_compute_data_type(fe::DataType_t::FLOAT);
}

const Spec& CallGraph::spec(int buffer) const {
  const int inputs = static_cast<int>(call_.in.size());
  return buffer < inputs ? call_.in[buffer] : call_.out[buffer - inputs];
}

Operand CallGraph::input(int buffer) {
  const Layout layout(spec(buffer).shape);
  used_.push_back(buffer);
  return tensor(fe::graph::Tensor_attributes()
                    .set_uid(buffer + 1)
                    .set_dim(layout.dims)
                    .set_stride(layout.strides)
                    .set_data_type(typeOf(spec(buffer).dtype)));
}

void CallGraph::output(const Operand& result, int buffer) {
  shapeAs(result, buffer);
  used_.push_back(buffer);
  result->set_output(true).set_uid(buffer + 1).set_data_type(typeOf(spec(buffer).dtype));
}

void CallGraph::shapeAs(const Operand& tensor, int buffer) const {
  const Layout layout(spec(buffer).shape);
  tensor->set_dim(layout.dims).set_stride(layout.strides);
}

Operand CallGraph::pointwise(fe::PointwiseMode_t mode, const Operand& a) {
  return Graph::pointwise(a, fe::graph::Pointwise_attributes().set_mode(mode));
}
Operand CallGraph::pointwise(fe::PointwiseMode_t mode, const Operand& a, const Operand& b) {
  return Graph::pointwise(a, b, fe::graph::Pointwise_attributes().set_mode(mode));
}

fe::error_t CallGraph::lower(cudnnHandle_t handle, std::shared_ptr<const fe::DeviceProperties> properties) {
  set_device_properties(std::move(properties));
  const fe::error_t error = validate();
  return error.is_bad() ? error : build_operation_graph(handle);
}

fe::error_t CallGraph::engines(fe::EngineConfigList& list) {
  // Not by Graph::create_execution_plans, which would want the shared CUDA runtime and a linked NVRTC.
  return fe::detail::query_cudnn_heuristics_impl(operation_graph, list, {fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK},
                                                 -1, device_properties);
}

std::unique_ptr<Prepared> Rival::take(const Call& call) {
  notePlan(call, name);
  return std::move(prepared);
}

std::unique_ptr<Prepared> preparePlan(const Call& call, const Demands& demands,
                                      const std::function<void(CallGraph&)>& draw, Rival* rival) {
  Session& on = session();
  std::lock_guard lock(on.mutex);
  if (auto before = described() ? plannedBefore(call) : std::nullopt) {
    notePlan(call, *before);
    return before->starts_with("cuDNN") ? std::make_unique<PlanRun>(on, nullptr, std::vector<int64_t>()) : nullptr;
  }
  CallGraph graph(call);
  draw(graph);
  if (!measuring() || !on.handle || (rival && !rival->prepared)) rival = nullptr;
  const std::string key =
      on.key + (measuring() ? " measured" : "") + (rival ? " beside " + rival->name : "") + ": " + textOf(call);
  Made made;
  if (auto stored = on.handle ? loadPlan(key) : std::nullopt) {
    made.name = stored->name;
    if (rival && made.name == rival->name) return rival->take(call);
    if (fe::detail::create_cudnn_execution_plan(made.plan, stored->data, on.handle).is_bad())
      made.plan = nullptr;  // of another installation of the same versions: planned again
  }
  if (!made.plan) {
    made = makePlan(on, call, demands, graph, rival);
    const bool taken = rival && made.name == rival->name;
    if (on.handle && (made.plan || taken)) keep(key, made);
    if (taken) return rival->take(call);
  }
  notePlan(call, "cuDNN " + made.name);
  if (!made.plan) return nullptr;
  return std::make_unique<PlanRun>(on, std::move(made.plan), graph.used());
}

}  // namespace needletail::cuda
