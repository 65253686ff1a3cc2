// Networks of the literature, made of nn's layers. Public as `models`.
export { alexnet, type DropoutOptions } from './alexnet.js'
export { imagenet } from './imagenet.js'
export { lenet } from './lenet.js'
export type { ModelOptions } from './options.js'
export { resnet, resnet18, resnet50, type ResNetOptions, type ResNetPlan } from './resnet.js'
export { vgg16 } from './vgg.js'
