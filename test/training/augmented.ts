// The batch op's augmentation in its simplest form, one value at a time in float64: what native/augmentation.h says.
import type { AugmentationNumbers, Statistics } from '../../lib/index.js'

export interface Pictures {
  pixels: Uint8Array
  height: number
  width: number
  channels: number
}

const low = (x: bigint): bigint => x & 0xffffffffn

/** The four words of a Philox 4x32-10 block, over BigInt. */
function philox(key: number, counter: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint]
  let [k0, k1] = [low(BigInt(key)), BigInt(key) >> 32n]
  for (let round = 0; round < 10; round++) {
    const [a, b] = [0xd2511f53n * c0, 0xcd9e8d57n * c2]
    ;[c0, c1, c2, c3] = [(b >> 32n) ^ c1 ^ k0, low(b), (a >> 32n) ^ c3 ^ k1, low(a)]
    ;[k0, k1] = [low(k0 + 0x9e3779b9n), low(k1 + 0xbb67ae85n)]
  }
  return [c0, c1, c2, c3].map(Number)
}

const unit = (word: number): number => (word >>> 8) / 2 ** 24
const between = (word: number, from: number, to: number): number => from + (to - from) * unit(word)
const choose = (word: number, n: number): number => Number((BigInt(word) * BigInt(n)) >> 32n)

function normalPair(first: number, second: number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log((first + 0.5) / 2 ** 32))
  const angle = (((second << 2) >> 8) / 2 ** 24 + (second >>> 30)) * (Math.PI / 2)
  return [radius * Math.cos(angle), radius * Math.sin(angle)]
}

/** The place mirrored at 0 and n - 1. */
function mirrored(at: number, n: number): number {
  if (n === 1) return 0
  while (at < 0 || at > n - 1) at = at < 0 ? -at : 2 * (n - 1) - at
  return at
}

/** One picture as `options` change it. */
export function augmented(set: Pictures, index: number, options: AugmentationNumbers & Statistics): number[] {
  const { pixels, height, width, channels } = set
  const { mean, std, seed = 0, epoch = 0, fill = 'mean' } = options
  const words = (number: number): [number, number, number, number] =>
    philox(seed, [index, number, epoch % 2 ** 32, Math.floor(epoch / 2 ** 32)]) as [number, number, number, number]
  const happens = (word: number, probability: number) => word < Math.round(probability * 2 ** 32)
  const chance = (given: unknown, probability: number | undefined, usual: number) =>
    given === undefined ? 0 : (probability ?? usual)

  // Normalised as the op does it, in float32: bit for bit.
  const normal = (byte: number, c: number) =>
    Math.fround(Math.fround(Math.fround(byte / 255) - Math.fround(mean[c]!)) / Math.fround(std[c]!))
  const pixel = (y: number, x: number, c: number): number => {
    if (fill === 'edge') {
      y = Math.min(Math.max(y, 0), height - 1)
      x = Math.min(Math.max(x, 0), width - 1)
    } else if (fill === 'reflect') {
      y = mirrored(y, height)
      x = mirrored(x, width)
    }
    if (y < 0 || y >= height || x < 0 || x >= width) return fill === 'black' ? normal(0, c) : 0
    return normal(pixels[((index * height + y) * width + x) * channels + c]!, c)
  }

  const [first, second, third, fourth, fifth] = [words(0), words(1), words(2), words(3), words(4)]
  const flip = happens(first[0], options.flip ?? 0)
  const flipVertical = happens(first[3], options.flipVertical ?? 0)
  const { shift = 0 } = options
  const shifted = happens(second[0], chance(options.shift, options.shiftProbability, 1))
  const dy = shifted ? choose(first[1], 2 * shift + 1) - shift : 0
  const dx = shifted ? choose(first[2], 2 * shift + 1) - shift : 0
  const turned = happens(second[1], chance(options.rotate, options.rotateProbability, 0.5))
  const angle = turned ? (between(second[2], -options.rotate!, options.rotate!) * Math.PI) / 180 : 0
  const scaled = happens(second[3], chance(options.scale, options.scaleProbability, 1))
  const factor = scaled ? between(third[0], ...(options.scale as [number, number])) : 1
  const cropped = happens(third[1], chance(options.crop, options.cropProbability, 1))
  const part = { height, width, y: 0, x: 0 }
  if (cropped) {
    const area = between(third[2], options.crop!, 1)
    const widest = Math.log(Math.min(4 / 3, 1 / area))
    const aspect = Math.exp(between(third[3], -widest, widest))
    part.width = width * Math.min(1, Math.sqrt(area * aspect))
    part.height = height * Math.min(1, Math.sqrt(area / aspect))
    part.y = (height - part.height) * unit(fourth[0])
    part.x = (width - part.width) * unit(fourth[1])
  }

  // Where a pixel comes from: back through shift, rotation, scale, crop and flips, with pixels as squares.
  const source = (y: number, x: number): [number, number] => {
    const [down, right] = [y + 0.5 - dy - height / 2, x + 0.5 - dx - width / 2]
    const unturned = [
      Math.sin(angle) * right + Math.cos(angle) * down,
      Math.cos(angle) * right - Math.sin(angle) * down
    ]
    const [v, u] = unturned.map((place) => place / factor) as [number, number]
    const inPart = [part.y + (v / height + 0.5) * part.height, part.x + (u / width + 0.5) * part.width] as const
    const [fromY, fromX] = inPart
    return [(flipVertical ? height - fromY : fromY) - 0.5, (flip ? width - fromX : fromX) - 0.5]
  }
  const exact = !turned && !scaled && !cropped
  const sample = (y: number, x: number, c: number): number => {
    // Without rounding in the place: pixels are copied.
    if (exact) {
      const [fromY, fromX] = source(y, x).map(Math.round) as [number, number]
      return pixel(fromY, fromX, c)
    }
    let [fromY, fromX] = source(y, x)
    if (fill === 'reflect') [fromY, fromX] = [mirrored(fromY, height), mirrored(fromX, width)]
    const [top, left] = [Math.floor(fromY), Math.floor(fromX)]
    let sum = 0
    for (const [atY, partY] of [
      [top, 1 - (fromY - top)],
      [top + 1, fromY - top]
    ] as const)
      for (const [atX, partX] of [
        [left, 1 - (fromX - left)],
        [left + 1, fromX - left]
      ] as const)
        if (partY * partX > 0) sum += partY * partX * pixel(atY, atX, c)
    return sum
  }
  const at = (y: number, x: number, c: number) => (y * width + x) * channels + c
  const places = Array.from({ length: height * width * channels }, (_, i) => ({
    y: Math.floor(i / channels / width),
    x: Math.floor(i / channels) % width,
    c: i % channels
  }))
  let out = places.map(({ y, x, c }) => sample(y, x, c))

  if (happens(fourth[2], chance(options.blur, options.blurProbability, 0.5))) {
    const sigma = between(fourth[3], 0, options.blur!)
    const radius = 2 * Math.ceil(options.blur!)
    const offsets = Array.from({ length: 2 * radius + 1 }, (_, i) => i - radius)
    const weight = (k: number) => (k === 0 ? 1 : Math.exp(-(k ** 2) / (2 * sigma ** 2)))
    const total = offsets.reduce((sum, k) => sum + weight(k), 0)
    const blurred = (value: (k: number) => number) =>
      offsets.reduce((sum, k) => sum + (weight(k) / total) * value(k), 0)
    const along = places.map(({ y, x, c }) => blurred((k) => out[at(y, mirrored(x + k, width), c)]!))
    if (sigma > 0) out = places.map(({ y, x, c }) => blurred((k) => along[at(mirrored(y + k, height), x, c)]!))
  }
  if (happens(fifth[0], chance(options.noise, options.noiseProbability, 0.5))) {
    for (let i = 0; i < out.length; i += 4) {
      const [a, b, c, d] = words(16 + i / 4)
      const normals = [...normalPair(a, b), ...normalPair(c, d)]
      for (let j = 0; j < 4 && i + j < out.length; j++)
        out[i + j]! += (normals[j]! * options.noise!) / std[(i + j) % channels]!
    }
  }
  if (happens(fifth[1], chance(options.cutout, options.cutoutProbability, 1))) {
    const side = options.cutout!
    const top = choose(fifth[2], height) - Math.floor(side / 2)
    const left = choose(fifth[3], width) - Math.floor(side / 2)
    places.forEach(({ y, x }, i) => {
      if (y >= top && y < top + side && x >= left && x < left + side) out[i] = 0
    })
  }
  return out
}
