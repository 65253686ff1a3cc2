// The state of a training in a file: safetensors with the tensors, and what isn't a tensor as JSON in its metadata.
import { expected } from '../errors.js'
import { parseJson, type Json } from '../io/json.js'
import { readSafetensors, takeSafetensors, type Memory, type Safetensors } from '../io/safetensors.js'
import { weightsMetadata } from '../nn/weights.js'
import type { DType, Tensor } from '../tensor.js'

type Tensors = Readonly<Record<string, Tensor<DType>>>

/** How far a training is. */
export interface Position {
  /** Epochs that are complete. */
  epoch: number
  /** Batches of the next epoch that are done. */
  batch: number
  /** The epoch of the best value so far, and the value. */
  bestEpoch: number
  bestValue: number
}

/**
 * Takes groups of tensors as they are now, each under its name: { network: { '0.weight': w } } as 'network.0.weight'. Gives what
 * writes them.
 */
export function takeCheckpoint(
  groups: Record<string, Tensors>,
  position: Position,
  memory: Memory
): (path: string) => Promise<void> {
  const named = Object.entries(groups).flatMap(([group, tensors]) =>
    Object.entries(tensors).map(([name, tensor]) => [`${group}.${name}`, tensor] as const)
  )
  return takeSafetensors(named, { ...weightsMetadata, position: JSON.stringify(position) }, memory)
}

export interface Checkpoint {
  path: string
  file: Safetensors
  position: Position
}

export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const file = await readSafetensors(path, { device: 'cpu' })
  return { path, file, position: positionIn(path, file.metadata.get('position')) }
}

/** The tensors of one group, by their names in it. */
export function groupOf({ file }: Checkpoint, group: string): Record<string, Tensor<DType>> {
  const found = new Map<string, Tensor<DType>>()
  for (const [name, tensor] of file.tensors) {
    if (name.startsWith(`${group}.`)) found.set(name.slice(group.length + 1), tensor)
  }
  return Object.fromEntries(found)
}

function positionIn(path: string, text: string | undefined): Position {
  const refuse = (got: string) =>
    expected('fit', `the position of a training in ${path}`, got, 'Take a checkpoint of a run.')
  let json: Json
  try {
    json = parseJson(text ?? '')
  } catch {
    throw refuse(text === undefined ? 'none' : 'malformed JSON')
  }
  const members = json instanceof Map ? json : new Map<string, Json>()
  const whole = (name: string): number => {
    const value = members.get(name)
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw refuse(`${name} ${String(value)}`)
    return value as number
  }
  const bestValue = members.get('bestValue')
  return {
    epoch: whole('epoch'),
    batch: whole('batch'),
    bestEpoch: whole('bestEpoch'),
    bestValue: typeof bestValue === 'number' ? bestValue : NaN // JSON has no NaN: null
  }
}
