// The optimizers, with PyTorch's formulas; each step is one native call for all parameters.
import { checkOptions, describe, expected } from '../errors.js'
import { checkOption, Optimizer, type OptimizerOptions } from './optimizer.js'

/** What `SGD` takes. */
export interface SGDOptions extends OptimizerOptions {
  /** The part of the last step that is kept: v = momentum * v + g (0 unless given). */
  momentum?: number | undefined
  /** Looks ahead along the velocity: the step is g + momentum * v. */
  nesterov?: boolean | undefined
  /** Added to the gradient: weightDecay * parameter (0 unless given). */
  weightDecay?: number | undefined
}

/** Stochastic gradient descent: p -= learningRate * v, as torch.optim.SGD. The learning rate is 0.01 unless given. */
export class SGD extends Optimizer {
  constructor(options: SGDOptions = {}) {
    checkOptions('SGD', options, ['learningRate', 'decay', 'clipNorm', 'momentum', 'nesterov', 'weightDecay'])
    const { momentum = 0, nesterov = false, weightDecay = 0 } = options
    checkOption('SGD', 'momentum', momentum, 0, Infinity)
    checkOption('SGD', 'weightDecay', weightDecay, 0, Infinity)
    if (typeof nesterov !== 'boolean') throw expected('SGD', 'nesterov to be true or false', describe(nesterov))
    if (nesterov && momentum === 0) throw expected('SGD', 'a momentum above 0 with nesterov', momentum)
    super(
      'SGD',
      { kind: 'sgd', momentum, nesterov, weightDecay, slots: momentum === 0 ? [] : ['velocity'] },
      options,
      0.01
    )
  }
}

/** What `Adam` and `AdamW` take. */
export interface AdamOptions extends OptimizerOptions {
  /** How much of the mean of the gradients, and of their squares, is kept ([0.9, 0.999] unless given). */
  betas?: readonly [number, number] | undefined
  /** Added to the root of the squares' mean (1e-8 unless given). */
  epsilon?: number | undefined
  /** Adam: added to the gradient, weightDecay * parameter (0 unless given). AdamW: the parameter shrinks by learningRate * weightDecay (0.01 unless given). */
  weightDecay?: number | undefined
}

function adam(name: 'Adam' | 'AdamW', options: AdamOptions, decay: number) {
  checkOptions(name, options, ['learningRate', 'decay', 'clipNorm', 'betas', 'epsilon', 'weightDecay'])
  const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = decay } = options
  if (!Array.isArray(betas) || betas.length !== 2) throw expected(name, 'betas to be two numbers', describe(betas))
  const [beta1, beta2] = betas as unknown as readonly [number, number]
  checkOption(name, 'betas[0]', beta1, 0, 1)
  checkOption(name, 'betas[1]', beta2, 0, 1)
  checkOption(name, 'epsilon', epsilon, 0, Infinity)
  checkOption(name, 'weightDecay', weightDecay, 0, Infinity)
  return { beta1, beta2, epsilon, weightDecay, slots: ['mean', 'variance'] }
}

/** Adam (Kingma and Ba, 2015), as torch.optim.Adam. The learning rate is 0.001 unless given. */
export class Adam extends Optimizer {
  constructor(options: AdamOptions = {}) {
    super('Adam', { kind: 'adam', ...adam('Adam', options, 0) }, options, 0.001)
  }
}

/** Adam with decoupled weight decay (Loshchilov and Hutter, 2019), as torch.optim.AdamW. The learning rate is 0.001 unless given. */
export class AdamW extends Optimizer {
  constructor(options: AdamOptions = {}) {
    super('AdamW', { kind: 'adamw', ...adam('AdamW', options, 0.01) }, options, 0.001)
  }
}
