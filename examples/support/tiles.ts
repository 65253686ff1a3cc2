// Small pictures side by side, as one PNG.
import sharp from 'sharp'
import type { Tensor } from 'needletail'

export interface TilesOptions {
  /** Pictures in a row; all unless given. */
  columns?: number
  /** How many pixels wide and high a pixel becomes; 3 unless given. */
  scale?: number
  /** Pixels of nothing between pictures; 4 unless given. */
  gap?: number
}

/** A PNG of pictures [n, height, width, 1 or 3], bytes or floats from 0 to 1. Around them it is transparent. */
export async function tiles(images: Tensor<any>, options: TilesOptions = {}): Promise<Buffer> {
  const [count, height, width, channels] = images.shape as [number, number, number, 1 | 3]
  const { columns = count, scale = 3, gap = 4 } = options
  const values = (await images.data()) as ArrayLike<number>
  const unit = images.dtype === 'uint8' ? 1 : 255
  const rows = Math.ceil(count / columns)
  const tile = (at: number) => {
    const size = height * width * channels
    const pixels = Buffer.from(Array.from({ length: size }, (_, i) => Math.round(unit * values[at * size + i]!)))
    const enlarged = sharp(pixels, { raw: { width, height, channels } })
      .resize(width * scale, height * scale, { kernel: 'nearest' })
      .png()
      .toBuffer()
    return enlarged.then((input) => ({
      input,
      left: (at % columns) * (width * scale + gap),
      top: Math.floor(at / columns) * (height * scale + gap)
    }))
  }
  const canvas = {
    width: columns * (width * scale + gap) - gap,
    height: rows * (height * scale + gap) - gap,
    channels: 4 as const,
    background: 'transparent'
  }
  return sharp({ create: canvas })
    .composite(await Promise.all(Array.from({ length: count }, (_, at) => tile(at))))
    .png({ compressionLevel: 9, palette: channels === 1 })
    .toBuffer()
}
