// Boxes in a photo, and which of those that overlap stand for one thing.

/** A rectangle in a photo, in its pixels; the top left corner of the photo is 0, 0. */
export interface Box {
  /** Its left side. */
  left: number
  /** Its upper side. */
  top: number
  /** To its right side. */
  width: number
  /** To its lower side. */
  height: number
}

/** The area that two boxes share, over the area that they cover together ("intersection over union"): 0 to 1. */
export function overlapOf(a: Box, b: Box): number {
  const width = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left)
  const height = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top)
  if (width <= 0 || height <= 0) return 0
  return (width * height) / (a.width * a.height + b.width * b.height - width * height)
}

/**
 * Non-maximum suppression: of boxes that overlap by more than `overlap` only the most probable is left. The most probable
 * comes first.
 */
export function suppress<B extends Box & { probability: number }>(boxes: readonly B[], overlap: number): B[] {
  const kept: B[] = []
  for (const box of [...boxes].sort((a, b) => b.probability - a.probability)) {
    if (kept.every((better) => overlapOf(better, box) <= overlap)) kept.push(box)
  }
  return kept
}
