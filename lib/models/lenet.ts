import { AvgPool2d, Conv2d, Flatten, Linear, Sequential } from '../nn/index.js'
import { checkModel, type ModelOptions } from './options.js'

/**
 * LeNet-5 (LeCun et al. 1998) as it is usually written today, with dense connections: 61,706 parameters with 10 classes (unless
 * given) on MNIST's pictures [n, 28, 28, 1].
 */
export function lenet(options: ModelOptions = {}): Sequential {
  const { classes = 10 } = checkModel('lenet', options)
  return new Sequential(
    new Conv2d(6, 5, { padding: 2, activation: 'tanh' }),
    new AvgPool2d(2),
    new Conv2d(16, 5, { activation: 'tanh' }),
    new AvgPool2d(2),
    new Flatten(),
    new Linear(120, { activation: 'tanh' }),
    new Linear(84, { activation: 'tanh' }),
    new Linear(classes)
  )
}
