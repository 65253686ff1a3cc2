// Weights of PyTorch's networks, e.g. torchvision's, from safetensors files: their names, and the order of their axes.
import { checkIntegers, checkOptions, expected, quoted } from '../errors.js'
import { permute, reshape } from '../functional.js'
import { readSafetensors, type Safetensors } from '../io/safetensors.js'
import { Tensor, type DType } from '../tensor.js'
import { Linear } from './linear.js'
import { Module } from './module.js'
import { join } from './names.js'
import { Residual } from './residual.js'
import { Sequential } from './sequential.js'
import { watching } from './watch.js'
import { takeWeights, weightsMetadata, type LoadOptions } from './weights.js'
import { Weighted } from './weighted.js'

/** How a file of PyTorch's weights is read. */
export interface LoadPyTorchOptions extends LoadOptions {
  /** What the network takes, with the batch axis: [1, 224, 224, 3]. The network is built for it. */
  inputShape: readonly number[]
}

/**
 * Takes the weights of a PyTorch network of the same form from the safetensors file `path`, which in Python
 * `safetensors.torch.save_file(network.state_dict(), path)` writes:
 *
 *     await nn.loadPyTorch(models.resnet18(), 'resnet18.safetensors', { inputShape: [1, 224, 224, 3] })
 *
 * The networks of `models` fit torchvision's, and a `Sequential` without names fits a `torch.nn.Sequential`, in which an activation is a
 * module of its own. Other modules are known by the names of their fields. Convolution weights become OHWI; the columns of a dense layer
 * that looks at flattened pictures go from channel, row, column to row, column, channel. All names and shapes must fit, else one
 * error lists what is missing, unexpected or of another shape, and nothing is changed.
 */
export async function loadPyTorch<M extends Module<unknown>>(
  network: M,
  path: string,
  options: LoadPyTorchOptions
): Promise<M> {
  const op = 'loadPyTorch'
  if (!(network instanceof Module)) throw expected(op, 'a module', quoted(network))
  const { inputShape, prefix = '' } = checkOptions(op, options, ['inputShape', 'prefix'])
  checkIntegers(op, 'an inputShape with the batch axis', inputShape, 1)
  if (typeof prefix !== 'string') throw expected(op, 'a prefix as text', quoted(prefix))
  const file = await readSafetensors(path, { device: network.device })
  const channels = channelsBefore(network, inputShape)
  const names = pyTorchNames(network)
  const nameOf = (name: string): string => names.get(name) ?? name
  takeWeights(
    network,
    inOwnLayout(network, file, channels, (name) => prefix + nameOf(name)),
    path,
    prefix,
    { op, nameOf }
  )
  return network
}

/** The channels of the pictures that dense layers see flattened: which layer sees what shows when an input goes through. */
function channelsBefore(network: Module<unknown>, inputShape: readonly number[]): Map<Linear, number> {
  const found = new Map<Linear, number>()
  let pictures: readonly number[] = []
  watching(
    network,
    (module, input, result) => {
      if (!(input instanceof Tensor) || !(result instanceof Tensor)) return
      if (module instanceof Linear && input.rank === 2) {
        const [, height, width, channels] = pictures
        if (input.shape[1] === height! * width! * channels!) found.set(module, channels!)
        pictures = []
      } else if (result.rank === 4) pictures = result.shape
    },
    () => network.build(inputShape)
  )
  return found
}

/** torchvision's blocks have the body's layers as their own. */
const RESIDUAL: Record<string, string> = { body: '', shortcut: 'downsample' }
const BUFFERS: Record<string, string> = { runningMean: 'running_mean', runningVariance: 'running_var' }

/** The tensors' names in PyTorch by those here. */
function pyTorchNames(network: Module<unknown>): Map<string, string> {
  const names = new Map<string, string>()
  const visit = (module: Module<unknown>, here: string, there: string) => {
    const members = [...module.members()]
    const counted = module instanceof Sequential && members.every(([name], i) => name === `${i}`)
    let position = 0
    for (const [name, value] of members) {
      const [ours, activation] = [join(here, name), value instanceof Weighted && value.activation !== undefined]
      const theirs = counted ? `${position}` : module instanceof Residual ? (RESIDUAL[name] ?? name) : name
      position += activation ? 2 : 1
      if (value instanceof Module) visit(value, ours, theirs ? join(there, theirs) : there)
      else names.set(ours, join(there, BUFFERS[theirs] ?? theirs))
    }
  }
  visit(network, '', '')
  return names
}

/** The tensors of `file` with their axes in the order of ours, and without those that count batches. */
function inOwnLayout(
  network: Module<unknown>,
  { tensors }: Safetensors,
  channels: ReadonlyMap<Linear, number>,
  nameOf: (name: string) => string
): Safetensors {
  const converted = new Map([...tensors].filter(([name]) => !name.endsWith('num_batches_tracked')))
  for (const [at, module] of network.namedModules()) {
    const name = nameOf(join(at, 'weight'))
    const weight = module instanceof Weighted ? converted.get(name) : undefined
    if (weight) converted.set(name, weightHere(weight, channels.get(module as Linear)))
  }
  return { tensors: converted, metadata: new Map(Object.entries(weightsMetadata)) }
}

/** What doesn't fit is left as it is: `takeWeights` says so. */
function weightHere(weight: Tensor<DType>, channels: number | undefined): Tensor<DType> {
  const [first, second, ...rest] = weight.shape
  if (rest.length > 0) return permute(weight, [0, ...rest.map((_, i) => i + 2), 1])
  if (channels === undefined || second! % channels !== 0) return weight
  return reshape(permute(reshape(weight, [first!, channels, -1]), [0, 2, 1]), [first!, second!])
}
