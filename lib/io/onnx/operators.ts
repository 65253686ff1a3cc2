// What ONNX's operators are in the library. Each makes, once, a function of the node's inputs.
import { expected } from '../../errors.js'
import * as nt from '../../functional.js'
import type { Tensor } from '../../tensor.js'
import type { NodeProto } from '../protobuf/onnx_pb.js'
import { channelsFirst, channelsLast, product } from './graph.js'
import type { Attributes, Constant } from './read.js'
import {
  alike,
  axisIn,
  held,
  image,
  isKnown,
  known,
  MAX_KNOWN,
  onDevice,
  plain,
  shapeOf,
  type Held,
  type Known,
  type Value
} from './values.js'

/** What an operator is told of its node. */
export interface Making {
  readonly node: NodeProto
  /** For messages: the operator, and the node's name. */
  readonly at: string
  readonly opset: number
  readonly attributes: Attributes
  /** Whether input `i` is floats that stand in the file. */
  isWeight(i: number): boolean
  /** The one number that input `i` is, which must stand in the file; undefined where it is not given. */
  number(i: number): number | undefined
  /** The floats that input `i` is, which must stand in the file, as a parameter (or buffer) of the network, after `arrange`. */
  weight(i: number, arrange?: (tensor: Tensor) => Tensor, kind?: 'parameter' | 'buffer'): Tensor
}

/** The values of a node's inputs (undefined: not given) to those of its outputs. */
export type Run = (inputs: readonly (Value | undefined)[], device: string) => Value | Value[]
type Make = (making: Making) => Run

const OP = 'importOnnx'

/** An operator on tensors: numbers that were known are brought to the device. */
const onTensors =
  (make: (making: Making) => (inputs: readonly Held[], given: readonly (Value | undefined)[]) => Held): Make =>
  (making) => {
    const run = make(making)
    return (inputs, device) => run(inputs.map((value) => value && onDevice(value, device)) as Held[], inputs)
  }

// Elementwise: the order of the axes is of no matter.

const unary = (make: (making: Making) => (x: Tensor<any>) => Tensor<any>): Make =>
  onTensors((making) => {
    const f = make(making)
    return ([x]) => held(f(x!.tensor), x!.last)
  })

const binary =
  (tensors: (a: Tensor<any>, b: Tensor<any>) => Tensor<any>, numbers?: (a: number, b: number) => number): Make =>
  () => {
    return (inputs, device) => {
      const values = inputs as Value[]
      if (numbers && values.every(isKnown)) return values.reduce((a, b) => combined(a as Known, b as Known, numbers))
      const { tensors: all, last } = alike(values.map((value) => floats(onDevice(value, device))))
      return held(all.reduce(tensors), last)
    }
  }

const floats = ({ tensor, last }: Held): Held =>
  held(tensor.dtype === 'float32' ? tensor : tensor.astype('float32'), last)

function combined(a: Known, b: Known, f: (a: number, b: number) => number): Known {
  const length = Math.max(a.numbers.length, b.numbers.length)
  const at = ({ numbers }: Known, i: number) => numbers[numbers.length === 1 ? 0 : i] ?? NaN
  return known(Array.from({ length }, (_, i) => f(at(a, i), at(b, i))), a.single && b.single) // prettier-ignore
}

// Windows.

interface Windows {
  stride: number[]
  padding: 'same' | [number, number][]
  dilation: number[]
}

function windowsOf({ attributes, at }: Making, axes: number): Windows {
  const auto = attributes.text('auto_pad', 'NOTSET')
  const pads = attributes.ints('pads') ?? Array<number>(2 * axes).fill(0)
  const [stride, dilation] = ['strides', 'dilations'].map(
    (name) => attributes.ints(name) ?? Array<number>(axes).fill(1)
  )
  if (!['NOTSET', 'VALID', 'SAME_UPPER'].includes(auto))
    throw expected(OP, `auto_pad NOTSET, VALID or SAME_UPPER of ${at}`, auto)
  if (pads.length !== 2 * axes || stride!.length !== axes || dilation!.length !== axes || (axes !== 1 && axes !== 2)) {
    throw expected(OP, `windows over one or two axes of ${at}`, `${stride!.length} strides, ${pads.length} pads`)
  }
  const sides = stride!.map((_, i): [number, number] => (auto === 'NOTSET' ? [pads[i]!, pads[axes + i]!] : [0, 0]))
  return { stride: stride!, padding: auto === 'SAME_UPPER' ? 'same' : sides, dilation: dilation! }
}

/** The options of a window in the form that functions over one axis, and over two, take. */
const optionsOf = ({ stride, padding, dilation }: Windows): any =>
  stride.length === 1
    ? { stride: stride[0], padding: padding === 'same' ? padding : padding[0], dilation: dilation[0] }
    : { stride, padding, dilation }

function checkKernel({ attributes, at }: Making, kernel: readonly number[]): void {
  const told = attributes.ints('kernel_shape') ?? kernel
  if (String(told) !== String(kernel))
    throw expected(OP, `kernel_shape [${kernel.join(', ')}] of ${at}`, `[${told.join(', ')}]`)
}

/** A weight [out, in, ...] with its channels last. */
const withChannelsLast = (weight: Tensor): Tensor => weight.permute(channelsLast(weight.rank))

const convolution = (transposed: boolean): Make =>
  onTensors((making) => {
    const { attributes, node } = making
    const weight = making.weight(1, withChannelsLast)
    const bias = node.input[2] ? making.weight(2) : undefined
    const kernel = weight.shape.slice(1, -1)
    checkKernel(making, kernel)
    const outside = transposed ? (attributes.ints('output_padding') ?? kernel.map(() => 0)) : undefined
    const flat = kernel.length === 1
    const options = {
      ...optionsOf(windowsOf(making, kernel.length)),
      groups: attributes.int('group', 1),
      bias,
      ...(outside && { outputPadding: flat ? outside[0] : outside })
    }
    const [one, two] = transposed ? [nt.convTranspose1d, nt.convTranspose2d] : [nt.conv1d, nt.conv2d]
    return ([x]) => held((flat ? one : two)(image(x!), weight, options), true)
  })

const pool = (type: 'max' | 'avg'): Make =>
  onTensors((making) => {
    const { attributes, at } = making
    const kernel = attributes.ints('kernel_shape') ?? []
    const windows = windowsOf(making, kernel.length)
    if (windows.dilation.some((step) => step !== 1))
      throw expected(OP, `dilations of 1 of ${at}`, `[${windows.dilation.join(', ')}]`)
    attributes.only('storage_order', 0)
    const countPadding = attributes.int('count_include_pad', 0) === 1
    const ceil = attributes.int('ceil_mode', 0) === 1
    if (ceil && countPadding) throw expected(OP, `ceil_mode without count_include_pad of ${at}`, 'both')
    const [one, two] = type === 'max' ? [nt.maxPool1d, nt.maxPool2d] : [nt.avgPool1d, nt.avgPool2d]
    return ([x]) => {
      const input = image(x!)
      const lie = ceil ? withLastWindow(windows, kernel, input.shape.slice(1, -1)) : windows
      const { stride, padding } = optionsOf(lie)
      const options = { stride, padding, ...(type === 'avg' && { countPadding }) }
      const y = kernel.length === 1 ? one(input, kernel[0]!, options) : two(input, kernel as [number, number], options)
      return held(y, true)
    }
  })

/** With places at the end for a window that would hang over, where it begins within the image or before it. */
function withLastWindow(windows: Windows, kernel: readonly number[], sizes: readonly number[]): Windows {
  if (windows.padding === 'same') return windows
  const padding = windows.padding.map(([before, after], i): [number, number] => {
    const [length, stride] = [kernel[i]!, windows.stride[i]!]
    const places = Math.ceil((sizes[i]! + before + after - length) / stride) + 1
    const count = (places - 1) * stride >= sizes[i]! + before ? places - 1 : places
    return [before, Math.max(after, (count - 1) * stride + length - sizes[i]! - before)]
  })
  return { ...windows, padding }
}

// Products.

const gemm: Make = onTensors((making) => {
  const { attributes, node } = making
  const transposeA = attributes.int('transA', 0) === 1
  const [alpha, beta] = [attributes.float('alpha', 1), attributes.float('beta', 1)]
  const turned = attributes.int('transB', 0) === 1
  const weight = making.weight(1, (w) => (turned ? w : w.permute([1, 0])).mul(alpha))
  const bias = making.isWeight(2) ? making.weight(2, (b) => b.mul(beta)) : undefined
  return ([x, , computed]) => {
    const y = nt.matmul(plain(x!), weight, { transposeA, transposeB: true })
    if (bias) return held(y.add(bias))
    return held(node.input[2] ? y.add(plain(computed!).mul(beta)) : y)
  }
})

const matmul: Make = (making) => {
  if (!making.isWeight(1))
    return onTensors(
      () =>
        ([a, b]) =>
          held(nt.matmul(plain(a!), plain(b!)))
    )(making)
  const weight = making.weight(1)
  return onTensors(
    () =>
      ([x]) =>
        held(nt.matmul(plain(x!), weight))
  )(making)
}

// Normalisations.

const batchNorm: Make = onTensors((making) => {
  const { attributes } = making
  attributes.only('training_mode', 0)
  attributes.float('momentum', 0.9)
  const epsilon = attributes.float('epsilon', 1e-5)
  const [scale, offset] = [making.weight(1), making.weight(2)]
  const [runningMean, runningVariance] = [3, 4].map((i) => making.weight(i, (x) => x, 'buffer'))
  const options = { scale, offset, runningMean: runningMean!, runningVariance: runningVariance!, epsilon }
  return ([x]) => {
    const images = x!.tensor.rank > 2
    return held(nt.batchNorm(images ? image(x!) : x!.tensor, options), images)
  }
})

const instanceNorm: Make = onTensors((making) => {
  const epsilon = making.attributes.float('epsilon', 1e-5)
  const [scale, offset] = [making.weight(1), making.weight(2)]
  return ([x]) => {
    const input = image(x!)
    return held(nt.groupNorm(input, input.shape.at(-1)!, { scale, offset, epsilon }), true)
  }
})

const layerNorm: Make = onTensors((making) => {
  const { attributes, node } = making
  const [axis, epsilon] = [attributes.int('axis', -1), attributes.float('epsilon', 1e-5)]
  attributes.int('stash_type')
  const scale = making.weight(1)
  const offset = node.input[2] ? making.weight(2) : undefined
  return ([x]) => {
    const input = plain(x!)
    const axes = axis < 0 ? -axis : input.rank - axis
    return held(nt.layerNorm(input, { axes, epsilon, scale, ...(offset && { offset }) }))
  }
})

/** Local response normalisation over neighbouring channels (Krizhevsky, Sutskever and Hinton 2012). */
const responseNorm: Make = onTensors(({ attributes }) => {
  const size = attributes.int('size', 1)
  const [alpha, beta, bias] = [
    attributes.float('alpha', 1e-4),
    attributes.float('beta', 0.75),
    attributes.float('bias', 1)
  ]
  const before = Math.floor((size - 1) / 2)
  return ([x]) => {
    const axis = axisIn(x!, 1)
    const channels = x!.tensor.shape[axis]!
    const sides = x!.tensor.shape.map((_, i): [number, number] => (i === axis ? [before, size - 1 - before] : [0, 0]))
    const squares = nt.pad(nt.square(x!.tensor), sides)
    const sums = Array.from({ length: size }, (_, i) => nt.slice(squares, i, i + channels, { axis })).reduce(nt.add)
    return held(
      x!.tensor.div(
        sums
          .mul(alpha / size)
          .add(bias)
          .pow(beta)
      ),
      x!.last
    )
  }
})

// Along axes.

/** Axes as an attribute of early opsets, or as the input `i` of later ones. */
function axesOf(
  { attributes }: Making,
  name: string,
  i: number
): (inputs: readonly (Value | undefined)[]) => readonly number[] | undefined {
  const told = attributes.ints(name)
  return (inputs) => told ?? (inputs[i] === undefined ? undefined : numbersOf(inputs[i], `${name} as known numbers`))
}

function numbersOf(value: Value | undefined, what: string): readonly number[] {
  if (value && isKnown(value)) return value.numbers
  throw expected('OnnxNetwork', what, value ? 'some that are computed' : 'none')
}

const reduce = (f: (x: Tensor<any>, axes: number[], options: { keepDims: boolean }) => Tensor<any>): Make =>
  onTensors((making) => {
    const axes = axesOf(making, 'axes', 1)
    const keepDims = making.attributes.int('keepdims', 1) === 1
    making.attributes.only('noop_with_empty_axes', 0)
    return ([x], given) => {
      // Without its axes an image is no image any more.
      const value = keepDims ? x! : held(plain(x!))
      const told = axes(given) ?? []
      const all = told.length > 0 ? told : shapeOf(value).map((_, i) => i)
      return held(f(value.tensor, all.map((axis) => axisIn(value, axis)), { keepDims }), value.last) // prettier-ignore
    }
  })

const globalPool = (f: (x: Tensor<any>, axes: number[], options: { keepDims: boolean }) => Tensor<any>): Make =>
  onTensors(() => ([x]) => {
    const input = image(x!)
    const axes = input.shape.slice(1, -1).map((_, i) => i + 1)
    return held(f(input, axes, { keepDims: true }), true)
  })

const softmax = (f: (x: Tensor<any>, axis: number) => Tensor<any>): Make =>
  onTensors(({ attributes, opset }) => {
    if (opset >= 13) {
      const axis = attributes.int('axis', -1)
      return ([x]) => held(f(x!.tensor, axisIn(x!, axis)), x!.last)
    }
    // Of all axes from that one on, taken as one.
    const axis = attributes.int('axis', 1)
    return ([x]) => {
      const input = plain(x!)
      const from = axis < 0 ? axis + input.rank : axis
      const rows = nt.reshape(input, [product(input.shape.slice(0, from)), product(input.shape.slice(from))])
      return held(nt.reshape(f(rows, -1), input.shape))
    }
  })

// Shapes.

const reshape: Make = ({ attributes }) => {
  const keepZero = attributes.int('allowzero', 0) === 1
  return ([x, sizes]) => {
    const told = numbersOf(sizes, 'a shape of known numbers')
    if (isKnown(x!)) return known(x.numbers, told.length === 0)
    const input = plain(x as Held)
    return held(nt.reshape(input, told.map((size, i) => (size === 0 && !keepZero ? (input.shape[i] ?? 0) : size)))) // prettier-ignore
  }
}

const flatten: Make = onTensors(({ attributes }) => {
  const axis = attributes.int('axis', 1)
  return ([x]) => {
    const input = plain(x!)
    const at = axis < 0 ? axis + input.rank : axis
    return held(nt.reshape(input, [product(input.shape.slice(0, at)), product(input.shape.slice(at))]))
  }
})

const transpose: Make = onTensors(({ attributes }) => {
  const perm = attributes.ints('perm')
  return ([x]) => {
    const { rank } = x!.tensor
    const order = perm ?? Array.from({ length: rank }, (_, i) => rank - 1 - i)
    // What exchanges the two ways to lay out an image is nothing but another view of what is there.
    if (x!.last && String(order) === String(channelsLast(rank))) return held(x!.tensor)
    if (!x!.last && String(order) === String(channelsFirst(rank))) return held(x!.tensor, true)
    return held(nt.permute(plain(x!), order))
  }
})

const squeeze: Make = (making) => {
  const axes = axesOf(making, 'axes', 1)
  return (inputs) => {
    const [x] = inputs as [Value]
    if (isKnown(x)) return known(x.numbers, true)
    const told = axes(inputs)
    return held(nt.squeeze(plain(x), told))
  }
}

const unsqueeze: Make = (making) => {
  const axes = axesOf(making, 'axes', 1)
  return (inputs) => {
    const [x] = inputs as [Value]
    if (isKnown(x)) return known(x.numbers)
    const told = [...(axes(inputs) ?? [])]
    const rank = x.tensor.rank + told.length
    const sorted = told.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b)
    return held(sorted.reduce((tensor, axis) => nt.unsqueeze(tensor, axis), plain(x)))
  }
}

const concat: Make = ({ attributes }) => {
  const axis = attributes.int('axis', 1)
  return (inputs, device) => {
    const values = inputs as Value[]
    if (values.every(isKnown)) return known(values.flatMap(({ numbers }) => numbers))
    const all = values.map((value) => onDevice(value, device))
    const last = all.some((value) => value.last)
    const tensors = all.map(last ? image : plain)
    return held(nt.concat(tensors, axisIn(held(tensors[0]!, last), axis)), last)
  }
}

const gather: Make = ({ attributes }) => {
  const axis = attributes.int('axis', 0)
  return ([x, indices], device) => {
    if (isKnown(x!)) {
      const { numbers, single } = indices as Known
      return known(numbers.map((i) => x.numbers.at(i) ?? NaN), single) // prettier-ignore
    }
    const value = x as Held
    const at = axisIn(value, axis)
    if (!isKnown(indices!)) return held(nt.gather(plain(value), plain(indices as Held), axis))
    const size = value.tensor.shape[at]!
    const places = Int32Array.from(indices.numbers, (i) => (i < 0 ? i + size : i))
    const picked = nt.gather(value.tensor, nt.tensor(places, { device }), at)
    return indices.single ? held(nt.squeeze(plain(held(picked, value.last)), axis)) : held(picked, value.last)
  }
}

const slice: Make = (making) => {
  const told = ['starts', 'ends', 'axes', 'steps'].map((name, i) => axesOf(making, name, i + 1))
  return (inputs) => {
    const [starts, ends, axes, steps] = told.map((read) => read(inputs))
    const [x] = inputs as [Value]
    return (starts ?? []).reduce<Value>((value, start, i) => {
      const [end, axis, step] = [ends?.[i] ?? 0, axes?.[i] ?? i, steps?.[i] ?? 1]
      if (isKnown(value) && step > 0) return known(value.numbers.slice(start, end).filter((_, k) => k % step === 0))
      if (isKnown(value)) throw expected(OP, `steps from 1 of ${making.at}`, `${step}`)
      const at = axisIn(value, axis)
      const size = value.tensor.shape[at]!
      // ONNX cuts bounds to the axis.
      const bound = (place: number) => Math.min(Math.max(place < 0 ? place + size : place, step < 0 ? -1 : 0), size)
      const stop = bound(end)
      const from = Math.min(bound(start), step < 0 ? size - 1 : size)
      return held(nt.slice(value.tensor, from, stop < 0 ? null : stop, { axis: at, step }), value.last)
    }, x)
  }
}

const pad: Make = onTensors((making) => {
  const mode = making.attributes.text('mode', 'constant')
  const pads = axesOf(making, 'pads', 1)
  const value = making.attributes.float('value', 0)
  const filled = making.number(2) ?? value
  if (making.node.input[3]) throw expected(OP, `pads of all axes of ${making.at}`, 'axes')
  return ([x], given) => {
    const told = pads(given) ?? []
    const rank = x!.tensor.rank
    const pairs = Array.from({ length: rank }, (): [number, number] => [0, 0])
    for (let axis = 0; axis < rank; axis++) pairs[axisIn(x!, axis)] = [told[axis] ?? 0, told[rank + axis] ?? 0]
    return held(
      nt.pad(x!.tensor, pairs, { mode: mode === 'edge' ? 'replicate' : (mode as 'constant'), value: filled }),
      x!.last
    )
  }
})

const split: Make = (making) => {
  const { attributes, node } = making
  const axis = attributes.int('axis', 0)
  const sizes = axesOf(making, 'split', 1)
  attributes.int('num_outputs')
  return (inputs) => {
    const x = inputs[0] as Held
    const at = axisIn(x, axis)
    const each = Math.ceil(x.tensor.shape[at]! / node.output.length)
    const parts = sizes(inputs) ?? node.output.map((_, i) => Math.min(each, x.tensor.shape[at]! - i * each))
    return nt.split(x.tensor, parts, at).map((part) => held(part, x.last))
  }
}

const shape: Make = ({ attributes }) => {
  const [start, end] = [attributes.int('start', 0), attributes.int('end')]
  return ([x]) => known((isKnown(x!) ? [x.numbers.length] : shapeOf(x!)).slice(start, end))
}

const cast: Make = ({ attributes, at }) => {
  const to = attributes.int('to', 1)
  const float = [1, 10, 11, 16].includes(to)
  attributes.int('saturate')
  return ([x]) => {
    if (isKnown(x!)) return x
    if (!float && x!.tensor.dtype === 'float32') throw expected(OP, `floats from ${at}`, `data type ${to}`)
    return float ? floats(x as Held) : x!
  }
}

/** The value of a node of the operator Constant. */
export function constantOf(attributes: Attributes, at: string): Constant {
  const value = attributes.tensor('value')
  const [floats, wholes] = [attributes.floats('value_floats'), attributes.ints('value_ints')]
  const [one, oneWhole] = [attributes.float('value_float', NaN), attributes.int('value_int')]
  if (value) return value
  if (wholes) return { kind: 'whole', shape: [wholes.length], values: wholes }
  if (oneWhole !== undefined) return { kind: 'whole', shape: [], values: [oneWhole] }
  if (floats) return { kind: 'floats', shape: [floats.length], values: Float32Array.from(floats) }
  if (!Number.isNaN(one)) return { kind: 'floats', shape: [], values: Float32Array.of(one) }
  throw expected(OP, `numbers as the value of ${at}`, 'none')
}

/** As many elements may a constant have that is told by its shape alone. */
const MAX_FILLED = 2 ** 28

/** What a node of the operator ConstantOfShape makes. */
export function filled(shape: ArrayLike<number>, attributes: Attributes, at: string): Constant {
  const sizes = Array.from(shape)
  const { kind, values } = attributes.tensor('value') ?? { kind: 'floats', values: [0] }
  const count = product(sizes)
  if (!(count >= 0 && count <= (kind === 'whole' ? MAX_KNOWN : MAX_FILLED))) {
    throw expected(OP, `at most ${MAX_FILLED} values as ${at}`, `[${sizes.join(', ')}]`)
  }
  const value = values[0] ?? 0
  if (kind === 'whole') return { kind, shape: sizes, values: Array<number>(count).fill(value) }
  return { kind, shape: sizes, values: new Float32Array(count).fill(value) }
}

const constantOfShape: Make = ({ attributes, at }) => {
  attributes.tensor('value')
  return ([sizes], device) => {
    const made = filled(numbersOf(sizes, 'a shape of known numbers'), attributes, at)
    return made.kind === 'whole' ? known(made.values) : held(nt.tensor(made.values, made.shape, { device }))
  }
}

const clip: Make = onTensors(({ attributes, number }) => {
  const bound = (name: string, i: number, otherwise: number) => number(i) ?? attributes.float(name, otherwise)
  const [low, high] = [bound('min', 1, -Infinity), bound('max', 2, Infinity)]
  return ([x]) => held(nt.clip(x!.tensor, low, high), x!.last)
})

const same: Make = () => {
  return ([x]) => x!
}

const dropout: Make = ({ attributes, at, node, number }) => {
  attributes.float('ratio', 0.5)
  attributes.int('seed')
  if (node.input[2] && number(2) !== 0) throw expected(OP, `${at} in use`, 'in training')
  return ([x]) => x!
}

const SELU = { alpha: 1.67326319217681884765625, gamma: 1.05070102214813232421875 }

/** By the name of the operator. */
export const OPERATORS = new Map<string, Make>(
  Object.entries({
    Identity: same,
    Dropout: dropout,
    Relu: unary(() => nt.relu),
    Sigmoid: unary(() => nt.sigmoid),
    Tanh: unary(() => nt.tanh),
    Softplus: unary(() => nt.softplus),
    Exp: unary(() => nt.exp),
    Log: unary(() => nt.log),
    Sqrt: unary(() => nt.sqrt),
    Abs: unary(() => nt.abs),
    Neg: unary(() => nt.neg),
    Reciprocal: unary(() => nt.reciprocal),
    Erf: unary(() => nt.erf),
    Floor: unary(() => nt.floor),
    Ceil: unary(() => nt.ceil),
    Elu: unary(({ attributes }) => {
      const alpha = attributes.float('alpha', 1)
      return (x) => nt.elu(x, alpha)
    }),
    Selu: unary(({ attributes }) => {
      const [alpha, gamma] = [attributes.float('alpha', SELU.alpha), attributes.float('gamma', SELU.gamma)]
      return (x) => nt.elu(x, alpha).mul(gamma)
    }),
    LeakyRelu: unary(({ attributes }) => {
      const alpha = attributes.float('alpha', 0.01)
      return (x) => nt.leakyRelu(x, alpha)
    }),
    HardSigmoid: unary(({ attributes }) => {
      const [alpha, beta] = [attributes.float('alpha', 0.2), attributes.float('beta', 0.5)]
      return (x) => nt.clip(x.mul(alpha).add(beta), 0, 1)
    }),
    HardSwish: unary(() => (x) => x.mul(nt.clip(x.add(3), 0, 6).mul(1 / 6))),
    Mish: unary(() => (x) => x.mul(nt.tanh(nt.softplus(x)))),
    Gelu: unary(({ attributes, at }) => {
      const how = attributes.text('approximate', 'none')
      if (how !== 'none') throw expected(OP, `the exact ${at}`, how)
      return nt.gelu
    }),
    Clip: clip,
    Add: binary(nt.add, (a, b) => a + b),
    Sub: binary(nt.sub, (a, b) => a - b),
    Mul: binary(nt.mul, (a, b) => a * b),
    Div: binary(nt.div, (a, b) => Math.trunc(a / b)),
    Pow: binary(nt.pow),
    Max: binary(nt.maximum, Math.max),
    Min: binary(nt.minimum, Math.min),
    Sum: binary(nt.add),
    PRelu: binary((x, slope) => nt.maximum(x, 0).add(nt.minimum(x, 0).mul(slope))),
    Conv: convolution(false),
    ConvTranspose: convolution(true),
    MaxPool: pool('max'),
    AveragePool: pool('avg'),
    GlobalAveragePool: globalPool(nt.mean),
    GlobalMaxPool: globalPool(nt.max),
    BatchNormalization: batchNorm,
    InstanceNormalization: instanceNorm,
    LayerNormalization: layerNorm,
    LRN: responseNorm,
    Gemm: gemm,
    MatMul: matmul,
    Softmax: softmax(nt.softmax),
    LogSoftmax: softmax(nt.logSoftmax),
    ReduceMean: reduce(nt.mean),
    ReduceSum: reduce(nt.sum),
    ReduceMax: reduce(nt.max),
    ReduceMin: reduce(nt.min),
    ReduceLogSumExp: reduce(nt.logSumExp),
    Flatten: flatten,
    Reshape: reshape,
    Transpose: transpose,
    Squeeze: squeeze,
    Unsqueeze: unsqueeze,
    Concat: concat,
    Split: split,
    Slice: slice,
    Pad: pad,
    Gather: gather,
    Shape: shape,
    Cast: cast,
    ConstantOfShape: constantOfShape
  } satisfies Record<string, Make>)
)
