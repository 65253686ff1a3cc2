import { checkWord, expected, quoted } from '../errors.js'
import {
  BatchNorm,
  Conv2d,
  GlobalAvgPool2d,
  Linear,
  MaxPool2d,
  ReLU,
  Residual,
  Sequential,
  type Module
} from '../nn/index.js'
import { checkModel, countOf, type ModelOptions } from './options.js'

/** What `resnet18` and `resnet50` take. */
export interface ResNetOptions extends ModelOptions {
  /**
   * How a network begins. 'large': a convolution of 7x7 and a pool, each with a stride of 2, for pictures of 224 pixels. 'small':
   * a convolution of 3x3 that leaves height and width, for pictures of 32 to 64 pixels. 'large' unless given.
   */
  stem?: 'large' | 'small' | undefined
  /** The filters of the first stage; each further stage has twice as many. 64 unless given. */
  width?: number | undefined
}

/** What `resnet` takes. */
export interface ResNetPlan extends ResNetOptions {
  /** The number of blocks in each stage. A stage but the first halves height and width. */
  blocks: readonly number[]
  /** Blocks of 1x1, 3x3 and 1x1 convolutions, the last with 4 times the filters, instead of two of 3x3. */
  bottleneck?: boolean | undefined
}

const NAMES = ['stem', 'width']

/** A convolution without bias, as a batch norm follows, and the norm. */
const convNorm = (filters: number, kernel: number, stride = 1): [Conv2d, BatchNorm] => [
  new Conv2d(filters, kernel, {
    stride,
    padding: (kernel - 1) / 2,
    bias: false,
    initializer: { name: 'kaimingNormal', mode: 'fanOut', nonlinearity: 'relu' }
  }),
  new BatchNorm()
]

function block(filters: number, stride: number, bottleneck: boolean, project: boolean): Residual {
  const [conv1, bn1] = bottleneck ? convNorm(filters, 1) : convNorm(filters, 3, stride)
  const [conv2, bn2] = convNorm(filters, 3, bottleneck ? stride : 1)
  const relu = (): ReLU => new ReLU()
  const out = bottleneck ? filters * 4 : filters
  const [conv3, bn3] = convNorm(out, 1)
  const body = bottleneck
    ? { conv1, bn1, relu1: relu(), conv2, bn2, relu2: relu(), conv3, bn3 }
    : { conv1, bn1, relu1: relu(), conv2, bn2 }
  const shortcut = project ? new Sequential(...convNorm(out, 1, stride)) : undefined
  return new Residual(new Sequential(body), shortcut, { activation: 'relu' })
}

/**
 * A residual network (He et al. 2016) of any depth: a stem, stages of blocks, and a dense layer over the mean of each channel.
 * In bottlenecks the convolution of 3x3 has the stride, as in torchvision ("v1.5").
 *
 *     models.resnet({ blocks: [1, 1, 1], width: 32, stem: 'small', classes: 10 })
 */
export function resnet(plan: ResNetPlan): Sequential {
  const op = 'resnet'
  const {
    blocks,
    bottleneck = false,
    classes = 1000,
    ...rest
  } = checkModel(op, plan, ['blocks', 'bottleneck', ...NAMES])
  const stem = checkWord(op, 'a stem', rest.stem ?? 'large', ['large', 'small'] as const)
  const width = countOf(op, 'width', rest.width ?? 64)
  if (!Array.isArray(blocks) || blocks.length === 0) throw expected(op, 'blocks as an array of numbers', quoted(blocks))
  const [conv1, bn1] = stem === 'large' ? convNorm(width, 7, 2) : convNorm(width, 3)
  const modules: Record<string, Module> = { conv1, bn1, relu: new ReLU() }
  if (stem === 'large') modules['maxpool'] = new MaxPool2d(3, { stride: 2, padding: 1 })
  for (const [stage, count] of blocks.entries()) {
    const filters = width * 2 ** stage
    const stride = stage === 0 ? 1 : 2
    const first = block(filters, stride, bottleneck, stage > 0 || bottleneck)
    const others = Array.from({ length: countOf(op, 'blocks', count) - 1 }, () => block(filters, 1, bottleneck, false))
    modules[`layer${stage + 1}`] = new Sequential(first, ...others)
  }
  return new Sequential({ ...modules, avgpool: new GlobalAvgPool2d(), fc: new Linear(classes) })
}

/** ResNet-18 as in torchvision: 11,689,512 parameters with 1000 classes and three channels. */
export function resnet18(options: ResNetOptions = {}): Sequential {
  return resnet({ ...checkModel('resnet18', options, NAMES), blocks: [2, 2, 2, 2] })
}

/** ResNet-50 as in torchvision: 25,557,032 parameters with 1000 classes and three channels. */
export function resnet50(options: ResNetOptions = {}): Sequential {
  return resnet({ ...checkModel('resnet50', options, NAMES), blocks: [3, 4, 6, 3], bottleneck: true })
}
