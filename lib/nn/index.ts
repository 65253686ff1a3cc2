// The list of what `nn` makes public.
export * as init from './init.js'
export {
  ELU,
  GELU,
  HardSigmoid,
  HardSwish,
  Identity,
  LeakyReLU,
  LogSoftmax,
  Mish,
  PReLU,
  ReLU,
  ReLU6,
  SELU,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Tanh,
  type ActivationName
} from './activation.js'
export { fromConfig, toConfig, type ConfigValue, type FromConfigOptions, type ModuleConfig } from './config.js'
export {
  Conv1d,
  Conv2d,
  ConvTranspose2d,
  type Conv1dOptions,
  type ConvOptions,
  type ConvTransposeOptions
} from './convolution.js'
export { ChannelDropout, Dropout } from './dropout.js'
export { Embedding, type EmbeddingOptions } from './embedding.js'
export { ClassGroups, FlipAverage } from './ensemble.js'
export { Flatten } from './flatten.js'
export { toConvolutional, type FullyConvolutional } from './fully-convolutional.js'
export type { InitOptions, Initializer, InitializerName, InitializerOption, InitializerSettings } from './init.js'
export { Layer, type Variable, type Variables } from './layer.js'
export { Linear, type LinearOptions } from './linear.js'
export { Module } from './module.js'
export {
  BatchNorm,
  GroupNorm,
  InstanceNorm,
  LayerNorm,
  RMSNorm,
  type BatchNormOptions,
  type GroupNormOptions,
  type LayerNormOptions,
  type NormOptions
} from './normalization.js'
export { buffer, kindOf, parameter, type VariableKind } from './parameter.js'
export {
  AdaptiveAvgPool2d,
  AdaptiveMaxPool2d,
  AvgPool1d,
  AvgPool2d,
  GlobalAvgPool2d,
  GlobalMaxPool2d,
  MaxPool1d,
  MaxPool2d,
  type AvgPool1dOptions,
  type AvgPoolOptions,
  type Pool1dOptions,
  type PoolOptions
} from './pooling.js'
export { loadPyTorch, type LoadPyTorchOptions } from './pytorch.js'
export { Residual, type ResidualOptions } from './residual.js'
export { Sequential } from './sequential.js'
export type { WeightOptions } from './settings.js'
export type { LoadOptions, SaveOptions } from './weights.js'
