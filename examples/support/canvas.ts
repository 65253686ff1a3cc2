// A large picture with digits here and there, and where they are.
import { overlapOf, type Box } from 'needletail'
import * as nt from 'needletail'

export interface Canvas {
  /** [height, width, 1] */
  image: nt.Tensor<'uint8'>
  /** Where the digits of each class lie. */
  boxes: ReadonlyMap<string, Box[]>
}

/** Digits by chance at places of chance, of these sizes by turns, none over another. The same seed gives the same canvas. */
export async function scattered(
  digits: nt.ImageDataset,
  { width = 320, height = 200, count = 40, sizes = [18, 27, 36], seed = 1 } = {}
): Promise<Canvas> {
  const pixels = new Uint8Array(width * height)
  const boxes = new Map(digits.classes.map((name) => [name, [] as Box[]]))
  const labels = await digits.labels.data()
  const placed: Box[] = []
  for (const [right, down, which] of await chances(seed)) {
    if (placed.length === count) break
    const size = sizes[placed.length % sizes.length]!
    const box = {
      left: Math.floor(right * (width - size + 1)),
      top: Math.floor(down * (height - size + 1)),
      width: size,
      height: size
    }
    if (placed.some((other) => overlapOf(box, other) > 0)) continue
    const at = Math.floor(which * digits.length)
    const picture = nt.resize(digits.images.slice(at, at + 1).astype('float32'), size)
    const digit = await picture.round().astype('uint8').data()
    for (let row = 0; row < size; row++) {
      pixels.set(digit.subarray(row * size, (row + 1) * size), (box.top + row) * width + box.left)
    }
    placed.push(box)
    boxes.get(digits.classes[labels[at]!]!)!.push(box)
  }
  return { image: nt.tensor(pixels, [height, width, 1]), boxes }
}

const chances = async (seed: number): Promise<[number, number, number][]> =>
  (await nt.random.uniform([2000, 3], { seed, device: 'cpu' }).array()) as [number, number, number][]

/** Windows of such pictures that don't lie on an 8: what a detector sees most of the time. They count as `other`. */
export async function backgrounds(digits: nt.ImageDataset, count: number, size: number): Promise<nt.ImageDataset> {
  const pixels = new Uint8Array(count * size * size)
  const sizes = [size, 1.5 * size, 2 * size, 3 * size]
  for (let seed = 1000, done = 0; done < count; seed++) {
    const { image, boxes } = await scattered(digits, { sizes, seed })
    const [height, width] = image.shape as [number, number]
    const windows: nt.Tensor<'uint8'>[] = []
    for (const [right, down] of (await chances(seed + 1e6)).slice(0, Math.min(200, count - done))) {
      const [left, top] = [Math.floor(right * (width - size)), Math.floor(down * (height - size))]
      const window = { left, top, width: size, height: size }
      if (boxes.get('8')!.some((eight) => overlapOf(window, eight) > 0.3)) continue
      windows.push(image.get([top, top + size], [left, left + size]))
    }
    pixels.set(await nt.stack(windows).data(), done * size * size)
    done += windows.length
  }
  const labels = new Int32Array(count)
  return nt.ImageDataset.from({ pixels, shape: [size, size, 1], labels, classes: digits.classes })
}
