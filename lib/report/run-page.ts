// The page of one run, and how what it shows gets into it.
import { basename, resolve } from 'node:path'
import { page } from './page.js'
import type { Predictions } from './predictions.js'
import type { Packed, PackedPredictions, RunData } from './run-data.js'

/** The most probabilities that a page carries: 4 bytes each, a third more as text. */
const ROOM = 300_000

export const runPage = (data: RunData): Promise<string> =>
  page({ title: `${data.name} · needletail`, view: 'run', data })

/** A run folder's name. */
export const runName = (folder: string): string => basename(resolve(folder))

/** @param positive the number of the positive class */
export function packPredictions(
  { labels, predictions, confidence, scores }: Predictions,
  epoch: number,
  positive: number | undefined
): PackedPredictions {
  const wanted = [...scores].filter(([c]) => positive === undefined || c === positive)
  const all = wanted.length * labels.length <= ROOM ? wanted : []
  return {
    epoch,
    labels: pack(Uint16Array.from(labels)),
    predictions: pack(Uint16Array.from(predictions)),
    confidence: pack(confidence),
    scores: all.map(([c, values]) => [c, pack(values)] as const)
  }
}

const pack = ({ buffer, byteOffset, byteLength }: Uint16Array | Float32Array): Packed =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64')
