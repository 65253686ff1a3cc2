import {
  AdaptiveAvgPool2d,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  MaxPool2d,
  Sequential,
  type Module,
  type WeightOptions
} from '../nn/index.js'
import type { DropoutOptions } from './alexnet.js'
import { checkModel, rateOf } from './options.js'

const BLOCKS = [
  [64, 64],
  [128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [512, 512, 512]
]

/**
 * VGG-16 (Simonyan and Zisserman 2015), configuration D, as in torchvision: 138,357,544 parameters with 1000 classes and three
 * channels. For pictures [n, height, width, channels] of 32 pixels or more, usually 224.
 */
export function vgg16(options: DropoutOptions = {}): Sequential {
  const { classes = 1000, dropout = 0.5 } = checkModel('vgg16', options, ['dropout'])
  const rate = rateOf('vgg16', dropout)
  const conv = (filters: number): Conv2d =>
    new Conv2d(filters, 3, {
      padding: 1,
      activation: 'relu',
      initializer: { name: 'kaimingNormal', mode: 'fanOut', nonlinearity: 'relu' },
      biasInitializer: 'zeros'
    })
  const dense: WeightOptions = { initializer: { name: 'normal', std: 0.01 }, biasInitializer: 'zeros' }
  const block = (filters: readonly number[]): Module[] => [...filters.map(conv), new MaxPool2d(2)]
  return new Sequential({
    features: new Sequential(...BLOCKS.flatMap(block)),
    pool: new AdaptiveAvgPool2d(7),
    flatten: new Flatten(),
    classifier: new Sequential(
      new Linear(4096, { activation: 'relu', ...dense }),
      new Dropout(rate),
      new Linear(4096, { activation: 'relu', ...dense }),
      new Dropout(rate),
      new Linear(classes, dense)
    )
  })
}
