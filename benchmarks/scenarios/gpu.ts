// Networks on a GPU, training and asked, beside PyTorch on the same: run.ts doesn't have it, gpu.ts does.
import { needletail, pytorchOn } from '../contenders/index.js'
import type { NetworkTask, Precision } from '../harness/protocol.js'
import type { Case, Scenario } from '../harness/scenario.js'

export interface GpuOptions {
  /** Where needletail computes, and where PyTorch does. */
  device: string
  torch: string
  tiny: boolean
}

interface Row {
  kind: 'train' | 'infer'
  precision: Precision
  batch: number
}

/** What takes milliseconds is done often before the result is read. */
const countFor = (network: NetworkTask['network'], batch: number): number =>
  network === 'resnet50' ? 4 : Math.max(8, Math.round(9600 / batch))

const names = { train: 'Training step', infer: 'Inference' } as const

function scenario(name: string, title: string, network: NonNullable<NetworkTask['network']>, rows: Row[]) {
  return ({ device, torch, tiny }: GpuOptions): Scenario => ({
    name,
    title,
    cases: ({ threads }) =>
      rows
        .filter((row) => !tiny || row.batch === rows[0]!.batch)
        .map(({ kind, precision, batch }): Case => ({
          title: `${names[kind]}, ${precision}, batch ${tiny ? 2 : batch}`,
          unit: 'ms',
          task: { kind, network, precision, batch: tiny ? 2 : batch, count: tiny ? 2 : countFor(network, batch) },
          contenders: [needletail(threads, device), ...pytorchOn(torch, threads)],
          comparison: 'ratio',
          references: ['needletail'],
          rounds: tiny ? 2 : 6,
          perTurn: tiny ? 1 : 3
        }))
  })
}

const all = (batches: readonly number[], precisions: readonly Precision[]): Row[] =>
  batches.flatMap((batch) =>
    precisions.flatMap((precision) => (['train', 'infer'] as const).map((kind) => ({ kind, precision, batch })))
  )

export const gpuScenarios = {
  // Each takes less than ten minutes: getting torch.compile ready is most of it.
  birds: scenario('gpu-birds', 'The bird network on a GPU, bfloat16', 'bird', all([96, 512, 2048], ['bfloat16'])),
  'birds-float32': scenario('gpu-birds-float32', 'The bird network on a GPU, float32 and TF32', 'bird', [
    ...all([96], ['float32']),
    ...all([96, 512, 2048], ['tf32'])
  ]),
  resnet50: scenario('gpu-resnet50', 'ResNet-50 on a GPU, 224x224', 'resnet50', all([256], ['tf32', 'bfloat16']))
} as const
