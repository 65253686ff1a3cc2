// A classifier as a network that gives scores for every place of a larger picture at once (Sermanet et al. 2014; Long, Shelhamer and
// Darrell 2015): what is common to windows that overlap is computed once.
import { noGrad } from '../autograd.js'
import { onDevice } from '../device.js'
import { expected } from '../errors.js'
import { slice, zeros } from '../functional.js'
import { checkImages, pairOf, type Pair } from '../functional/window.js'
import { tidy, type FloatDType, type Tensor } from '../tensor.js'
import * as activations from './activation.js'
import { argumentsOf } from './arguments.js'
import { checkModule, countOf } from './check.js'
import { Conv2d } from './convolution.js'
import { ChannelDropout, Dropout } from './dropout.js'
import { ClassGroups, FlipAverage } from './ensemble.js'
import { Flatten } from './flatten.js'
import { Linear, type LinearOptions } from './linear.js'
import { Module } from './module.js'
import { shapeText } from './names.js'
import { BatchNorm, LayerNorm, RMSNorm } from './normalization.js'
import {
  AdaptiveAvgPool2d,
  AdaptiveMaxPool2d,
  AvgPool2d,
  GlobalAvgPool2d,
  GlobalMaxPool2d,
  MaxPool2d,
  type PoolOptions
} from './pooling.js'
import { Residual } from './residual.js'
import { Sequential } from './sequential.js'

const OP = 'toConvolutional'

/** What `toConvolutional` makes: a network that gives the scores of a window at each of the places where it can lie. */
export class FullyConvolutional extends Module {
  /** The network's layers, with convolutions and pools of a window where it looked at the whole picture. */
  readonly body: Module
  /** [height, width, channels] of a window: what the network was made for. */
  readonly window: readonly [height: number, width: number, channels: number]
  /** The pixels from one window to the next, downwards and to the right. */
  readonly stride: readonly [number, number]

  /** @internal */
  constructor(body: Module, window: FullyConvolutional['window'], stride: FullyConvolutional['stride']) {
    super()
    this.body = body
    this.window = window
    this.stride = stride
  }

  /**
   * Pictures [n, height, width, channels] of at least the window's size to scores [n, rows, columns, classes]: those at [row, column]
   * are about the window whose top left pixel is [row * stride[0], column * stride[1]]. What is left over below and at the right, less
   * than a stride, is not looked at.
   */
  forward<D extends FloatDType>(x: Tensor<D>): Tensor<D> {
    const { shape } = checkImages('FullyConvolutional', x, 4, '[n, height, width, channels]')
    let looked = x
    for (const axis of [0, 1] as const) {
      const over = shape[axis + 1]! - this.window[axis]
      if (over < 0) throw expected('FullyConvolutional', `pictures of at least ${this.window.join('x')}`, x.shape)
      const extra = over % this.stride[axis]
      if (extra > 0) looked = slice(looked, 0, shape[axis + 1]! - extra, { axis: axis + 1 })
    }
    return this.body.forward(looked) as Tensor as Tensor<D>
  }

  override describe(): string {
    return `window ${this.window.join('x')}, stride ${this.stride.join('x')}`
  }
}

/**
 * `network`, which classifies pictures of `inputShape` ([height, width, channels]), as one that slides over larger pictures: on one
 * of that size it gives the same scores, [n, 1, 1, classes], on a larger one those of every window. The dense layer behind Flatten becomes a
 * convolution of the size of what it saw, pools over the whole picture become pools of a window. All else, weights included, is
 * shared with `network`, which may go on being used as it is.
 *
 * A window within a larger picture sees what is around it where the network alone sees its padding, zeros: only without padding are
 * its scores exactly those of the window cut out.
 *
 *     const slide = nn.toConvolutional(network, [32, 32, 3])
 *     slide.forward(photos).softmax()                               // [n, rows, columns, classes]
 *
 * @throws where a layer's result depends on the whole picture in another way, or is of a class of your own.
 */
export function toConvolutional(network: Module, inputShape: readonly number[]): FullyConvolutional {
  checkModule(OP, 'network', network)
  if (!Array.isArray(inputShape) || inputShape.length !== 3) {
    throw expected(OP, 'an input shape [height, width, channels]', inputShape)
  }
  const [height, width, channels] = inputShape.map((size) => countOf(OP, 'sizes', size)) as [number, number, number]
  return network.inUseSync(() =>
    tidy(() =>
      noGrad(() => {
        const walk = new Walk(zeros([1, height, width, channels], { device: network.device }))
        const body = walk.convert(network, '')
        const [, rows, columns] = walk.features.shape
        if (walk.flattened !== undefined || rows !== 1 || columns !== 1) {
          const got = walk.flattened ? [1, walk.features.size] : walk.features.shape
          throw expected(
            OP,
            'a network that gives scores [n, classes], with a dense layer behind Flatten',
            shapeText(got)
          )
        }
        return new FullyConvolutional(body, [height, width, channels], walk.stride)
      })
    )
  )
}

type Rule = (walk: Walk, module: any, at: string) => Module

/** A way through the layers in the order in which they compute. */
class Walk {
  /** What the layers so far make of one empty picture, [1, rows, columns, channels]. */
  features: Tensor
  stride: [number, number] = [1, 1]
  /** Whether the network itself has no height and width any more. */
  flat = false
  /** Rows and columns that the network has flattened and no dense layer has taken up yet. */
  flattened: [number, number] | undefined

  constructor(features: Tensor) {
    this.features = features
  }

  convert(module: Module, at: string): Module {
    const rule = RULES.get(module.constructor)
    if (!rule) {
      const name = module.constructor.name
      throw expected(OP, 'layers whose results depend on a window', at ? `${name} at ${at}` : name)
    }
    return rule(this, module, at)
  }

  /** Passes the features through `module`, which moves on by `stride`. */
  through(module: Module, stride: Pair = 1): Module {
    const [down, right] = pairOf(OP, 'a stride', stride, 1)
    this.stride = [this.stride[0] * down, this.stride[1] * right]
    this.features = module.forward(this.features)
    return module
  }
}

/** Each place for itself. */
const pointwise: Rule = (walk, module) => walk.through(module)

/** Each place for itself, by settings of its channel. */
const channelwise: Rule = (walk, module: Module, at) => {
  expectPlaces(walk, module, at)
  return walk.through(module)
}

/** Behind Flatten every place would have settings of its own. */
function expectPlaces(walk: Walk, module: Module, at: string): void {
  if (walk.flattened) throw expected(OP, 'a dense layer behind Flatten', `${module.constructor.name} at ${at}`)
}

const windowed: Rule = (walk, module: Conv2d | MaxPool2d | AvgPool2d) => {
  const options = argumentsOf(module).at(-1) as PoolOptions
  return walk.through(module, options.stride ?? (module instanceof Conv2d ? 1 : module.size))
}

/** The windows of a pool of the whole picture, or of a fixed number of parts. */
const pooled =
  (pool: typeof MaxPool2d | typeof AvgPool2d): Rule =>
  (walk, module: Module & { size?: readonly [number, number] }, at) => {
    const [, ...shape] = walk.features.shape
    const parts = module.size ?? [1, 1]
    const window = [shape[0]! / parts[0], shape[1]! / parts[1]] as const
    if (!window.every(Number.isInteger)) {
      const name = `${module.constructor.name} at ${at}`
      throw expected(OP, `features that ${name} cuts into ${parts.join('x')} equal parts`, shapeText(shape))
    }
    if (module.size === undefined) walk.flat = true
    // A window that is all there is moves on by one place; several lie side by side.
    const stride = window.map((length, axis) => (parts[axis] === 1 ? 1 : length)) as [number, number]
    return walk.through(new pool(window, { stride }), stride)
  }

const RULES = new Map<unknown, Rule>([
  ...[
    ...[activations.ELU, activations.GELU, activations.HardSigmoid, activations.HardSwish, activations.Identity],
    ...[activations.LeakyReLU, activations.Mish, activations.PReLU, activations.ReLU, activations.ReLU6],
    ...[activations.SELU, activations.Sigmoid, activations.SiLU, activations.Softplus, activations.Tanh],
    ...[Dropout, ChannelDropout]
  ].map((type) => [type, pointwise] as const),
  ...[BatchNorm, RMSNorm, ClassGroups].map((type) => [type, channelwise] as const),
  ...[Conv2d, MaxPool2d, AvgPool2d].map((type) => [type, windowed] as const),
  ...[AdaptiveAvgPool2d, GlobalAvgPool2d].map((type) => [type, pooled(AvgPool2d)] as const),
  ...[AdaptiveMaxPool2d, GlobalMaxPool2d].map((type) => [type, pooled(MaxPool2d)] as const),
  [
    LayerNorm,
    (walk, module: LayerNorm, at) => {
      if (module.axes > 1) throw expected(OP, 'a LayerNorm over the channels alone', `${module.axes} axes at ${at}`)
      return channelwise(walk, module, at)
    }
  ],
  ...[activations.Softmax, activations.LogSoftmax].map((type) => {
    const rule: Rule = (walk, module: activations.Softmax, at) => {
      // The scores' axis 1 is the last one of a map of scores.
      if (module.axis !== -1 && !(walk.flat && module.axis === 1)) {
        throw expected(OP, `a ${type.name} over the last axis`, `axis ${module.axis} at ${at}`)
      }
      return channelwise(walk, module.axis === -1 ? module : new type(-1), at)
    }
    return [type, rule] as const
  }),
  [
    Flatten,
    (walk, module: Flatten, at) => {
      if (module.axis !== 1) throw expected(OP, 'a Flatten from axis 1 on', `${module.axis} at ${at}`)
      const [, rows, columns] = walk.features.shape as [number, number, number, number]
      walk.flat = true
      if (rows > 1 || columns > 1) walk.flattened = [rows, columns]
      return new activations.Identity()
    }
  ],
  [
    Linear,
    (walk, module: Linear) => {
      // Of a map a dense layer makes a map: it goes over the last axis.
      if (!walk.flattened) return walk.through(module)
      const dense = convolutionOf(module, walk.flattened, walk.features.shape[3]!)
      walk.flattened = undefined
      return walk.through(dense)
    }
  ],
  [
    Sequential,
    (walk, module: Sequential, at) => {
      const named = [...module.members()] as [string, Module][]
      const converted = named.map(([name, layer]) => [name, walk.convert(layer, at ? `${at}.${name}` : name)] as const)
      return converted.every(([, layer], i) => layer === named[i]![1])
        ? module
        : new Sequential(Object.fromEntries(converted))
    }
  ],
  [
    Residual,
    (walk, module: Residual, at) => {
      expectPlaces(walk, module, at)
      const { body, shortcut } = module
      const along = new Walk(walk.features)
      const kept = along.convert(body, `${at}.body`) === body
      if (!kept || (shortcut && new Walk(walk.features).convert(shortcut, `${at}.shortcut`) !== shortcut)) {
        throw expected(OP, 'a Residual whose layers all see a window', `one that sees more at ${at}`)
      }
      return walk.through(module, along.stride)
    }
  ],
  [
    FlipAverage,
    (walk, module: FlipAverage, at) =>
      new FlipAverage(walk.convert(module.module, at ? `${at}.module` : 'module')).eval()
  ]
])

/** A dense layer over flattened features [rows, columns, channels] as the convolution that it is; the weight's memory is shared. */
function convolutionOf(linear: Linear, [rows, columns]: [number, number], channels: number): Conv2d {
  linear.prepare([rows * columns * channels])
  const [outputs, { inputs: _, ...options } = {}] = argumentsOf(linear) as [number, LinearOptions?]
  const { weight, bias } = linear
  const dense = new Conv2d(outputs, [rows, columns], options)
  const given = new Map([['weight', weight.detach().reshape([outputs, rows, columns, channels])]])
  if (bias) given.set('bias', bias)
  onDevice(OP, weight.device, () => dense.prepare([channels], given))
  return linear.frozen ? dense.freeze() : dense
}
