// pictures.json of a run folder: read as data of unknown origin, like all that is there.
import { expected } from '../errors.js'
import type { Example, Image, Pictures, Sample } from './run-data.js'

const IMAGE = /^data:image\/(webp|png|jpeg);base64,[A-Za-z0-9+/]*=*$/

/** @param classes how many there are @param path for messages */
export function checkPictures(value: unknown, classes: number, path: string): Pictures {
  const refuse = (what: string) => expected('report', `${what} in ${path}`, 'something else', 'The file is damaged.')
  const object = (one: unknown): Record<string, unknown> => {
    if (typeof one !== 'object' || one === null) throw refuse('objects')
    return one as Record<string, unknown>
  }
  const list = <T>(name: string, of: Record<string, unknown>, item: (one: unknown) => T): T[] => {
    const values = of[name]
    if (!Array.isArray(values)) throw refuse(`a list as ${name}`)
    return values.map(item)
  }
  const image = (one: unknown): Image => {
    if (typeof one !== 'string' || !IMAGE.test(one)) throw refuse('pictures as data URIs')
    return one
  }
  const whole = (one: unknown, below: number): number => {
    if (!Number.isInteger(one) || (one as number) < 0 || (one as number) >= below) throw refuse('whole numbers')
    return one as number
  }
  const file = (one: Record<string, unknown>) => (typeof one['file'] === 'string' ? { file: one['file'] } : {})

  const pictures = object(value)
  if (pictures['format'] !== 1) throw refuse('format 1')
  const summary = pictures['summary']
  return {
    format: 1,
    summary: typeof summary === 'string' ? summary : null,
    samples: list('samples', pictures, (one): Sample => {
      const sample = object(one)
      return { image: image(sample['image']), label: whole(sample['label'], classes), ...file(sample) }
    }),
    augmented: list('augmented', pictures, (one) => {
      const row = object(one)
      return { image: image(row['image']), epochs: list('epochs', row, image) }
    }),
    validation: list('validation', pictures, (one): Example => {
      const example = object(one)
      return { image: image(example['image']), index: whole(example['index'], 2 ** 31), ...file(example) }
    })
  }
}
