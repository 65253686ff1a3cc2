// A small run folder, written by hand in the form that fit writes.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as nt from '../../lib/index.js'
import { nn, type Tensor } from '../../lib/index.js'

export const LAYOUT = { 'layout.convolution': 'OHWI', 'layout.linear': 'out,in' }
export const CLASSES = ['red', 'green', 'blue']

/** Takes the mean of each channel for the class's logit. */
export const colourNetwork = () => new nn.Sequential(new nn.GlobalAvgPool2d(), new nn.Linear(3, { inputs: 3 }))
export const identity = (by = 1) => nt.tensor([by, 0, 0, 0, by, 0, 0, 0, by], [3, 3])
export const state = (prefix: string, by = 1): Record<string, Tensor> => ({
  [`${prefix}1.weight`]: identity(by),
  [`${prefix}1.bias`]: nt.zeros([3])
})

export const config = {
  format: 1,
  needletail: '0.1.0',
  name: 'colours',
  network: nn.toConfig(colourNetwork()) as object | null,
  networkClass: 'Sequential',
  inputShape: [4, 6, 3],
  classes: CLASSES,
  positive: 'red' as string | null,
  normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as object | null,
  training: { epochs: 3, optimizer: { kind: 'Adam' } },
  recipe: null as object | null
}

/**
 * Writes the run folder `folder` of a network that tells red, green and blue apart, with `changes` to its config.json (or that file's
 * text) and the tensors of its last checkpoint.
 */
export async function writeRun(
  folder: string,
  changes: object | string = {},
  last: Record<string, Tensor<nt.DType>> = state('network.')
): Promise<string> {
  mkdirSync(join(folder, 'checkpoints'), { recursive: true })
  const text = typeof changes === 'string' ? changes : JSON.stringify({ ...config, ...changes })
  writeFileSync(join(folder, 'config.json'), text)
  await nt.io.writeSafetensors(join(folder, 'checkpoints/last.safetensors'), last, LAYOUT)
  return folder
}
