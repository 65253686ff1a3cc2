import {
  AdaptiveAvgPool2d,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  MaxPool2d,
  Sequential,
  type ConvOptions
} from '../nn/index.js'
import { checkModel, rateOf, type ModelOptions } from './options.js'

/** What networks with dropout before their dense layers take. */
export interface DropoutOptions extends ModelOptions {
  /** The rate of dropout before the dense layers; 0.5 unless given. */
  dropout?: number | undefined
}

/**
 * AlexNet (Krizhevsky, Sutskever and Hinton 2012) in the form of torchvision (Krizhevsky 2014): 61,100,840 parameters with 1000
 * classes and three channels. For pictures [n, height, width, channels] of 63 pixels or more, usually 224.
 */
export function alexnet(options: DropoutOptions = {}): Sequential {
  const { classes = 1000, dropout = 0.5 } = checkModel('alexnet', options, ['dropout'])
  const rate = rateOf('alexnet', dropout)
  const conv = (filters: number, kernel: number, rest: ConvOptions): Conv2d =>
    new Conv2d(filters, kernel, { activation: 'relu', ...rest })
  const pool = (): MaxPool2d => new MaxPool2d(3, { stride: 2 })
  return new Sequential({
    features: new Sequential(
      conv(64, 11, { stride: 4, padding: 2 }),
      pool(),
      conv(192, 5, { padding: 2 }),
      pool(),
      conv(384, 3, { padding: 1 }),
      conv(256, 3, { padding: 1 }),
      conv(256, 3, { padding: 1 }),
      pool()
    ),
    pool: new AdaptiveAvgPool2d(6),
    flatten: new Flatten(),
    classifier: new Sequential(
      new Dropout(rate),
      new Linear(4096, { activation: 'relu' }),
      new Dropout(rate),
      new Linear(4096, { activation: 'relu' }),
      new Linear(classes)
    )
  })
}
