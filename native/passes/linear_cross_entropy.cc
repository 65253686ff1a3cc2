// A classifier's last layer: the factors of a dropout, the product that makes the logits, losses and their gradient,
// and the gradient of what the layer was given, as one call. Each alone is next to no work, and waits for the one
// before it.
#include <algorithm>

#include "ops/elementwise_rows.h"
#include "params.h"
#include "passes/passes.h"

namespace needletail {

namespace {

// A product of two matrices with no more than a bias.
bool isPlain(const Step& step, bool transposeB) {
  if (step.call.kernel != Kernel::matmul || step.call.out[0].shape.rank() != 2) return false;
  const auto params = read<Matmul>(step.call.params);
  return !params.transposeA && params.transposeB == transposeB && !params.epilogue.residual &&
         params.epilogue.activation == Activation::none && (transposeB || !params.epilogue.bias);
}

bool fuse(Program& program, int at) {
  const Step& losses = program.steps[at];
  if (losses.call.kernel != Kernel::softmaxCrossEntropyGradient) return false;
  LinearCrossEntropy params;
  params.entropy = read<CrossEntropy>(losses.call.params);
  const size_t lossesIn = losses.call.in.size();
  const int logits = losses.buffers[1], gradient = losses.buffers[lossesIn];
  const Uses uses(program);
  if (!params.entropy.losses || !uses.isMadeOnce(logits) || !uses.isValue(gradient)) return false;

  // What makes the logits.
  const int product = uses.of(logits).writers[0];
  const Step& layer = program.steps[product];
  if (!isPlain(layer, true) || layer.call.in[1].dtype != layer.call.out[0].dtype || !uses.canWait(product, at, at))
    return false;
  params.bias = read<Matmul>(layer.call.params).epilogue.bias;
  Spec x = layer.call.in[0];
  int from = layer.buffers[0], scaling = -1, factors = -1;
  const int scaled = from, weights = layer.buffers[1];
  SmallVector<int, 8> gone;
  gone.push_back(product);
  if (uses.isMadeOnce(scaled) && isRow(program.steps[uses.of(scaled).writers[0]], Row::mul) &&
      uses.canWait(uses.of(scaled).writers[0], at, product)) {
    scaling = uses.of(scaled).writers[0];
    from = program.steps[scaling].buffers[0], factors = program.steps[scaling].buffers[1];
    if (from == factors) return false;
  }

  // The gradient of what the layer was given.
  int back = -1;
  for (int reader : uses.of(gradient).readers) {
    const Step& step = program.steps[reader];
    if (isPlain(step, false) && step.buffers[0] == gradient && step.buffers[1] == weights) back = reader;
  }
  if (back < 0 || !uses.canHurry(back, at, gradient)) return false;
  gone.push_back(back);
  int dx = program.steps[back].buffers[2];
  // The step that alone reads dx, if it can be run here as well.
  const auto next = [&](Row row, int immediates, int other) {
    const int reader = uses.of(dx).readers.empty() ? -1 : uses.of(dx).readers[0];
    if (reader < 0 || !uses.isFor(dx, reader) || !uses.canHurry(reader, at, dx)) return false;
    const Step& step = program.steps[reader];
    if (!isRow(step, row, immediates) || step.buffers[0] != other || step.buffers[1] != dx) return false;
    if (step.call.out[0].elements() != x.elements()) return false;
    gone.push_back(reader);
    dx = step.buffers[2];
    return true;
  };
  params.factors = scaling >= 0 && next(Row::mul_gradientA, 0b101, factors);  // operands x and y are not used
  if (params.factors)
    gone.push_back(scaling);
  else
    from = scaled;
  if (uses.isWrittenBetween(from, product, at)) return false;
  params.relu = next(Row::relu_gradient, 1, from);

  Call call{Kernel::linearCrossEntropyGradient, write(params), {losses.call.in[0], x, layer.call.in[1]}, {}};
  SmallVector<int, 8> buffers;
  for (int buffer : {losses.buffers[0], from, weights}) buffers.push_back(buffer);
  const auto input = [&](const Spec& spec, int buffer) { call.in.push_back(spec), buffers.push_back(buffer); };
  if (params.bias) input(layer.call.in[2], layer.buffers[2]);
  for (size_t k = 2; k < lossesIn; k++) input(losses.call.in[k], losses.buffers[k]);
  if (params.factors) input(x, factors);
  const auto output = [&](const Spec& spec, int buffer) { call.out.push_back(spec), buffers.push_back(buffer); };
  output(losses.call.out[0], gradient);
  output(losses.call.out[1], losses.buffers[lossesIn + 1]);
  output(x, dx);
  output(layer.call.out[0], logits);
  if (params.factors) output(x, scaled);
  if (!program.replace(at, std::move(call), losses.op, std::move(buffers))) return false;
  std::sort(gone.begin(), gone.end(), std::greater<int>());
  for (int step : gone) program.remove(step);
  return true;
}

}  // namespace

int joinLinearCrossEntropy(Program& program) { return atEachStep(program, fuse); }

}  // namespace needletail
