#include "autograd.h"

#include <algorithm>
#include <unordered_map>

#include "ops/functions.h"

namespace needletail {

namespace {
NEEDLETAIL_THREAD bool mode = true;
NEEDLETAIL_THREAD uint64_t nextNode = 1;

// Nodes and what they save are let go one by one: a long chain would overflow the stack if each freed the next.
struct Graveyard {
  std::vector<Ref<Node>> nodes;
  std::vector<Tensor> tensors;
  bool digging = false;
};
thread_local Graveyard graveyard;

void bury(Node& node) {
  for (Ref<Node>& input : node.inputs) {
    if (input) graveyard.nodes.push_back(std::move(input));
  }
  for (auto* saved : {&node.in, &node.out}) {
    for (Saved& s : *saved) {
      if (s.tensor) graveyard.tensors.push_back(std::move(s.tensor));
    }
  }
  node.inputs.clear();
  node.in.clear();
  node.out.clear();
  if (graveyard.digging) return;
  graveyard.digging = true;
  while (!graveyard.nodes.empty() || !graveyard.tensors.empty()) {
    Ref<Node> next;
    Tensor tensor;
    if (!graveyard.nodes.empty()) {
      next = std::move(graveyard.nodes.back());
      graveyard.nodes.pop_back();
    } else {
      tensor = std::move(graveyard.tensors.back());
      graveyard.tensors.pop_back();
    }
  }
  graveyard.digging = false;
}

Tensor restore(const Saved& saved, const Node& node) {
  if (saved.tensor && saved.tensor.storage() && saved.tensor.storage()->version != saved.version) {
    throw expected(node.name(), "the values saved for the gradient to be unchanged",
                   "a tensor that was changed in place since",
                   "Change it after the gradient has been computed, or work on a copy.");
  }
  return saved.tensor;
}
}  // namespace

Node::Node() : number(nextNode++) {}
Node::~Node() { bury(*this); }

namespace {
// A gradient is computed in the dtypes that the values had, so no cast is wanted.
struct ComputeScope {
  Compute before = compute();
  explicit ComputeScope(Compute now) { setCompute(now); }
  ~ComputeScope() { setCompute(before); }
};
}  // namespace

bool gradientMode() { return mode; }
void setGradientMode(bool on) { mode = on; }
GradientMode::GradientMode(bool on) : before(mode) { mode = on; }
GradientMode::~GradientMode() { mode = before; }

static void link(Node& node, const Tensors& in, Tensors& out, Ref<Node> self) {
  for (const Tensor& t : in) {
    const bool flows = t && t.requiresGradient() && isFloat(t.dtype());
    node.inputs.push_back(flows ? t.body()->node : Ref<Node>());
    node.inputOutputs.push_back(flows ? t.body()->output : 0);
    node.inSpecs.push_back(t ? t.spec() : Spec());
  }
  for (size_t i = 0; i < out.size(); i++) {
    node.outSpecs.push_back(out[i].spec());
    if (!isFloat(out[i].dtype())) continue;
    out[i].body()->node = self;
    out[i].body()->output = static_cast<int>(i);
  }
}

void record(const Op& op, const Tensors& in, const Params& params, Tensors& out) {
  auto save = [](const Tensor& t) {
    Saved saved{t, 0};
    if (t && t.storage()) saved.version = t.storage()->version;
    return saved;
  };
  Ref<Node> node(new Node());
  node->op = &op;
  node->params = params;
  for (size_t i = 0; i < in.size(); i++)
    node->in.push_back(save(op.saveInputs >> std::min<size_t>(i, 31) & 1 ? in[i] : Tensor()));
  for (size_t i = 0; i < out.size(); i++) {
    node->out.push_back(save(op.saveOutputs >> std::min<size_t>(i, 31) & 1 ? out[i].detached() : Tensor()));
  }
  link(*node, in, out, node);
}

void recordCustom(const char* name, const Tensors& in, Tensors& out, CustomBackward backward) {
  Ref<Node> node(new Node());
  node->custom = std::move(backward);
  node->customName = name;
  link(*node, in, out, node);
}

void requireGradient(Tensor& tensor) {
  if (tensor.requiresGradient()) return;
  Ref<Node> node(new Node());
  node->outSpecs.push_back(tensor.spec());
  tensor.body()->node = node;
  tensor.body()->output = 0;
}

Tensor leaf(const Tensor& source) {
  if (source.requiresGradient()) return identity(source);
  Tensor made = source.detached();
  requireGradient(made);
  return made;
}

Tensors backward(const Tensor& output, const Tensor& seed, const Tensors& targets, bool graph, bool keep) {
  struct State {
    bool relevant = false;
    Tensors gradients;  // of the node's results, empty: zero
  };
  Tensors result(targets.size(), Tensor());
  if (!output.requiresGradient()) return result;

  // All nodes below the output, oldest first; those on a way to a target are relevant.
  std::unordered_map<Node*, State> states;
  std::vector<Node*> order, stack{output.body()->node.get()};
  states[stack[0]];
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    order.push_back(node);
    for (const Ref<Node>& input : node->inputs) {
      if (input && states.try_emplace(input.get()).second) stack.push_back(input.get());
    }
  }
  for (const Tensor& target : targets) {
    auto found = states.find(target.body()->node.get());
    if (found != states.end()) found->second.relevant = true;
  }
  std::sort(order.begin(), order.end(), [](Node* a, Node* b) { return a->number < b->number; });
  for (Node* node : order) {
    State& state = states[node];
    for (const Ref<Node>& input : node->inputs)
      state.relevant = state.relevant || (input && states[input.get()].relevant);
    state.gradients.resize(node->outSpecs.size());
  }

  auto accumulate = [&](Node* node, int index, const Tensor& gradient) {
    Tensor& sum = states[node].gradients[index];
    sum = sum ? add(sum, gradient) : gradient;
  };
  GradientMode modeScope(graph);
  ComputeScope computeScope(compute() > Compute::tf32 ? Compute::float32 : compute());
  accumulate(output.body()->node.get(), output.body()->output, seed);

  Ref<Node> keepAlive = output.body()->node;  // freeing as we go must not free what is still to be visited
  for (size_t i = order.size(); i-- > 0;) {
    Node* node = order[i];
    State& state = states[node];
    if (!state.relevant || (!node->op && !node->custom)) continue;
    const Tensor* any = nullptr;
    for (const Tensor& g : state.gradients) any = any ? any : g ? &g : nullptr;
    if (!any) continue;
    DeviceScope deviceScope(any->storage()->device);
    if (node->freed) {
      throw expected("grad", "a graph that has not been used",
                     std::string("a result of ") + node->name() + " whose saved values were freed",
                     "Pass { keepGraph: true } to the first backward, or compute the result again.");
    }
    SmallVector<bool, 4> wanted;
    for (const Ref<Node>& input : node->inputs) wanted.push_back(input && states[input.get()].relevant);
    Tensors gradients;
    OpName opName(node->name());
    if (node->custom) {
      for (size_t k = 0; k < state.gradients.size(); k++) {
        if (!state.gradients[k]) state.gradients[k] = full(node->outSpecs[k], 0);
      }
      gradients = node->custom(state.gradients);
    } else {
      Tensors in, out;
      for (const Saved& saved : node->in) in.push_back(restore(saved, *node));
      for (size_t k = 0; k < node->out.size(); k++) {
        Tensor t = restore(node->out[k], *node);
        if (t && graph) {  // give the result its history back
          t = t.detached();
          t.body()->node = node;
          t.body()->output = static_cast<int>(k);
        }
        out.push_back(t);
      }
      gradients = node->op->backward({*node->op, node->params, in, out, node->inSpecs, node->outSpecs, wanted, graph},
                                     state.gradients);
    }
    for (size_t k = 0; k < node->inputs.size() && k < gradients.size(); k++) {
      if (wanted[k] && gradients[k]) accumulate(node->inputs[k].get(), node->inputOutputs[k], gradients[k]);
    }
    // What a target asks for is kept, the rest is let go at once.
    bool isTarget = false;
    for (const Tensor& target : targets) isTarget = isTarget || target.body()->node.get() == node;
    if (!isTarget) state.gradients.clear();
    if (!graph && !keep) {
      node->freed = true;
      node->in.clear();
      node->out.clear();
    }
  }
  for (size_t i = 0; i < targets.size(); i++) {
    auto found = states.find(targets[i].body()->node.get());
    if (found == states.end() || found->second.gradients.empty()) continue;
    result[i] = found->second.gradients[targets[i].body()->output];
  }
  return result;
}

}  // namespace needletail
