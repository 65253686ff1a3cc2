// How each layer of nn is written as nodes of ONNX.
import { expected } from '../../errors.js'
import { paddingOf, paddingOfHeightOne, pairOf, type Pair } from '../../functional/window.js'
import type { ActivationName } from '../../nn/activation.js'
import { argumentsOf } from '../../nn/arguments.js'
import * as nn from '../../nn/index.js'
import { join } from '../../nn/names.js'
import { windowsOf } from '../../nn/pooling.js'
import type { Weighted } from '../../nn/weighted.js'
import type { Tensor } from '../../tensor.js'
import { channelsFirst, product, type Graph, type Value } from './graph.js'

type Write<M> = (graph: Graph, module: M, x: Value) => Value
type Class<M> = abstract new (...args: never[]) => M

/** The exact classes: one that extends a layer may do something else. */
const WRITERS = new Map<unknown, Write<any>>()
function on<M>(classes: Class<M> | readonly Class<M>[], write: Write<M>): void {
  for (const type of [classes].flat() as Class<M>[]) WRITERS.set(type, write)
}

/** Writes what `module`, whose name in the network is `name`, makes of `x` in use. */
export function writeModule(graph: Graph, name: string, module: nn.Module<unknown>, x: Value): Value {
  const write = WRITERS.get(module.constructor)
  if (write === undefined) {
    const at = name ? ` at ${name}` : ''
    const hint = 'Of a class of your own nothing is known: put its layers into a Sequential.'
    throw expected('exportOnnx', `a layer of nn${at}`, module.constructor.name, hint)
  }
  const outer = graph.at
  graph.at = name
  try {
    return (write as Write<nn.Module<unknown>>)(graph, module, x)
  } finally {
    graph.at = outer
  }
}

const member = (graph: Graph, name: string, module: nn.Module, x: Value): Value =>
  writeModule(graph, join(graph.at, name), module, x)

// Modules of modules.

on(nn.Sequential, (graph, module, x) =>
  [...module.members()].reduce((value, [name, layer]) => member(graph, name, layer as nn.Module, value), x)
)

on(nn.Residual, (graph, module, x) => {
  const body = member(graph, 'body', module.body, x)
  const shortcut = module.shortcut ? member(graph, 'shortcut', module.shortcut, x) : x
  const [, , options] = argumentsOf(module) as [unknown, unknown, nn.ResidualOptions?]
  return activate(graph, graph.node('Add', graph.alike(body, shortcut), {}), options?.activation)
})

on(nn.FlipAverage, (graph, module, x) => {
  const image = graph.first(x)
  const [end, axis, step] = [-(2 ** 31), graph.axisOf(image, 2), -1].map((value) => graph.whole(value))
  const mirrored = graph.node('Slice', [image, graph.whole(-1), end!, axis!, step!], {})
  const both = [image, mirrored].map((picture) => {
    const scores = logSoftmax(graph, member(graph, 'module', module.module, picture))
    return graph.node('Unsqueeze', [scores, graph.whole(0)], {}, { shape: [1, ...scores.shape] })
  })
  const [, ...shape] = both[0]!.shape
  const stacked = graph.node('Concat', both, { axis: 0 }, { shape: [2, ...shape] })
  const summed = graph.node('ReduceLogSumExp', [stacked], { axes: [0], keepdims: 0 }, { shape })
  return graph.node('Sub', [summed, graph.scalar(Math.LN2)], {})
})

on(nn.ClassGroups, (graph, { groups }, x) => {
  const classes = Math.max(...groups) + 1
  const members = Array.from({ length: classes }, (_, of) =>
    groups.flatMap((group, fine) => (group === of ? [fine] : []))
  )
  const longest = Math.max(...members.map(({ length }) => length))
  const filled = (list: number[], value: number) => [...list, ...Array<number>(longest - list.length).fill(value)]
  const picks = graph.whole(...members.flatMap((list) => filled(list, 0)))
  const absent = members.flatMap((list) => filled(list.map(() => 0), -Infinity)) // prettier-ignore
  const n = x.shape[0]!
  const picked = graph.node('Gather', [logSoftmax(graph, x), picks], { axis: 1 }, { shape: [n, classes * longest] })
  const grouped = graph.reshape(picked, [0, classes, longest], { shape: [n, classes, longest] })
  const alone = graph.node('Add', [grouped, graph.constant(Float32Array.from(absent), [classes, longest])], {})
  return graph.node('ReduceLogSumExp', [alone], { axes: [2], keepdims: 0 }, { shape: [n, classes] })
})

const logSoftmax = (graph: Graph, x: Value): Value => graph.node('LogSoftmax', [graph.ours(x)], { axis: -1 })

// What does nothing in use.

on<nn.Module>([nn.Identity, nn.Dropout, nn.ChannelDropout], (_, __, x) => x)

// Activations: of each value by itself, whatever its place.

const constant = (graph: Graph, type: string, x: Value, value: number): Value =>
  graph.node(type, [x, graph.scalar(value)], {})

const ACTIVATIONS: Record<ActivationName, (graph: Graph, x: Value) => Value> = {
  relu: (graph, x) => graph.node('Relu', [x], {}),
  sigmoid: (graph, x) => graph.node('Sigmoid', [x], {}),
  tanh: (graph, x) => graph.node('Tanh', [x], {}),
  softplus: (graph, x) => graph.node('Softplus', [x], {}),
  elu: (graph, x) => graph.node('Elu', [x], { alpha: { float: 1 } }),
  leakyRelu: (graph, x) => graph.node('LeakyRelu', [x], { alpha: { float: 0.01 } }),
  selu: (graph, x) => graph.node('Selu', [x], {}),
  relu6: (graph, x) => graph.node('Clip', [x, graph.scalar(0), graph.scalar(6)], {}),
  hardSigmoid: (graph, x) => graph.node('HardSigmoid', [x], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }),
  hardSwish: (graph, x) => graph.node('HardSwish', [x], {}),
  silu: (graph, x) => graph.node('Mul', [x, ACTIVATIONS.sigmoid(graph, x)], {}),
  mish: (graph, x) => graph.node('Mul', [x, ACTIVATIONS.tanh(graph, ACTIVATIONS.softplus(graph, x))], {}),
  // x * Phi(x): the operator Gelu is of a later opset.
  gelu: (graph, x) => {
    const erf = graph.node('Erf', [constant(graph, 'Mul', x, Math.SQRT1_2)], {})
    return graph.node('Mul', [x, constant(graph, 'Mul', constant(graph, 'Add', erf, 1), 0.5)], {})
  }
}

const activate = (graph: Graph, x: Value, name: ActivationName | undefined): Value =>
  name === undefined ? x : ACTIVATIONS[name](graph, x)

const CLASSES: readonly (readonly [Class<nn.Module>, ActivationName])[] = [
  [nn.ReLU, 'relu'],
  [nn.Sigmoid, 'sigmoid'],
  [nn.Tanh, 'tanh'],
  [nn.Softplus, 'softplus'],
  [nn.SELU, 'selu'],
  [nn.ReLU6, 'relu6'],
  [nn.HardSigmoid, 'hardSigmoid'],
  [nn.HardSwish, 'hardSwish'],
  [nn.SiLU, 'silu'],
  [nn.Mish, 'mish'],
  [nn.GELU, 'gelu']
]
for (const [type, name] of CLASSES) on(type, (graph, _, x) => activate(graph, x, name))
on(nn.ELU, (graph, { alpha }, x) => graph.node('Elu', [x], { alpha: { float: alpha } }))
on(nn.LeakyReLU, (graph, { slope }, x) => graph.node('LeakyRelu', [x], { alpha: { float: slope } }))
on(nn.PReLU, (graph, { weight }, x) => graph.node('PRelu', [x, graph.weight('weight', weight)], {}))

for (const [type, name] of [
  [nn.Softmax, 'Softmax'],
  [nn.LogSoftmax, 'LogSoftmax']
] as const)
  // prettier-ignore
  on<{ axis: number }>(type, (graph, { axis }, x) => {
    const value = typeof x.layout === 'string' ? x : graph.ours(x)
    return graph.node(name, [value], { axis: graph.axisOf(value, axis) })
  })

// Products with weights.

/** Weight (arranged) and bias of a layer, as further inputs. */
const weightsOf = (
  graph: Graph,
  { weight, bias }: Weighted<nn.LinearOptions>,
  arrange?: readonly [string, (tensor: Tensor) => Tensor]
): string[] => [graph.weight('weight', weight, arrange), ...(bias ? [graph.weight('bias', bias)] : [])]

const OIHW = ['OIHW', (weight: Tensor) => weight.permute(channelsFirst(weight.rank))] as const

/** Where windows lie along an image's or a sequence's axes. */
interface Windows {
  kernel: readonly number[]
  strides: readonly number[]
  dilations: readonly number[]
  /** Before and after along each axis. */
  pads: readonly (readonly [number, number])[]
}

interface WindowOptions {
  stride?: Pair | undefined
  padding?: unknown
  dilation?: Pair | undefined
}

function windows(
  x: Value,
  kernel: readonly number[],
  { stride = 1, padding = 'valid', dilation = 1 }: WindowOptions
): Windows {
  const flat = kernel.length === 1
  const axes = <T>(pair: readonly T[]): T[] => (flat ? pair.slice(1) : [...pair])
  const both = (value: readonly number[]): number[] => (flat ? [1, ...value] : [...value])
  const [strides, dilations] = [
    pairOf('exportOnnx', 'a stride', stride, 1),
    pairOf('exportOnnx', 'a dilation', dilation, 1)
  ]
  const size = both(x.shape.slice(1, -1))
  const extent = both(kernel).map((length, i) => (length - 1) * dilations[i]! + 1)
  const given = flat ? paddingOfHeightOne('exportOnnx', padding) : padding
  const pads = paddingOf('exportOnnx', given, size, extent, flat ? [1, strides[1]] : strides)
  return { kernel, strides: axes(strides), dilations: axes(dilations), pads: axes(pads) }
}

const attributesOf = ({ kernel, strides, pads }: Windows) => ({
  kernel_shape: kernel,
  strides,
  pads: [...pads.map(([before]) => before), ...pads.map(([, after]) => after)]
})

/** Where windows end: the sizes of what they make. */
const placesIn = (x: Value, { kernel, strides, dilations, pads }: Windows): number[] =>
  kernel.map((length, i) => {
    const [before, after] = pads[i]!
    return Math.floor((x.shape[i + 1]! + before + after - (length - 1) * dilations[i]! - 1) / strides[i]!) + 1
  })

on<nn.Conv2d | nn.Conv1d>([nn.Conv2d, nn.Conv1d], (graph, module, x) => {
  const [, , options = {}] = argumentsOf(module) as [unknown, unknown, nn.ConvOptions?]
  const image = graph.first(x)
  const lie = windows(image, module.kernel, options)
  const like = { shape: [x.shape[0]!, ...placesIn(image, lie), module.filters], layout: 'first' } as const
  const attributes = { ...attributesOf(lie), dilations: lie.dilations, group: options.groups ?? 1 }
  const y = graph.node('Conv', [image, ...weightsOf(graph, module, OIHW)], attributes, like)
  return activate(graph, y, options.activation)
})

on(nn.ConvTranspose2d, (graph, module, x) => {
  const [, , options = {}] = argumentsOf(module) as [unknown, unknown, nn.ConvTransposeOptions?]
  const image = graph.first(x)
  const lie = windows(image, module.kernel, options)
  const outside = pairOf('exportOnnx', 'an outputPadding', options.outputPadding ?? 0, 0)
  const places = lie.kernel.map((length, i) => {
    const [before, after] = lie.pads[i]!
    const span = (x.shape[i + 1]! - 1) * lie.strides[i]! + (length - 1) * lie.dilations[i]! + 1
    return span - before - after + outside[i]!
  })
  const attributes = {
    ...attributesOf(lie),
    dilations: lie.dilations,
    group: options.groups ?? 1,
    output_padding: outside
  }
  const like = { shape: [x.shape[0]!, ...places, module.filters], layout: 'first' } as const
  const y = graph.node('ConvTranspose', [image, ...weightsOf(graph, module, OIHW)], attributes, like)
  return activate(graph, y, options.activation)
})

on(nn.Linear, (graph, module, x) => {
  const [, options = {}] = argumentsOf(module) as [unknown, nn.LinearOptions?]
  const shape = [...x.shape.slice(0, -1), module.outputs]
  return activate(graph, product(graph, module, x, shape), options.activation)

  function product(graph: Graph, module: nn.Linear, x: Value, shape: number[]): Value {
    if (x.layout === 'first') {
      // Over each pixel's channels: a convolution of 1x1.
      const ones = x.shape.slice(2).map(() => 1)
      const arrange = [`1x1`, (weight: Tensor) => weight.reshape([...weight.shape, ...ones])] as const
      return graph.node('Conv', [x, ...weightsOf(graph, module, arrange)], {}, { shape, layout: 'first' })
    }
    if (x.shape.length === 2) {
      // Features that were an image come with channels first: the weight's columns change places instead of them.
      const image = x.layout === 'ours' ? undefined : x.layout
      const arrange = image && ([`CHW ${String(image)}`, (weight: Tensor) => columnsFirst(weight, image)] as const)
      return graph.node('Gemm', [x, ...weightsOf(graph, module, arrange)], { transB: 1 }, { shape, layout: 'ours' })
    }
    const [weight, bias] = weightsOf(graph, module, ['transposed', (weight: Tensor) => weight.permute([1, 0])])
    const y = graph.node('MatMul', [x, weight!], {}, { shape })
    return bias === undefined ? y : graph.node('Add', [y, bias], {})
  }
})

const columnsFirst = (weight: Tensor, image: readonly number[]): Tensor =>
  weight
    .reshape([weight.shape[0]!, ...image])
    .permute([0, 3, 1, 2])
    .reshape(weight.shape)

on(nn.Embedding, (graph, { weight, size }, x) =>
  graph.node('Gather', [graph.weight('weight', weight), x], { axis: 0 }, { shape: [...x.shape, size] })
)

on(nn.Flatten, (graph, { axis }, x) => {
  if (axis === 1) return graph.flatten(x)
  const value = graph.ours(x)
  const shape = [...x.shape.slice(0, axis), product(x.shape.slice(axis))]
  return graph.reshape(value, axis === 0 ? [-1] : [0, ...shape.slice(1)], { shape })
})

// Pools.

on<nn.MaxPool2d | nn.AvgPool2d | nn.MaxPool1d | nn.AvgPool1d>(
  [nn.MaxPool2d, nn.AvgPool2d, nn.MaxPool1d, nn.AvgPool1d],
  (graph, module, x) => {
    const [, options = {}] = argumentsOf(module) as [unknown, nn.AvgPoolOptions?]
    const kernel = x.shape.length === 3 ? module.size.slice(0, 1) : module.size
    const image = graph.first(x)
    const lie = windows(image, kernel, { stride: (kernel.length === 1 ? kernel[0] : kernel) as Pair, ...options })
    const like = { shape: [x.shape[0]!, ...placesIn(image, lie), x.shape.at(-1)!], layout: 'first' } as const
    if (module instanceof nn.MaxPool2d || module instanceof nn.MaxPool1d)
      return graph.node('MaxPool', [image], attributesOf(lie), like)
    const attributes = { ...attributesOf(lie), count_include_pad: options.countPadding ? 1 : 0 }
    return graph.node('AveragePool', [image], attributes, like)
  }
)

/** One value for each channel: [n, channels] of what is [n, channels, 1, 1] in the file. */
const overAll = (type: string) => (graph: Graph, _: unknown, x: Value) => {
  const shape = [x.shape[0]!, 1, 1, x.shape[3]!]
  return graph.flatten(graph.node(type, [graph.first(x)], {}, { shape, layout: 'first' }))
}
on(nn.GlobalAvgPool2d, overAll('GlobalAveragePool'))
on(nn.GlobalMaxPool2d, overAll('GlobalMaxPool'))

on<nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d>([nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d], (graph, module, x) => {
  const mean = module instanceof nn.AdaptiveAvgPool2d
  const shape = [x.shape[0]!, ...module.size, x.shape[3]!]
  const window = module.size.map((size, i) => x.shape[i + 1]! / size)
  if (window.every((length) => length === 1)) return x
  const image = graph.first(x)
  if (window.every(Number.isInteger)) {
    const type = mean ? 'AveragePool' : 'MaxPool'
    return graph.node(type, [image], { kernel_shape: window, strides: window }, { shape, layout: 'first' })
  }
  return [0, 1].reduce((value, i) => unevenWindows(graph, value, i, module.size[i]!, mean), image)
})

/** Windows of several lengths along height (0) or width (1), filled up to the longest with what they have already. */
function unevenWindows(graph: Graph, x: Value, i: number, parts: number, mean: boolean): Value {
  const places = windowsOf(x.shape[i + 1]!, parts)
  const longest = Math.max(...places.map(({ start, end }) => end - start))
  const each = (f: (start: number, end: number, k: number) => number) =>
    places.flatMap(({ start, end }) => Array.from({ length: longest }, (_, k) => f(start, end, k)))
  const picks = graph.whole(...each((start, end, k) => Math.min(start + k, end - 1)))
  const picked = graph.node('Gather', [x, picks], { axis: i + 2 })
  const sizes = [x.shape[1]!, x.shape[2]!]
  const spread = sizes.flatMap((size, axis) => (axis === i ? [parts, longest] : [size]))
  const split = graph.reshape(picked, [0, x.shape[3]!, ...spread], {
    shape: [x.shape[0]!, ...spread, x.shape[3]!],
    layout: 'first'
  })
  const shape = [x.shape[0]!, ...sizes.map((size, axis) => (axis === i ? parts : size)), x.shape[3]!]
  const like = { shape, layout: 'first' } as const
  if (!mean) return graph.node('ReduceMax', [split], { axes: [i + 3], keepdims: 0 }, like)
  const shares = Float32Array.from(each((start, end, k) => (start + k < end ? 1 / (end - start) : 0)))
  const weighed = graph.node(
    'Mul',
    [split, graph.constant(shares, [parts, longest, ...Array<number>(1 - i).fill(1)])],
    {}
  )
  return graph.node('ReduceSum', [weighed, graph.whole(i + 3)], { keepdims: 0 }, like)
}

// Normalisations.

on(nn.BatchNorm, (graph, module, x) => {
  const value = x.shape.length === 2 ? graph.ours(x) : graph.first(x)
  const { weight, bias, runningMean, runningVariance, epsilon } = module
  const channels = x.shape.at(-1)!
  const inputs = [
    weight ? graph.weight('weight', weight) : graph.constant(new Float32Array(channels).fill(1)),
    bias ? graph.weight('bias', bias) : graph.constant(new Float32Array(channels)),
    graph.weight('runningMean', runningMean),
    graph.weight('runningVariance', runningVariance)
  ]
  return graph.node('BatchNormalization', [value, ...inputs], { epsilon: { float: epsilon } })
})

on<nn.GroupNorm | nn.InstanceNorm>([nn.GroupNorm, nn.InstanceNorm], (graph, module, x) => {
  const channels = x.shape.at(-1)!
  const groups = module instanceof nn.GroupNorm ? module.groups : channels
  const value = x.shape.length === 2 ? graph.ours(x) : graph.first(x)
  // Groups as the channels of something that has no others.
  const split = graph.reshape(value, [0, groups, -1], {
    shape: [x.shape[0]!, groups, product(x.shape.slice(1)) / groups]
  })
  const plain = [new Float32Array(groups).fill(1), new Float32Array(groups)].map((values) => graph.constant(values))
  const normal = graph.node('InstanceNormalization', [split, ...plain], { epsilon: { float: module.epsilon } })
  const y = graph.reshape(normal, [0, channels, ...x.shape.slice(1, -1)], value)
  const ones = x.shape.slice(1, -1).map(() => 1)
  return affine(graph, module, y, ['by channel', (tensor) => tensor.reshape([channels, ...ones])])
})

/** Times a weight, plus a bias, where there are any. */
function affine(
  graph: Graph,
  { weight, bias }: { weight?: Tensor; bias?: Tensor },
  x: Value,
  arrange?: readonly [string, (tensor: Tensor) => Tensor]
): Value {
  const scaled = weight ? graph.node('Mul', [x, graph.weight('weight', weight, arrange)], {}) : x
  return bias ? graph.node('Add', [scaled, graph.weight('bias', bias, arrange)], {}) : scaled
}

on(nn.LayerNorm, (graph, module, x) => {
  const { weight, bias, axes, epsilon } = module
  const sizes = x.shape.slice(-axes)
  const scale = weight
    ? graph.weight('weight', weight)
    : graph.constant(new Float32Array(product(sizes)).fill(1), sizes)
  const inputs = [scale, ...(bias ? [graph.weight('bias', bias)] : [])]
  return graph.node('LayerNormalization', [graph.ours(x), ...inputs], { axis: -axes, epsilon: { float: epsilon } })
})

on(nn.RMSNorm, (graph, module, x) => {
  const value = graph.ours(x)
  const shape = [...x.shape.slice(0, -1), 1]
  const squares = graph.node('Mul', [value, value], {})
  const mean = graph.node('ReduceMean', [squares], { axes: [-1], keepdims: 1 }, { shape })
  const root = graph.node('Sqrt', [constant(graph, 'Add', mean, module.epsilon)], {})
  return affine(graph, module, graph.node('Div', [value, root], {}))
})
