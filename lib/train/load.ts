// A trained network from its run folder, ready to be asked about photos.
import { join } from 'node:path'
import { checkDevice } from '../device.js'
import { checkOptions, checkWord, expected, quoted } from '../errors.js'
import { readSafetensors } from '../io/safetensors.js'
import { fromConfig } from '../nn/config.js'
import { Module } from '../nn/module.js'
import { takeWeights } from '../nn/weights.js'
import { FILES } from './files.js'
import { Predictor } from './predictor.js'
import { readRunConfig, type RunConfig } from './run-config.js'

/** Which of a run's weights: those after the last epoch, or those of the epoch that did best on the validation set. */
export type WeightsOf = 'last' | 'best'

/** What `load` takes. */
export interface LoadRunOptions {
  /** A network of the form that was trained: for one that has a class of your own. Its weights are replaced by the run's. */
  network?: Module | undefined
  /** 'last' unless given. */
  weights?: WeightsOf | undefined
  /** Where the network is to be, 'cpu' or 'cuda:0'; unless given, where `network` is, or the default device. */
  device?: string | undefined
}

/**
 * The network of a run, in the mode for use, with its classes and normalisation: all read from the run folder, which is never
 * trusted (nothing in it is executed). Where the run kept an average of its weights, that is what is taken.
 *
 *     const birds = await load('runs/birds-001')
 *     const { label, probability } = await birds.predict('photo.jpg')
 *
 * @throws where the folder has no config.json or no such weights, where either is malformed or they don't fit each other, and
 * where the network has a class of its own and `network` isn't given.
 */
export async function load(folder: string, options: LoadRunOptions = {}): Promise<Predictor> {
  const { network: given, weights = 'last', device } = checkOptions('load', options, ['network', 'weights', 'device'])
  if (given !== undefined && !(given instanceof Module)) throw expected('load', 'a module as network', quoted(given))
  checkWord('load', 'weights', weights, ['last', 'best'] as const)
  const config = await readRunConfig(folder, 'load')
  const network = given ?? networkOf(config, folder)
  network.to(checkDevice('load', device ?? network.device))
  await loadCheckpoint(network, folder, weights)
  return new Predictor(folder, config, network.eval())
}

/** Where a checkpoint has the moving average of the weights. */
const AVERAGE = 'average.weights.'

/** Puts a run's weights into `network`: their average where the run kept one. All fit, or nothing is changed. */
export async function loadCheckpoint(network: Module, folder: string, weights: WeightsOf): Promise<void> {
  const path = join(folder, FILES[weights])
  const file = await readSafetensors(path, { device: network.device }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    const hint =
      weights === 'best'
        ? 'Only runs that were given a validation set have best weights.'
        : 'Was the run stopped before its first checkpoint?'
    throw expected('load', `weights at ${path}`, 'none', hint)
  })
  const names = [...file.tensors.keys()]
  const prefix = names.some((name) => name.startsWith(AVERAGE)) ? AVERAGE : 'network.'
  takeWeights(network, file, path, prefix)
  // What the optimizer kept is of no use here.
  for (const [name, tensor] of file.tensors) if (!name.startsWith(prefix)) tensor.dispose()
}

function networkOf({ network, networkClass }: RunConfig, folder: string): Module {
  const path = join(folder, FILES.config)
  if (network === null) {
    const hint = `It has a class that the library doesn't know. Make it anew: load(folder, { network: new ${networkClass}() }).`
    throw expected('load', `{ network } for the ${networkClass} of ${path}`, 'none', hint)
  }
  try {
    return fromConfig(network) as Module
  } catch (error) {
    throw expected('load', `a network in ${path}`, (error as Error).message.replace(/\.$/, ''))
  }
}
