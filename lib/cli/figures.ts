// How good a network is: what `train` and `evaluate` print.
import type { Evaluation, ImageDataset } from '../index.js'
import { table } from './output.js'

/** The precisions at which the recall is told: what a user who wants few false alarms can have. */
const PRECISIONS = [0.9, 0.97] as const

export interface Figures {
  pictures: number
  classes: readonly string[]
  loss: number
  accuracy: number
  /** Of the positive class; without one the mean over the classes. So are recall and f1. */
  precision: number
  recall: number
  f1: number
  /** The most frequent class: who always names it is right as often as `accuracy` says. */
  always: { label: string; accuracy: number }
  /** Of the positive class: the most recall with at least that precision, and the probability from which on it is told. */
  recallAtPrecision: { precision: number; recall: number; threshold: number }[]
  /** `confusion[label][prediction]` */
  confusion: number[][]
  /** By where the pictures come from, where that is more than one place. */
  sources: { source: string; pictures: number; accuracy: number; precision: number; recall: number }[]
}

/** The figures of a set, and of each of its sources, as `evaluate` finds them. */
export async function figuresOf(
  set: ImageDataset,
  evaluate: (set: ImageDataset) => Promise<Evaluation>
): Promise<Figures> {
  const { confusion, scores, ...found } = await evaluate(set)
  const most = Math.max(...set.counts)
  const at = scores ? PRECISIONS.map((precision) => scores.recallAt({ precision })) : []
  const sources: Figures['sources'] = []
  for (const source of set.sources.length > 1 ? set.sources : []) {
    const part = set.fromSource(source)
    if (part.length === 0) continue
    const { pictures, accuracy, precision, recall } = await evaluate(part)
    sources.push({ source, pictures, accuracy, precision, recall })
  }
  return {
    ...found,
    classes: set.classes,
    always: { label: set.classes[set.counts.indexOf(most)]!, accuracy: most / set.length },
    recallAtPrecision: (await Promise.all(at)).map(({ recall, threshold }, i) => {
      return { precision: PRECISIONS[i]!, recall, threshold }
    }),
    confusion: await confusion.matrix(),
    sources
  }
}

/** The figures as lines to read; the last is `accuracy A precision P recall R`. */
export function report(figures: Figures): string {
  const { pictures, classes, accuracy, precision, recall, always, recallAtPrecision, confusion, sources } = figures
  const lines = [
    table([
      [`${pictures.toLocaleString('en')} pictures`, ...classes.map((name) => `taken for ${name}`)],
      ...confusion.map((row, label) => [classes[label]!, ...row])
    ]),
    '',
    `always saying ${always.label} gives accuracy ${share(always.accuracy)}`,
    ...recallAtPrecision.map((at) => `recall ${share(at.recall)} at precision ${at.precision.toFixed(2)}`)
  ]
  if (sources.length > 0) {
    const rows = sources.map((of) => [
      of.source,
      of.pictures,
      share(of.accuracy),
      share(of.precision),
      share(of.recall)
    ])
    lines.push('', table([['source', 'pictures', 'accuracy', 'precision', 'recall'], ...rows]))
  }
  lines.push('', `accuracy ${share(accuracy)} precision ${share(precision)} recall ${share(recall)}`)
  return lines.join('\n')
}

const share = (value: number): string => value.toFixed(3)
