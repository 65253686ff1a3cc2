// Networks as ONNX files, for other runtimes.
import type { Statistics } from '../../data/dataset.js'
import { checkIntegers, checkOptions, checkWord, expected, quoted } from '../../errors.js'
import { Module } from '../../nn/module.js'
import { BUILD_HINT } from '../../nn/names.js'
import { version } from '../version.js'
import { writeModel } from './file.js'
import { Graph, type Value } from './graph.js'
import { writeModule } from './layers.js'
import { DATA_TYPES, IR_VERSION, OPSET } from './types.js'

/** What is written beside the network, and how images lie. */
export interface ExportOnnxOptions {
  /** The order of the axes of images that go in or come out: 'NCHW', as ONNX has it, unless given; or 'NHWC'. */
  layout?: 'NCHW' | 'NHWC' | undefined
  /** The dtype of the input: 'float32' unless given; 'int32' or 'int64' for networks that begin with an `Embedding`. */
  dtype?: 'float32' | 'int32' | 'int64' | undefined
  /** Statistics by which the file's network normalises its input itself: it then takes pixels from 0 to 1. */
  normalize?: Statistics | undefined
  /** Whether a softmax follows: probabilities come out instead of scores; false unless given. */
  softmax?: boolean | undefined
  /** Texts to keep in the file's metadata, e.g. the names of the classes. */
  metadata?: Readonly<Record<string, string>> | undefined
}

const OP = 'exportOnnx'
const TYPES = { float32: DATA_TYPES.FLOAT, int32: DATA_TYPES.INT32, int64: DATA_TYPES.INT64 }

/**
 * Writes what a network does in use to the ONNX file `path` (opset 17), which appears complete or not at all: its input is called
 * 'input' and its output 'output', the size of the batch is free, weights are float32.
 *
 *     await nt.exportOnnx(network, [1, 32, 32, 3], 'birds.onnx')     // takes float32 [n, 3, 32, 32]
 *
 * Every layer of nn can be written; images are [n, channels, height, width] in the file, and no axes are exchanged between layers
 * that have images.
 * @param inputShape the shape of the network's input, with the batch axis, as `build` takes it
 * @throws where a module is of a class of your own, or a layer's weights are yet to be made
 */
export async function exportOnnx(
  network: Module,
  inputShape: readonly number[],
  path: string,
  options: ExportOnnxOptions = {}
): Promise<void> {
  if (!(network instanceof Module)) throw expected(OP, 'a network: a Module', quoted(network))
  checkIntegers(OP, 'the shape of the input', inputShape, 1)
  if (typeof path !== 'string' || path === '') throw expected(OP, 'the path of a file', quoted(path))
  checkOptions(OP, options, ['layout', 'dtype', 'normalize', 'softmax', 'metadata'])
  const { normalize, softmax = false, metadata = {} } = options
  const layout = checkWord(OP, 'a layout', options.layout ?? 'NCHW', ['NCHW', 'NHWC'] as const)
  const dtype = checkWord(OP, 'a dtype', options.dtype ?? 'float32', ['float32', 'int32', 'int64'] as const)
  if (!network.built) throw expected(OP, 'layers that know their input size', 'some without', BUILD_HINT)

  const graph = new Graph()
  const isImage = (value: Pick<Value, 'shape'>) => value.shape.length === 4 && layout === 'NCHW'
  const input: Value = {
    name: graph.unique('input'),
    shape: inputShape,
    layout: isImage({ shape: inputShape }) ? 'first' : 'ours'
  }
  graph.unique('output')
  const scores = writeModule(graph, '', network, normalize ? normalized(graph, input, normalize) : input)
  const wanted = isImage(scores) ? graph.first(scores) : graph.ours(scores)
  const last = softmax ? graph.node('Softmax', [wanted], { axis: graph.axisOf(wanted, -1) }) : wanted
  graph.nodes.push({ name: 'output', opType: 'Identity', input: [last.name], output: ['output'] })

  const own = { needletail: version, layout }
  await writeModel(
    path,
    {
      irVersion: BigInt(IR_VERSION),
      producerName: 'needletail',
      producerVersion: version,
      opsetImport: [{ domain: '', version: BigInt(OPSET) }],
      metadataProps: Object.entries({ ...metadata, ...own }).map(([key, value]) => ({ key, value }))
    },
    {
      name: network.constructor.name,
      node: graph.nodes,
      input: [info(input, TYPES[dtype])],
      output: [info({ ...last, name: 'output' }, DATA_TYPES.FLOAT)]
    },
    graph.tensors
  )
}

/** What takes the mean from each channel and divides it by the deviation. */
function normalized(graph: Graph, x: Value, { mean, std }: Statistics): Value {
  const channels = x.shape.at(-1)!
  if (mean.length !== channels || std.length !== channels) {
    throw expected(OP, `mean and std of ${channels} channels to normalize`, `${mean.length} and ${std.length}`)
  }
  const sizes = x.layout === 'first' ? [channels, ...x.shape.slice(2).map(() => 1)] : [channels]
  const [less, by] = [mean, std].map((values) => graph.constant(Float32Array.from(values), sizes))
  return graph.node('Div', [graph.node('Sub', [x, less!], {}), by!], {})
}

function info({ name, shape, layout }: Value, elemType: number) {
  const sizes = layout === 'first' ? [shape[0]!, shape.at(-1)!, ...shape.slice(1, -1)] : shape
  const dim = sizes.map((size, axis) =>
    axis === 0
      ? { value: { case: 'dimParam' as const, value: 'n' } }
      : { value: { case: 'dimValue' as const, value: BigInt(size) } }
  )
  return { name, type: { tensorType: { elemType, shape: { dim } } } }
}
