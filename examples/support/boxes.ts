// Boxes drawn over a picture, as a PNG.
import sharp from 'sharp'
import type { Tensor } from 'needletail'
import { tiles } from './tiles.js'

export interface Box {
  x: number
  y: number
  width: number
  height: number
}

/** A PNG of one picture [height, width, 1 or 3] with boxes, in its pixels, each list in a colour. */
export async function withBoxes(
  image: Tensor<any>,
  lists: readonly { boxes: readonly Box[]; colour: string }[],
  { scale = 2 } = {}
): Promise<Buffer> {
  const [height, width] = image.shape as [number, number]
  const rectangles = lists.flatMap(({ boxes, colour }) =>
    boxes.map((box) => {
      const [x, y, w, h] = [box.x, box.y, box.width, box.height].map((value) => value * scale)
      return `<rect x="${x}" y="${y}" width="${w}" height="${h}" fill="none" stroke="${colour}" stroke-width="2"/>`
    })
  )
  const over = `<svg xmlns="http://www.w3.org/2000/svg" width="${width * scale}" height="${height * scale}">${rectangles.join('')}</svg>`
  return sharp(await tiles(image.unsqueeze(0), { scale }))
    .composite([{ input: Buffer.from(over) }])
    .png({ compressionLevel: 9, palette: true })
    .toBuffer()
}
