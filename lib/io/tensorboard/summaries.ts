// What is shown, in the form that TensorBoard wants.
import type { MessageInitShape } from '@bufbuild/protobuf'
import { encodePng } from '../../data/photo.js'
import { expected } from '../../errors.js'
import { isFinite, scatterAdd, stack, where } from '../../functional.js'
import type { Scores } from '../../metrics/index.js'
import { keep, tidy, type FloatDType, type Tensor } from '../../tensor.js'
import type { Summary_ValueSchema } from '../protobuf/event_pb.js'

type Value = Exclude<MessageInitShape<typeof Summary_ValueSchema>, { $typeName: string }>

/** All of a value but its name. */
export type SummaryValue = Pick<Value, 'metadata' | 'value'>

/** TensorBoard's code for what an image's values are is the number of its channels. */
export async function imageSummary(op: string, image: Tensor<any>): Promise<SummaryValue> {
  const [height, width, channels] = image.shape
  if (image.rank !== 3 || ![1, 3, 4].includes(channels!) || image.size === 0) {
    throw expected(op, 'an image [height, width, channels] of 1, 3 or 4 channels', `[${image.shape.join(', ')}]`)
  }
  const pixels = image.dtype === 'uint8' ? image : tidy(() => image.mul(255).clip(0, 255).round().astype('uint8'))
  const bytes = await encodePng(op, (await pixels.data()) as Uint8Array, image.shape)
  if (pixels !== image) pixels.dispose()
  return {
    value: {
      case: 'image',
      value: { height: height!, width: width!, colorspace: channels!, encodedImageString: bytes }
    }
  }
}

const BINS = 30

/** Counted on the device, in bins of one width between the least and the largest; values that aren't finite are left out. */
export async function histogramSummary(values: Tensor<FloatDType>): Promise<SummaryValue> {
  if (values.size === 0) return { value: { case: 'histo', value: {} } }
  const counted = keep(
    tidy(() => {
      const all = values.detach().astype('float32').flatten(0)
      const finite = isFinite(all)
      const least = where(finite, all, Infinity).min()
      const largest = where(finite, all, -Infinity).max()
      const known = where(finite, all, 0)
      const width = largest.sub(least).div(BINS).maximum(1e-38)
      const bin = known
        .sub(least)
        .div(width)
        .clip(0, BINS - 1)
        .astype('int32')
      return {
        // What isn't finite gets a bin of its own.
        counts: scatterAdd(where(finite, bin, BINS), finite.astype('int32'), BINS + 1),
        facts: stack([least, largest, known.sum(), known.square().sum()])
      }
    })
  )
  const [counts, facts] = await Promise.all([counted.counts.data(), counted.facts.data()])
  for (const tensor of Object.values(counted)) tensor.dispose()
  const bucket = [...counts.subarray(0, BINS)]
  const num = bucket.reduce((sum, count) => sum + count, 0)
  const [min, max, sum, sumSquares] = num > 0 ? (facts as unknown as [number, number, number, number]) : [0, 0, 0, 0]
  // The last limit is the largest value itself: rounding might leave it beyond.
  const bucketLimit = bucket.map((_, i) => (i + 1 < BINS ? min + ((i + 1) * (max - min)) / BINS : max))
  return { value: { case: 'histo', value: { min, max, num, sum, sumSquares, bucketLimit, bucket } } }
}

/** As many as TensorBoard's own summaries have. */
const THRESHOLDS = 201
const FLOAT = 1

/** The counts and rates at thresholds from 0 to 1, row by row as the plugin `pr_curves` reads them. */
export async function prCurveSummary(scores: Scores): Promise<SummaryValue> {
  const points = await Promise.all(Array.from({ length: THRESHOLDS }, (_, i) => scores.at(i / (THRESHOLDS - 1))))
  const rows = [
    'truePositives',
    'falsePositives',
    'trueNegatives',
    'falseNegatives',
    'precision',
    'recall'
  ] as const satisfies (keyof (typeof points)[number])[]
  const values = Float32Array.from(rows.flatMap((row) => points.map((point) => point[row])))
  const { create, toBinary, tensorboard } = await import('../protobuf/messages.js')
  const { PrCurvePluginDataSchema: schema } = tensorboard
  const content = toBinary(schema, create(schema, { version: 0, numThresholds: THRESHOLDS }))
  return {
    metadata: { pluginData: { pluginName: 'pr_curves', content } },
    value: {
      case: 'tensor',
      value: {
        dtype: FLOAT,
        tensorShape: { dim: [rows.length, THRESHOLDS].map((size) => ({ size: BigInt(size) })) },
        tensorContent: new Uint8Array(values.buffer)
      }
    }
  }
}
