// A small problem that a small network learns in a second: is there a bright square on the left or on the right?
import * as nt from '../../lib/index.js'
import { ImageDataset, nn, optim, type FitOptions } from '../../lib/index.js'

export const CLASSES = ['left', 'right']
const SIDE = 8

export function squares(count: number, seed: number, classes = CLASSES): ImageDataset {
  const noise = nt.random.integers([count, SIDE, SIDE, 3], 0, 120, { seed }).dataSync()
  const places = nt.random.integers([count, 2], 0, SIDE / 2 - 1, { seed: seed + 1 }).dataSync()
  const labels = nt.random.integers([count], 0, classes.length, { seed: seed + 2 }).dataSync()
  const pixels = Uint8Array.from(noise)
  labels.forEach((label, i) => {
    const [y, x] = [2 * places[2 * i]!, places[2 * i + 1]! + (label % 2) * (SIDE / 2)]
    for (const [dy, dx] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1]
    ] as const) {
      // prettier-ignore
      for (let c = 0; c < 3; c++) pixels[((i * SIDE + y + dy) * SIDE + x + dx) * 3 + c] = 150 + 40 * c
    }
  })
  return ImageDataset.from({ pixels, shape: [SIDE, SIDE, 3], labels, classes })
}

/** Dropout and batch norm are in it: what an exact resume has to bring back. */
export const network = (outputs = 2) =>
  new nn.Sequential(
    new nn.Conv2d(8, 3, { padding: 'same' }),
    new nn.BatchNorm(),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Dropout(0.2),
    new nn.Linear(outputs)
  )

export const base = (runs: string): FitOptions => ({
  normalize: true,
  optimizer: ({ total }) => new optim.Adam({ learningRate: optim.cosine(0.01, { steps: total }) }),
  metrics: ['accuracy', 'precision', 'recall'],
  positive: 'right',
  batchSize: 16,
  epochs: 3,
  name: 'squares',
  runs,
  progress: false
})
