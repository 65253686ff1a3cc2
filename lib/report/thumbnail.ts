// Pictures as small files within a page.
import { loadSharp } from '../data/sharp.js'

/** Larger ones are brought to this size, unless told otherwise: the longer side, in pixels. */
const SIDE = 96
/** Up to this size every pixel is kept: it is what the network sees. */
const LOSSLESS = 48

/**
 * A picture as a data URI.
 * @param pixels uint8, row by row
 * @param shape [height, width, channels] of 1 or 3 channels; of others the first one is shown
 */
export async function thumbnail(pixels: Uint8Array, shape: readonly number[], side = SIDE): Promise<string> {
  const [height, width, channels] = shape as [number, number, number]
  const shown = channels === 1 || channels === 3
  const raw = shown ? pixels : pixels.filter((_, i) => i % channels === 0)
  const sharp = await loadSharp('report')
  const image = sharp(raw, { raw: { width, height, channels: shown ? channels : 1 }, limitInputPixels: false })
  const small = image.resize(side, side, { fit: 'inside', withoutEnlargement: true })
  const form = Math.max(height, width) <= LOSSLESS ? { lossless: true } : { quality: 80 }
  const bytes = await small.webp({ ...form, effort: 0 }).toBuffer()
  return `data:image/webp;base64,${bytes.toString('base64')}`
}
