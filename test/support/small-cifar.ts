// A cache folder with CIFAR-10's entry, but of few pictures that are easy to tell apart: what trains on it takes seconds.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { idxHeader } from '../../lib/data/idx.js'
import { CIFAR10 } from '../../lib/data/cifar.js'

const BYTES = 32 * 32 * 3

/** Writes it to `cache`, for NEEDLETAIL_CACHE. Every tenth picture is a bird, and bright; the others are dark. */
export function writeSmallCifar(
  cache: string,
  counts: { train: number; test: number } = { train: 480, test: 200 }
): string {
  const folder = join(cache, CIFAR10.name)
  mkdirSync(folder, { recursive: true })
  const bird = CIFAR10.classes.indexOf('bird')
  for (const [part, count] of Object.entries(counts)) {
    const labels = Uint8Array.from({ length: count }, (_, i) => i % 10)
    const pixels = Uint8Array.from({ length: count * BYTES }, (_, i) => {
      const noise = Math.imul(i + 1, 2654435761) >>> 25
      return labels[Math.floor(i / BYTES)] === bird ? 128 + noise : noise
    })
    writeFileSync(join(folder, `${part}-images.idx`), Buffer.concat([idxHeader([count, 32, 32, 3]), pixels]))
    writeFileSync(join(folder, `${part}-labels.idx`), Buffer.concat([idxHeader([count]), labels]))
  }
  return cache
}
