// What the page of a gallery gets.

export interface GalleryData {
  title: string
  classes: readonly string[]
  /** The number of the class that is asked about first. */
  positive: number
  /** The least probability of what was found, where things were looked for in photos; null where whole photos were judged. */
  foundFrom: number | null
  photos: readonly GalleryPhoto[]
}

export interface GalleryPhoto {
  file: string
  /** A data URI. */
  image: string
  /** Of the photo, in its own pixels. */
  size: readonly [width: number, height: number]
  /** Classes by number, the most probable first; those left out are hardly probable. */
  probabilities: readonly (readonly [number, number])[]
  /** What was found: where, in the photo's pixels, and how probable. */
  boxes: readonly (readonly [left: number, top: number, width: number, height: number, probability: number])[]
}
