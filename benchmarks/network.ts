// The bird network that all contenders train and ask: 2,155,010 parameters for pictures of 32x32x3.
//   conv 32 3x3 same, relu, max-pool 2, conv 64, relu, conv 64, relu, max-pool 2, dense 512, relu, dropout 0.5, dense 2
import { closeSync, openSync, readSync } from 'node:fs'
import type { Task } from './harness/protocol.js'

export const side = 32
export const channels = 3
export const classes = 2
export const parameterCount = 2_155_010
/** Of ResNet-50 (version 1.5) with 1000 classes. */
export const resnet50Parameters = 25_557_032

/** Pictures [batch, 32, 32, 3] with values from 0 to 1, and their labels: the same numbers each time. */
export function pictures(batch: number): { images: Float32Array; labels: Int32Array } {
  let state = 1
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
  const images = Float32Array.from({ length: batch * side * side * channels }, next)
  const labels = Int32Array.from({ length: batch }, () => (next() < 0.5 ? 0 : 1))
  return { images, labels }
}

const BIRD = 2 // of CIFAR-10's labels

/** The pictures of a task of fitting, as bytes, and whether each is of a bird; of its files or else random. */
export function birds({ pictures, images, labels }: Task & { kind: 'fit' }): {
  pixels: Uint8Array
  labels: Int32Array
} {
  const bytes = side * side * channels
  if (images === undefined || labels === undefined) {
    let state = 1
    const pixels = Uint8Array.from(
      { length: pictures * bytes },
      () => (state = Math.imul(state, 1664525) + 1013904223) >>> 24
    )
    return { pixels, labels: Int32Array.from({ length: pictures }, (_, i) => pixels[i * bytes]! & 1) }
  }
  const classes = readIdx(labels, 1, pictures)
  return {
    pixels: readIdx(images, 4, pictures * bytes),
    labels: Int32Array.from(classes, (label) => Number(label === BIRD))
  }
}

/** The first bytes of the values of an IDX file of so many axes. */
function readIdx(path: string, axes: number, count: number): Uint8Array {
  const values = new Uint8Array(count)
  const file = openSync(path, 'r')
  readSync(file, values, 0, count, 4 + 4 * axes)
  closeSync(file)
  return values
}
