// What other runtimes make of the networks that are written: onnxruntime gives our results, the onnx package finds nothing wrong.
import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import * as ort from 'onnxruntime-node'
import * as nt from '../../lib/index.js'
import { models, nn, type Tensor } from '../../lib/index.js'
import { needsPython, python } from '../support/python.js'
import { temporaryFolder } from '../support/temporary.js'

interface Case {
  network: () => nn.Module<any>
  input: number[]
  options?: nt.ExportOnnxOptions
  /** The number of nodes that exchange axes; 0 unless given. */
  transposes?: number
}

const image = [2, 7, 6, 4]
const of = (layer: () => nn.Module, input = image, transposes = 0): Case => ({ network: layer, input, transposes })
const tail = (...layers: nn.Module[]) => new nn.Sequential(new nn.Conv2d(4, 3, { padding: 1 }), ...layers)

const layers: Record<string, Case> = {
  'Conv2d': of(() => new nn.Conv2d(5, 3)), // prettier-ignore
  'Conv2d of every setting': of(() => new nn.Conv2d(6, [3, 2], { stride: [2, 1], padding: [[1, 0], [2, 1]], dilation: [1, 2], groups: 2, activation: 'relu' })), // prettier-ignore
  "Conv2d padding 'same'": of(() => new nn.Conv2d(3, [4, 3], { stride: [2, 3], padding: 'same', bias: false })),
  'Conv1d': of(() => new nn.Conv1d(5, 3, { padding: [2, 1], stride: 2 }), [2, 9, 4], 2), // prettier-ignore
  'ConvTranspose2d': of(() => new nn.ConvTranspose2d(6, [3, 2], { stride: [2, 3], padding: [1, 0], outputPadding: [1, 2], groups: 2 })), // prettier-ignore
  'Linear': of(() => new nn.Linear(3, { activation: 'tanh' }), [2, 7]), // prettier-ignore
  'Linear over pixels': of(() => new nn.Linear(3)),
  'Linear over the last of three axes': of(() => new nn.Linear(3), [2, 5, 4]),
  'Flatten and Linear': of(() => tail(new nn.Flatten(), new nn.ReLU(), new nn.Dropout(), new nn.Linear(3))),
  'Flatten alone': of(() => tail(new nn.Flatten()), image, 1),
  'Flatten of one pixel': of(() => tail(new nn.MaxPool2d([7, 6]), new nn.Flatten())),
  'Flatten from other axes': of(() => new nn.Sequential(new nn.Flatten(2), new nn.Flatten(0)), image, 1),
  'Flatten of images as they are': { ...of(() => new nn.Sequential(new nn.Flatten(), new nn.Linear(3))), options: { layout: 'NHWC' } }, // prettier-ignore
  'MaxPool2d': of(() => new nn.MaxPool2d([3, 2], { stride: [2, 1], padding: [1, 0] })), // prettier-ignore
  "MaxPool2d padding 'same'": of(() => new nn.MaxPool2d(3, { stride: 2, padding: 'same' })),
  'AvgPool2d': of(() => new nn.AvgPool2d(3, { stride: 2, padding: 1 })), // prettier-ignore
  'AvgPool2d that counts padding': of(() => new nn.AvgPool2d(3, { padding: 1, countPadding: true })),
  'MaxPool1d': of(() => new nn.MaxPool1d(3, { padding: 1 }), [2, 9, 4], 2), // prettier-ignore
  'AvgPool1d': of(() => new nn.AvgPool1d(3, { stride: 2 }), [2, 9, 4], 2), // prettier-ignore
  'GlobalAvgPool2d': of(() => new nn.GlobalAvgPool2d()), // prettier-ignore
  'GlobalMaxPool2d': of(() => new nn.GlobalMaxPool2d()), // prettier-ignore
  'AdaptiveAvgPool2d': of(() => new nn.AdaptiveAvgPool2d([7, 3])), // prettier-ignore
  'AdaptiveAvgPool2d of uneven windows': of(() => new nn.AdaptiveAvgPool2d([3, 4])),
  'AdaptiveAvgPool2d to more': of(() => new nn.AdaptiveAvgPool2d(9)),
  'AdaptiveMaxPool2d': of(() => new nn.AdaptiveMaxPool2d([7, 3])), // prettier-ignore
  'AdaptiveMaxPool2d of uneven windows': of(() => new nn.AdaptiveMaxPool2d([3, 4])),
  'BatchNorm': of(() => new nn.BatchNorm({ epsilon: 0.01 })), // prettier-ignore
  'BatchNorm without weights, of features': of(() => new nn.BatchNorm({ affine: false }), [2, 7]),
  'GroupNorm': of(() => new nn.GroupNorm(2)), // prettier-ignore
  'GroupNorm of features': of(() => new nn.GroupNorm(2, { affine: false }), [2, 8]),
  'InstanceNorm': of(() => new nn.InstanceNorm()), // prettier-ignore
  'LayerNorm': of(() => new nn.LayerNorm({ axes: 2 }), [2, 5, 4]), // prettier-ignore
  'LayerNorm over channels': of(() => new nn.LayerNorm({ affine: false }), image, 2),
  'RMSNorm': of(() => new nn.RMSNorm(), [2, 5, 4]), // prettier-ignore
  'Residual': of(() => new nn.Residual(new nn.Conv2d(4, 3, { padding: 1 }), new nn.Conv2d(4, 1), { activation: 'gelu' })), // prettier-ignore
  'Residual after Flatten': of(() => tail(new nn.Flatten(), new nn.Residual(new nn.ReLU()), new nn.Linear(2))),
  'Softmax': of(() => new nn.Softmax()), // prettier-ignore
  'Softmax over height': of(() => new nn.Softmax(1)),
  'LogSoftmax': of(() => tail(new nn.Flatten(), new nn.LogSoftmax()), image, 1), // prettier-ignore
  'Embedding': { ...of(() => new nn.Embedding(7, 3), [2, 5]), options: { dtype: 'int32' } }, // prettier-ignore
  'FlipAverage and ClassGroups': of(() => new nn.Sequential(new nn.FlipAverage(tail(new nn.Flatten(), new nn.Linear(5))), new nn.ClassGroups([0, 1, 0, 0, 1]))), // prettier-ignore
  'normalisation and softmax': { ...of(() => tail(new nn.GlobalAvgPool2d())), options: { normalize: { mean: [0.1, 0.2, 0.3, 0.4], std: [1, 2, 3, 4] }, softmax: true } } // prettier-ignore
}
const names = [...'ReLU GELU Sigmoid Tanh SiLU Softplus ReLU6 HardSigmoid HardSwish Mish SELU PReLU ELU LeakyReLU Identity'.split(' ')] as const // prettier-ignore
for (const name of names) layers[name] = of(() => new (nn as unknown as Record<string, new () => nn.Module>)[name]!())
const activations = 'relu gelu sigmoid tanh silu softplus elu leakyRelu relu6 hardSigmoid hardSwish mish selu'.split(
  ' '
)
for (const activation of activations) layers[`activation ${activation}`] = of(() => new nn.Linear(3, { activation: activation as nn.ActivationName }), [2, 4]) // prettier-ignore

const zoo: Record<string, Case> = {
  lenet: of(() => models.lenet(), [2, 28, 28, 1]),
  alexnet: of(() => models.alexnet({ classes: 10 }), [2, 96, 96, 3]),
  vgg16: of(() => models.vgg16({ classes: 10 }), [1, 64, 64, 3]),
  resnet18: of(() => models.resnet18(), [2, 64, 64, 3]),
  resnet50: of(() => models.resnet50(), [1, 64, 64, 3]),
  'resnet for small pictures': of(() => models.resnet({ blocks: [1, 1], width: 8, stem: 'small', classes: 10 }), [2, 32, 32, 3]) // prettier-ignore
}

/** Weights, biases and statistics that aren't what they are at first. */
function disturb(network: nn.Module): void {
  for (const [name, tensor] of network.variables('parameter')) {
    if (tensor.rank < 2)
      nt.noGrad(() => (tensor as Tensor).assign((tensor as Tensor).add(nt.random.normal(tensor.shape).mul(0.1))))
    ok(name)
  }
  for (const [, tensor] of network.variables('buffer'))
    (tensor as Tensor).assign(nt.random.uniform(tensor.shape, { low: 0.5, high: 1.5 }))
}

const isImage = (shape: readonly number[], { layout = 'NCHW' }: nt.ExportOnnxOptions = {}) =>
  shape.length === 4 && layout === 'NCHW'

async function runFile(path: string, x: Tensor<any>, options?: nt.ExportOnnxOptions) {
  const session = await ort.InferenceSession.create(path, {
    intraOpNumThreads: 2,
    logSeverityLevel: 3,
    graphOptimizationLevel: 'disabled'
  })
  const given = isImage(x.shape, options) ? x.permute([0, 3, 1, 2]) : x
  const { output } = await session.run({
    input: new ort.Tensor(given.dtype as 'float32', (await given.data()) as Float32Array, given.shape)
  })
  const result = nt.tensor(output!.data as Float32Array, [...output!.dims])
  await session.release()
  return isImage(result.shape, options) ? result.permute([0, 2, 3, 1]) : result
}

describe('exportOnnx', function () {
  this.timeout(120_000)
  const path = temporaryFolder()
  const files: string[] = []

  for (const [title, cases] of Object.entries({ layers, zoo })) {
    describe(title, () => {
      for (const [name, { network: make, input, options = {}, transposes = 0 }] of Object.entries(cases)) {
        it(name, async () => {
          nt.random.seed(1)
          const network = make() as nn.Module
          network.build(input, { dtype: options.dtype ?? 'float32' })
          disturb(network)
          const file = path(`${name.replaceAll(/\W+/g, '-')}.onnx`)
          await nt.exportOnnx(network, [1, ...input.slice(1)], file, options)
          files.push(file)
          const x = options.dtype ? nt.random.integers(input, 0, 7) : nt.random.normal(input)
          const { mean = [0], std = [1] } = options.normalize ?? {}
          const used = options.dtype ? x : (x as Tensor).sub(nt.tensor([...mean])).div(nt.tensor([...std]))
          const scores = nt.noGrad(() => network.eval().forward(used) as Tensor)
          const wanted = options.softmax ? scores.softmax(-1) : scores
          const got = await runFile(file, x, options)
          deepStrictEqual(got.shape, wanted.shape)
          const scale = Math.max(1, await wanted.abs().max().item())
          const off = await got.sub(wanted).abs().max().item()
          ok(off <= 1e-4 * scale, `off by ${off}`)
          const back = await nt.importOnnx(file)
          const again = nt.noGrad(() => back.forward(x))
          deepStrictEqual(again.shape, wanted.shape)
          const lost = await again.sub(wanted).abs().max().item()
          ok(lost <= 1e-4 * scale, `off by ${lost} after importOnnx`)
          const { nodes } = await contentOf(file)
          strictEqual(
            nodes.filter((type) => type === 'Transpose').length,
            transposes,
            `axes exchanged in ${nodes.join(' ')}`
          )
        })
      }
    })
  }

  describe('the onnx package', () => {
    needsPython()
    it('finds nothing wrong with any of these files', async () => {
      const problems = (await python('io/check-onnx.py', files)) as Record<string, string | null>
      deepStrictEqual(Object.entries(problems).filter(([, problem]) => problem !== null), []) // prettier-ignore
      strictEqual(Object.keys(problems).length, Object.keys({ ...layers, ...zoo }).length)
    })
  })

  it('states opset, producer, metadata and shapes; weights that stand in two places are there once', async () => {
    const shared = new nn.Conv2d(4, 3, { padding: 1 })
    const network = new nn.Sequential(shared, shared, new nn.GlobalAvgPool2d()).build(image)
    await nt.exportOnnx(network, image, path('told.onnx'), { metadata: { classes: '["bird"]' } })
    const { model, weights } = await contentOf(path('told.onnx'))
    deepStrictEqual(model.opsetImport.map(({ domain, version }) => [domain, version]), [['', 17n]]) // prettier-ignore
    strictEqual(model.producerName, 'needletail')
    const metadata = Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]))
    deepStrictEqual([metadata['classes'], metadata['layout']], ['["bird"]', 'NCHW'])
    deepStrictEqual(weights, ['0.weight', '0.bias'])
    const dims = model.graph!.input[0]!.type!.tensorType!.shape!.dim.map(({ value }) => value.value)
    deepStrictEqual(dims, ['n', 4n, 7n, 6n])
  })

  it('writes the weights as they are at the call, and leaves modes and tensors as they were', async () => {
    const network = new nn.Sequential(new nn.BatchNorm(), new nn.Linear(3)).build([1, 4])
    const x = nt.random.normal([5, 4], { seed: 1 })
    const wanted = nt.noGrad(() => network.eval().forward(x))
    network.train()
    const before = nt.memory().tensors
    const written = nt.exportOnnx(network, [1, 4], path('now.onnx'))
    nt.tidy(() => nt.noGrad(() => network.parameters().forEach((tensor) => tensor.assign(nt.zeros(tensor.shape)))))
    await written
    strictEqual(nt.memory().tensors, before)
    ok(network.training)
    const off = (await runFile(path('now.onnx'), x)).sub(wanted).abs().max()
    ok((await off.item()) < 1e-5)
  })

  it('says what it cannot write, and leaves no file', async () => {
    class Mine extends nn.Module {
      forward = (x: Tensor): Tensor => x
    }
    const refuses = (network: unknown, shape: unknown, pattern: RegExp, options?: unknown) =>
      rejects(nt.exportOnnx(network as nn.Module, shape as number[], path('no.onnx'), options as never), pattern)
    const linear = new nn.Linear(2, { inputs: 4 })
    await refuses(new nn.Sequential(new nn.Sequential({ own: new Mine() })), [1, 4], /exportOnnx: expected a layer of nn at 0\.own, got Mine\. Of a class/) // prettier-ignore
    await refuses(new nn.Linear(2), [1, 4], /expected layers that know their input size, got some without/)
    await refuses(new nn.Conv2d(2, 3, { inputs: 4 }), [1, 4], /expected an image/)
    await refuses({}, [1, 4], /expected a network/)
    await refuses(linear, 'x', /expected the shape of the input/)
    await refuses(linear, [1, 4], /expected a layout of 'NCHW', 'NHWC'/, { layout: 'HWC' })
    await refuses(linear, [1, 4], /Did you mean 'softmax'/, { sofmax: true })
    await refuses(linear, [1, 4], /expected mean and std of 4 channels to normalize, got 1 and 1/, { normalize: { mean: [0], std: [1] } }) // prettier-ignore
    await rejects(nt.exportOnnx(linear, [1, 4], path('no/such/folder.onnx')), /ENOENT/)
    ok(!existsSync(path('no.onnx')))
    deepStrictEqual(readdirSync(path('.')).filter((name) => name.endsWith('.tmp')), []) // prettier-ignore
  })
})

async function contentOf(path: string) {
  const { fromBinary, onnx } = await import('../../lib/io/protobuf/messages.js')
  const { readFile } = await import('node:fs/promises')
  const model = fromBinary(onnx.ModelProtoSchema, await readFile(path))
  const { node, initializer } = model.graph!
  return { model, nodes: node.map(({ opType }) => opType), weights: initializer.map(({ name }) => name) }
}
