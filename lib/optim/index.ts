// Optimizers and schedules. Public as `optim`.
export { Optimizer } from './optimizer.js'
export type { OptimizerOptions, Trainable } from './optimizer.js'
export { Adam, AdamW, SGD } from './algorithms.js'
export type { AdamOptions, SGDOptions } from './algorithms.js'
export { cosine, linear, oneCycle, Schedule, step, warmup } from './schedules.js'
export type { Arithmetic } from './schedules.js'
