// Single operations, called eagerly: loops that end when all results are there.
import { needletail, plainPytorch, tfjs } from '../contenders/index.js'
import type { OpTask } from '../harness/protocol.js'
import type { Case, Scenario } from '../harness/scenario.js'

const OPS: readonly [title: string, op: OpTask['op'], ...shapes: number[][]][] = [
  ['matmul, 512x512 by 512x512', 'matmul', [512, 512], [512, 512]],
  ['matmul, 96x4096 by 4096x512', 'matmul', [96, 4096], [4096, 512]],
  ['conv2d 3x3, 32 to 64 channels, 8 of 32x32', 'conv2d', [8, 32, 32, 32], [3, 3, 32, 64]],
  ['conv2d 1x1, 256 to 64 channels, 8 of 28x28', 'conv2d', [8, 28, 28, 256], [1, 1, 256, 64]],
  ['gradients of conv2d 3x3, 32 to 32, 8 of 16x16', 'conv2dGradient', [8, 16, 16, 32], [3, 3, 32, 32]],
  ['maxPool2d 2x2, 32 of 32x32x64', 'maxPool2d', [32, 32, 32, 64]],
  ['add, 1000x1000 and 1000x1000', 'add', [1000, 1000], [1000, 1000]],
  ['add, 1000x1000 and a row', 'add', [1000, 1000], [1000]],
  ['relu, 1000x1000', 'relu', [1000, 1000]],
  ['tanh, 1000x1000', 'tanh', [1000, 1000]],
  ['sum of 1000x1000', 'sum', [1000, 1000]],
  ['sums of the rows of 1000x1000', 'sumRows', [1000, 1000]],
  ['softmax of the rows of 1000x1000', 'softmax', [1000, 1000]],
  ['transpose of 1000x1000', 'transpose', [1000, 1000]],
  ['concat of two 1000x500, by columns', 'concat', [1000, 500], [1000, 500]],
  ['gather 4096 of 10000 rows of 64', 'gather', [10_000, 64], [4096]],
  ['argmax of the rows of 1000x1000', 'argmax', [1000, 1000]],
  ['cumsum along the rows of 1000x1000', 'cumsum', [1000, 1000]],
  ['topK, 5 of each row of 1000x1000', 'topK', [1000, 1000]],
  ['a million normal numbers', 'normal', [1000, 1000]]
]

export const ops: Scenario = {
  name: 'ops',
  title: 'Single operations, float32',
  matrix: true,
  cases: ({ threads, tiny }) =>
    OPS.map(([title, op, ...shapes]): Case => ({
      title,
      unit: 'ms',
      task: { kind: 'op', op, shapes },
      contenders: [needletail(threads), plainPytorch(threads), ...tfjs(threads)],
      comparison: 'ratio',
      references: ['needletail'],
      rounds: tiny ? 2 : 4,
      perTurn: tiny ? 1 : 4
    }))
}
