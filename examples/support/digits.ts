// MNIST's handwritten digits at 18x18, and what can be done to them.
import * as nt from 'needletail'
import type { ImageDataset, Tensor } from 'needletail'
import { few } from './small.js'

export const SIZE = 18

/** The digits, "8" or "other": 60,000 to learn from, 10,000 others to be tested on. */
export async function eights(): Promise<{ train: ImageDataset; test: ImageDataset }> {
  const { train, test } = await nt.datasets.mnist()
  const prepared = (digits: ImageDataset) =>
    digits
      .map((images) => nt.resize(images.astype('float32'), SIZE).round().astype('uint8'))
      .then((reduced) => reduced.relabel(['other', '8'], (_, name) => (name === '8' ? 1 : 0)))
  return { train: await prepared(few(train, 12_000)), test: await prepared(few(test, 2000)) }
}

/** The pictures of a class alone. */
export async function only(set: ImageDataset, name: string): Promise<ImageDataset> {
  const labels = await set.labels.data()
  return set.subset([...labels.keys()].filter((at) => set.classes[labels[at]!] === name))
}

/** Pictures [n, height, width, channels] moved by so many pixels right and down: what leaves them is lost, what comes in is black. */
export function shifted(images: Tensor<'uint8'>, right: number, down: number): Tensor<'uint8'> {
  return nt.pad(images, [0, [down, -down], [right, -right], 0])
}

/** The part of these pictures, all of one class, that the network still knows when they are moved: its recall. */
export async function recallMoved(
  network: nt.nn.Module,
  pictures: ImageDataset,
  normalize: nt.Statistics,
  right: number,
  down: number
): Promise<number> {
  const moved = await pictures.map((images) => shifted(images, right, down))
  return (await nt.evaluate(network, moved, { normalize, positive: '8' })).recall
}

/** The same for each of these shifts to the right, as points of a line. */
export async function recallsMoved(
  network: nt.nn.Module,
  pictures: ImageDataset,
  normalize: nt.Statistics,
  shifts: readonly number[]
): Promise<[number, number][]> {
  const points: [number, number][] = []
  for (const right of shifts) points.push([right, await recallMoved(network, pictures, normalize, right, 0)])
  return points
}
