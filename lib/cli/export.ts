// `needletail export RUN FILE.onnx`: a run's network for other runtimes.
import { exportOnnx, load, type ExportOnnxOptions, type WeightsOf } from '../index.js'
import { print, UsageError } from './output.js'

export interface ExportOptions {
  weights?: WeightsOf
  layout?: ExportOnnxOptions['layout']
}

/** Writes the network with its normalisation and a softmax: pixels from 0 to 1 go in, the probabilities of the classes come out. */
export async function exportRun(
  folder: string,
  path: string,
  { weights, layout = 'NCHW' }: ExportOptions
): Promise<void> {
  if (!path.endsWith('.onnx')) throw new UsageError(`export: expected the name of an .onnx file, got ${path}.`)
  const { network, inputShape, classes, normalize } = await load(folder, { weights, device: 'cpu' })
  await exportOnnx(network, [1, ...inputShape], path, {
    layout,
    normalize,
    softmax: true,
    metadata: { classes: JSON.stringify(classes) }
  })
  const [height, width, channels] = inputShape
  const sizes = layout === 'NCHW' ? [channels, height, width] : inputShape
  print(
    `${path}: input float32 [n, ${sizes.join(', ')}], pixels from 0 to 1; output float32 [n, ${classes.length}], probabilities`
  )
}
