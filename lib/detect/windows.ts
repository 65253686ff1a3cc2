// Which windows of a photo are looked at: the photo is made smaller and smaller, the window stays.
import { checkNumber, checkOptions, expected, quoted } from '../errors.js'

/** Heights of windows in pixels of the photo, in steps of a factor. */
export interface WindowSizes {
  /** An eighth of the largest unless given, but at least what the network takes. */
  smallest?: number | undefined
  /** The largest that fits into the photo unless given. */
  largest?: number | undefined
  /** More than 1; 1.25 unless given. */
  step?: number | undefined
}

/** Bytes [height, width, channels]. */
export interface Picture {
  pixels: Uint8Array
  height: number
  width: number
}

type Size = Pick<Picture, 'height' | 'width'>

/** A photo is made so small that it has no more pixels, unless smaller windows are asked for. */
const USUAL_PIXELS = 2 ** 20
/** A photo isn't made larger than this. */
const MAX_PIXELS = 2 ** 24
const MAX_SIZES = 100

/** The heights of the windows to look at in a photo, the smallest first. */
export function windowHeights(op: string, sizes: readonly number[] | WindowSizes, photo: Size, window: Size): number[] {
  const heights = Array.isArray(sizes) ? [...(sizes as number[])] : sequence(op, sizes as WindowSizes, photo, window)
  if (heights.length === 0 || heights.length > MAX_SIZES) throw expected(op, `1 to ${MAX_SIZES} sizes`, heights.length)
  for (const height of heights) {
    if (!(checkNumber(op, 'sizes as numbers', height) > 0)) throw expected(op, 'sizes above 0', height)
    const { height: rows, width: columns } = shrunk(photo, window, height)
    if (rows * columns > MAX_PIXELS) {
      const pixels = `a size of ${height}, which makes the photo ${columns}x${rows}`
      throw expected(op, `sizes for which the photo has at most ${MAX_PIXELS} pixels`, pixels)
    }
  }
  return heights.sort((a, b) => a - b)
}

function sequence(op: string, sizes: WindowSizes, photo: Size, window: Size): number[] {
  checkOptions(op, sizes, ['smallest', 'largest', 'step'])
  const { largest = Math.min(photo.height, (photo.width * window.height) / window.width), step = 1.25 } = sizes
  const usual = window.height * Math.sqrt((photo.height * photo.width) / USUAL_PIXELS)
  const { smallest = Math.min(largest, Math.max(window.height, usual, largest / 8)) } = sizes
  for (const [name, value, low] of [
    ['smallest', smallest, 0],
    ['largest', largest, 0],
    ['step', step, 1]
  ] as const) {
    if (!(Number.isFinite(value) && value > low)) throw expected(op, `${name} as a number above ${low}`, quoted(value))
  }
  if (smallest > largest) throw expected(op, `a smallest size of at most the largest, ${largest}`, smallest)
  const count = 1 + Math.floor(Math.log(largest / smallest) / Math.log(step) + 1e-9)
  return Array.from({ length: Math.min(count, MAX_SIZES + 1) }, (_, i) => smallest * step ** i)
}

/** The size of the photo that makes windows `height` pixels tall as tall as the network's. */
export function shrunk(photo: Size, window: Size, height: number): Size {
  const scale = window.height / height
  return { height: Math.max(1, Math.round(photo.height * scale)), width: Math.max(1, Math.round(photo.width * scale)) }
}

/** How many windows lie along a side of `length` pixels, so that together they cover it. */
export const countAlong = (length: number, window: number, stride: number): number =>
  1 + Math.max(0, Math.ceil((length - window) / stride))

/** A picture with its edges' pixels repeated on all sides up to a size, and where it lies in it. */
export function extend(
  { pixels, height, width }: Picture,
  to: Size,
  channels: number
): Picture & { top: number; left: number } {
  const [top, left] = [Math.floor((to.height - height) / 2), Math.floor((to.width - width) / 2)]
  if (to.height === height && to.width === width) return { pixels, height, width, top, left }
  const extended = new Uint8Array(to.height * to.width * channels)
  const clamp = (at: number, size: number): number => Math.min(size - 1, Math.max(0, at))
  for (let row = 0; row < to.height; row++) {
    const from = clamp(row - top, height) * width * channels
    const at = row * to.width * channels
    extended.set(pixels.subarray(from, from + width * channels), at + left * channels)
    for (let column = 0; column < to.width; column++) {
      if (column === left) column += width
      if (column === to.width) break
      const edge = from + clamp(column - left, width) * channels
      extended.set(pixels.subarray(edge, edge + channels), at + column * channels)
    }
  }
  return { pixels: extended, ...to, top, left }
}

/** The windows `from` to before `to` of a picture, counted row by row: uint8 [windows, ...window, channels]. */
export function cut(
  { pixels, width }: Picture,
  window: Size,
  channels: number,
  [down, right]: readonly [number, number],
  columns: number,
  from: number,
  to: number
): Uint8Array {
  const line = window.width * channels
  const windows = new Uint8Array((to - from) * window.height * line)
  for (let i = from, at = 0; i < to; i++) {
    const [top, left] = [Math.floor(i / columns) * down, (i % columns) * right]
    for (let row = 0; row < window.height; row++, at += line) {
      const start = ((top + row) * width + left) * channels
      windows.set(pixels.subarray(start, start + line), at)
    }
  }
  return windows
}
