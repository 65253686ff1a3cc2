// Boxes over a picture, as a PNG; and whether they are where they should be.
import sharp from 'sharp'
import { overlapOf, type Box, type Tensor } from 'needletail'
import { tiles } from './tiles.js'

export interface Drawn {
  boxes: readonly Box[]
  colour: string
  /** With gaps in its lines. */
  dashed?: boolean
}

/** A PNG of one picture [height, width, 1 or 3] with boxes over it. */
export async function withBoxes(image: Tensor<any>, drawn: readonly Drawn[], { scale = 2 } = {}): Promise<Buffer> {
  const [height, width] = image.shape as [number, number]
  const rectangles = drawn.flatMap(({ boxes, colour, dashed }) =>
    boxes.map(({ left, top, width, height }) => {
      const style = `fill="none" stroke="${colour}" stroke-width="2" ${dashed ? 'stroke-dasharray="5 4"' : ''}`
      const [x, y, w, h] = [left, top, width, height].map((value) => value * scale)
      return `<rect x="${x}" y="${y}" width="${w}" height="${h}" ${style}/>`
    })
  )
  const over = `<svg xmlns="http://www.w3.org/2000/svg" width="${width * scale}" height="${height * scale}">${rectangles.join('')}</svg>`
  return sharp(await tiles(image.unsqueeze(0), { scale }))
    .composite([{ input: Buffer.from(over) }])
    .png({ compressionLevel: 9, palette: true })
    .toBuffer()
}

/** Which of the boxes found lie where one of those wanted is (each counts once), which don't, and which are missing. */
export function matched<B extends Box>(found: readonly B[], wanted: readonly Box[]) {
  const left = new Set(wanted)
  const hits: B[] = []
  const wrong: B[] = []
  for (const box of found) {
    const at = [...left].find((one) => overlapOf(box, one) > 0.4)
    if (at) left.delete(at)
    ;(at ? hits : wrong).push(box)
  }
  return { hits, wrong, missing: [...left] }
}

/** What `matched` has told apart, to be drawn: right in green, wrong in red, what is missing dashed. */
export const toldApart = ({ hits, wrong, missing }: ReturnType<typeof matched>): Drawn[] => [
  { boxes: hits, colour: '#2da44e' },
  { boxes: wrong, colour: '#cf222e' },
  { boxes: missing, colour: '#bf8700', dashed: true }
]
