// Which pictures of the validation set are worth showing: of every cell of the confusion matrix some, the most wrong first.
import type { Predictions } from './predictions.js'

/** The most of one cell, and of all together. */
const OF_CELL = 48
const ALL = 500

/** Places in the set; where there is no room for all, each cell has as many as the others. */
export function choosePictures(predictions: Predictions): number[] {
  const cells = cellsOf(predictions)
  const chosen: number[] = []
  for (let rank = 0; rank < OF_CELL; rank++) {
    for (const cell of cells) {
      if (rank < cell.length && chosen.length < ALL) chosen.push(cell[rank]!)
    }
  }
  return chosen
}

/** The best pictures of each cell, in the order in which they are wanted; the fullest cells first. */
function cellsOf({ labels, predictions, confidence }: Predictions): number[][] {
  const cells = new Map<string, number[]>()
  labels.forEach((label, at) => {
    const key = `${label},${predictions[at]}`
    const cell = cells.get(key)
    if (cell) cell.push(at)
    else cells.set(key, [at])
  })
  return [...cells.values()]
    .sort((a, b) => b.length - a.length)
    .map((cell) => {
      const isRight = labels[cell[0]!] === predictions[cell[0]!]
      // The surer of a wrong answer, the more wrong; the less sure of a right one, the nearer to being wrong.
      const sign = isRight ? 1 : -1
      cell.sort((a, b) => sign * (confidence[a]! - confidence[b]!) || a - b)
      return isRight ? spread(cell) : cell.slice(0, OF_CELL)
    })
}

/** By turns the first ones and ones from all over: of the right answers some that are sure, too, for high thresholds. */
function spread(cell: readonly number[]): number[] {
  const half = OF_CELL / 2
  const step = Math.max(1, (cell.length - half) / half)
  const order = new Set<number>()
  for (let i = 0; i < half; i++) {
    if (i < cell.length) order.add(cell[i]!)
    const far = cell.length - 1 - Math.floor(i * step)
    if (far >= half) order.add(cell[far]!)
  }
  return [...order]
}
