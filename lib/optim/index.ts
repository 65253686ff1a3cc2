// Optimizers and schedules. Public as `optim`.
export { Optimizer } from './optimizer.js'
export { WeightAverage } from './average.js'
export type { Averageable, WeightAverageOptions } from './average.js'
export type { OptimizerDescription, OptimizerOptions, Trainable } from './optimizer.js'
export { Adam, AdamW, SGD } from './algorithms.js'
export type { AdamOptions, SGDOptions } from './algorithms.js'
export { cosine, exponential, linear, multiStep, oneCycle, Schedule, step, warmup } from './schedules.js'
export type { Arithmetic, ScheduleDescription } from './schedules.js'
