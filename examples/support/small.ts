// SMALL=1 makes an example one of seconds, as the tests run it: less data, fewer passes.
import type { ImageDataset } from 'needletail'

export const small = process.env.SMALL === '1'

/** The set, or where the example is a small one so many of its pictures, each class in proportion. */
export function few(set: ImageDataset, pictures: number): ImageDataset {
  return small && pictures < set.length ? set.split({ test: pictures }).test : set
}
