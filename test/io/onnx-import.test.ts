// ONNX files of others: the cases of ONNX's own test suite, networks of the literature beside onnxruntime, and files that mean harm.
import { deepStrictEqual, ok, rejects, strictEqual, throws } from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MessageInitShape } from '@bufbuild/protobuf'
import * as ort from 'onnxruntime-node'
import * as nt from '../../lib/index.js'
import { nn, type Tensor } from '../../lib/index.js'
import { create, onnx, toBinary } from '../../lib/io/protobuf/messages.js'
import { onEachDevice } from '../support/devices.js'
import { needsPython, python } from '../support/python.js'
import { temporaryFolder } from '../support/temporary.js'

type Model = MessageInitShape<typeof onnx.ModelProtoSchema>
type Init<T> = T extends { $typeName: string } ? never : T
type Graph = Init<MessageInitShape<typeof onnx.GraphProtoSchema>>
type Node = Init<MessageInitShape<typeof onnx.NodeProtoSchema>>
type Initializer = Init<MessageInitShape<typeof onnx.TensorProtoSchema>>

const node = (opType: string, input: string[], output: string[], attribute: Node['attribute'] = []): Node => ({ opType, input, output, attribute, name: '' }) // prettier-ignore
const int = (name: string, i: number) => ({ name, type: 2, i: BigInt(i) })
const floats = (name: string, dims: number[], floatData: number[], more: Initializer = {}): Initializer => ({ name, dataType: 1, dims: dims.map(BigInt), floatData, ...more }) // prettier-ignore
const whole = (name: string, values: number[], dims = [values.length]): Initializer => ({ name, dataType: 7, dims: dims.map(BigInt), int64Data: values.map(BigInt) }) // prettier-ignore

/** A file of the graph y = nodes(x). */
function encode(graph: Graph, more: Model = {}): Uint8Array {
  const model = { irVersion: 8n, opsetImport: [{ domain: '', version: 17n }], ...more }
  const whole = { input: [{ name: 'x' }], output: [{ name: 'y' }], ...graph }
  return toBinary(onnx.ModelProtoSchema, create(onnx.ModelProtoSchema, { ...model, graph: whole } as Model))
}

describe('importOnnx', function () {
  this.timeout(180_000)
  const path = temporaryFolder()
  const write = (name: string, bytes: Uint8Array): string => (writeFileSync(path(name), bytes), path(name))
  const load = (graph: Graph, more?: Model) => nt.importOnnx(write('a.onnx', encode(graph, more)))

  describe("ONNX's own cases", () => {
    needsPython()

    /** What is said not to be known: three axes, dilated or computed windows, and so on. */
    const refusals = [
      /expected windows over one or two axes/,
      /expected auto_pad NOTSET, VALID or SAME_UPPER of .*, got SAME_LOWER/,
      /expected ceil_mode without count_include_pad/,
      /expected dilations of 1/,
      /expected attributes that are understood of .*, got 'output_shape'/,
      /expected a padding of 'valid', a number or numbers, got 'same'/,
      /expected pads of all axes/,
      /expected Dropout .* in use, got in training/,
      /expected the exact Gelu/,
      /expected noop_with_empty_axes 0/,
      /expected tensors of rank 2 or more/,
      /expected floats or whole numbers for .*, got data type 1[23]/,
      /PRelu number 1/ // slopes that aren't of a shape that the operator allows
    ]

    interface Case {
      name: string
      path: string
      input: number[]
      shape: number[]
      wanted: number[]
      output: number[]
    }
    let suite: { cases: Case[]; networks: string[] }

    before(async () => {
      mkdirSync(path('cases'))
      const { OPERATORS } = await import('../../lib/io/onnx/operators.js')
      const operators = [...OPERATORS.keys(), 'Constant', 'Identity']
      suite = (await python('io/onnx-cases.py', [path('cases'), ...operators])) as typeof suite
    })

    it('give what they should, or say what is not known', async () => {
      const wrong: string[] = []
      let right = 0
      for (const { name, path, input, shape, wanted, output } of suite.cases) {
        try {
          const network = await nt.importOnnx(path)
          const given = nt.tensor(Float32Array.from(input), shape)
          const result = nt.noGrad(() => network.forward(shape.length === 4 ? given.permute([0, 2, 3, 1]) : given))
          const got = result.rank === 4 ? result.permute([0, 3, 1, 2]) : result
          const values = await got.data()
          const largest = Math.max(1, ...wanted.map(Math.abs))
          const off = Math.max(0, ...wanted.map((value, i) => Math.abs(value - values[i]!)))
          if (String(got.shape) !== String(output) || !(off <= 1e-4 * largest)) wrong.push(`${name}: off by ${off}`)
          else right++
        } catch (error) {
          const { message } = error as Error
          if (!refusals.some((pattern) => pattern.test(message))) wrong.push(`${name}: ${message}`)
        }
      }
      deepStrictEqual(wrong, [])
      ok(right >= 400, `${right} of ${suite.cases.length}`)
    })

    for (const name of ['squeezenet', 'shufflenet', 'densenet121', 'inception_v1']) {
      it(`${name}, as onnxruntime has it`, async () => {
        const file = suite.networks.find((network) => basename(network) === `light_${name}.onnx`)!
        const x = nt.random.normal([1, 224, 224, 3], { seed: 1 })
        const network = await nt.importOnnx(file)
        const result = nt.noGrad(() => network.forward(x))
        const session = await ort.InferenceSession.create(file, {
          graphOptimizationLevel: 'disabled',
          logSeverityLevel: 3
        })
        const given = new ort.Tensor('float32', await x.permute([0, 3, 1, 2]).data(), [1, 3, 224, 224])
        const output = (await session.run({ [session.inputNames[0]!]: given }))[session.outputNames[0]!]!
        const got = result.rank === 4 ? result.permute([0, 3, 1, 2]) : result
        deepStrictEqual(got.shape, [...output.dims])
        const off = await got.sub(nt.tensor(output.data as Float32Array, [...output.dims])).abs().max().item() // prettier-ignore
        ok(off < 1e-4, `off by ${off}`)
        await session.release()
      })
    }
  })

  onEachDevice('a network from a file', () => {
    for (const exporter of ['export', 'script']) {
      it(`that PyTorch's torch.onnx wrote (${exporter}) gives what it gives there`, async () => {
        const golden = new URL('./golden/', import.meta.url)
        const { x, y } = JSON.parse(readFileSync(new URL('pytorch.json', golden), 'utf8')) as Record<string, number[]>
        const network = await nt.importOnnx(fileURLToPath(new URL(`pytorch-${exporter}.onnx`, golden)))
        const result = nt.noGrad(() => network.forward(nt.tensor(x!, [2, 3, 19, 17]).permute([0, 2, 3, 1])))
        ok(
          (await result
            .sub(nt.tensor(y!, [2, 10]))
            .abs()
            .max()
            .item()) < 1e-5
        )
      })
    }

    it('is a module: parameters, save, load, compile, gradients', async () => {
      const body = new nn.Sequential(new nn.Conv2d(4, 3, { padding: 1, activation: 'relu' }), new nn.BatchNorm(), new nn.GlobalAvgPool2d(), new nn.Linear(2)) // prettier-ignore
      body.build([1, 6, 5, 3])
      await nt.exportOnnx(body, [1, 6, 5, 3], path('body.onnx'), { metadata: { classes: '["a","b"]' } })
      const network = await nt.importOnnx(path('body.onnx'))
      strictEqual(network.metadata.get('classes'), '["a","b"]')
      strictEqual(network.training, false)
      deepStrictEqual([...network.namedParameters().keys()], ['0.weight', '0.bias', '1.weight', '1.bias', '3.weight', '3.bias']) // prettier-ignore
      deepStrictEqual([...network.namedBuffers().keys()], ['1.runningMean', '1.runningVariance'])
      strictEqual(network.parameterCount, body.parameterCount)

      const x = nt.random.normal([2, 6, 5, 3], { seed: 2 })
      const wanted = nt.noGrad(() => body.eval().forward(x))
      const compiled = nt.compile((images: Tensor) => network.forward(images))
      for (let i = 0; i < 3; i++) ok((await compiled(x).sub(wanted).abs().max().item()) < 1e-5)
      const optimizer = new nt.optim.SGD({ learningRate: 0.1 })
      const loss = () => nt.crossEntropy(network.forward(x), nt.tensor([0, 1], { dtype: 'int32' }))
      const before = await loss().item()
      optimizer.minimize(loss(), network)
      ok((await loss().item()) < before)

      await network.save(path('body.safetensors'))
      const again = await (await nt.importOnnx(path('body.onnx'))).load(path('body.safetensors'))
      ok((await again.forward(x).equal(network.forward(x)).all().item()) === 1)
    })

    it('computes shapes of shapes, as PyTorch writes a view', async () => {
      const network = await load({
        node: [
          node('Shape', ['x'], ['s']),
          node('Constant', [], ['zero'], [{ name: 'value', type: 4, t: whole('', [0], []) }]),
          node('Gather', ['s', 'zero'], ['n'], [int('axis', 0)]),
          node('Unsqueeze', ['n', 'axes'], ['ns']),
          node('Concat', ['ns', 'rest'], ['sizes'], [int('axis', 0)]),
          node('Reshape', ['x', 'sizes'], ['y'])
        ],
        initializer: [whole('axes', [0]), whole('rest', [-1])]
      })
      const x = nt.arange(2 * 3 * 2 * 2).reshape([2, 3, 2, 2])
      const y = network.forward(x.permute([0, 2, 3, 1]))
      deepStrictEqual(await y.array(), await x.reshape([2, 12]).array())
    })
  })

  it('takes images in either order of the file', async () => {
    const network = new nn.Sequential(new nn.Conv2d(4, 3), new nn.MaxPool2d(2)).build([1, 8, 6, 3])
    const x = nt.random.normal([2, 8, 6, 3], { seed: 1 })
    const wanted = network.forward(x)
    for (const layout of ['NCHW', 'NHWC'] as const) {
      await nt.exportOnnx(network, [1, 8, 6, 3], path('order.onnx'), { layout })
      for (const options of [{}, { layout }]) {
        const read = await nt.importOnnx(path('order.onnx'), options)
        ok((await read.forward(x).sub(wanted).abs().max().item()) < 1e-5)
      }
    }
  })

  describe('refuses', () => {
    const relu: Graph = { node: [node('Relu', ['x'], ['y'])] }
    const gemm = (weight: Initializer): Graph => ({ node: [node('Gemm', ['x', 'w'], ['y'])], initializer: [weight] })
    const dim = [
      { value: { case: 'dimParam' as const, value: 'n' } },
      { value: { case: 'dimValue' as const, value: 2n } }
    ]
    const told = { input: [{ name: 'x', type: { tensorType: { elemType: 1, shape: { dim } } } }] }
    const rows: [string, Graph, RegExp, Model?][] = [
      ['no graph', { node: [] }, /expected a graph with nodes in .*a\.onnx, got none/],
      [
        'an old opset',
        relu,
        /expected an opset from 7 to \d+ in .*, got 6/,
        { opsetImport: [{ domain: '', version: 6n }] }
      ],
      ['an opset of another domain alone', relu, /got 0/, { opsetImport: [{ domain: 'mine', version: 17n }] }],
      [
        'an unknown operator',
        { node: [node('Loop', ['x'], ['y'])] },
        /expected operators that are known in .*, got Loop number 1\. There are Abs, Add, /
      ],
      [
        'an operator of its own domain',
        { node: [{ ...node('Relu', ['x'], ['y']), domain: 'com.mine' }] },
        /got Relu number 1 of com\.mine/
      ],
      [
        'an unknown attribute',
        { node: [node('Relu', ['x'], ['y'], [int('alpha', 1)])] },
        /expected attributes that are understood of Relu number 1, got 'alpha'/
      ],
      [
        'a circle',
        { node: [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Relu', ['b'], ['y'])] },
        /expected b to be made before Add number 1/
      ],
      ['what makes itself', { node: [node('Relu', ['y'], ['y'])] }, /expected y to be made before Relu/],
      [
        'a result made twice',
        { node: [node('Relu', ['x'], ['y']), node('Relu', ['x'], ['y'])] },
        /expected one node that makes y/
      ],
      ['an output that nobody makes', { ...relu, output: [{ name: 'z' }] }, /expected a node that makes the output z/],
      [
        'two outputs',
        { ...relu, output: [{ name: 'y' }, { name: 'x' }] },
        /expected a network of one output in .*, got 2/
      ],
      [
        'values in another file',
        gemm(floats('w', [1, 1], [], { dataLocation: 1, externalData: [{ key: 'location', value: '/etc/passwd' }] })),
        /expected values within the file for w in .*, got a reference to another/
      ],
      [
        'values in another file, said by half',
        gemm(floats('w', [1, 1], [0], { externalData: [{ key: 'location', value: '../a' }] })),
        /expected values within the file/
      ],
      ['fewer values than told', gemm(floats('w', [2, 3], [1])), /expected 6 values \[2, 3\] for w in .*, got 1/],
      [
        'half a value',
        gemm(floats('w', [1, 1], [], { rawData: new Uint8Array(3) })),
        /expected 1 values \[1, 1\] for w in .*, got 0/
      ],
      ['sizes below 0', gemm(floats('w', [-1, -1], [1])), /expected at most 8 sizes for w/],
      ['huge sizes', gemm(floats('w', [2 ** 40, 2 ** 40], [1])), /for w in .*, got 1/],
      ['more axes than there can be', gemm(floats('w', Array<number>(9).fill(1), [1])), /expected at most 8 sizes/],
      [
        'text as weights',
        gemm({ ...floats('w', [1], []), dataType: 8 }),
        /expected floats or whole numbers for w in .*, got data type 8/
      ],
      [
        'weights that are computed',
        { node: [node('Relu', ['x'], ['w']), node('Conv', ['x', 'w'], ['y'])] },
        /expected floats in the file as input 2 of Conv number 2, got none/
      ],
      [
        'a huge constant of a few bytes',
        {
          node: [node('ConstantOfShape', ['s'], ['w']), node('Add', ['x', 'w'], ['y'])],
          initializer: [whole('s', [2 ** 20, 2 ** 20])]
        },
        /expected at most 268435456 values as ConstantOfShape/
      ]
    ]
    for (const [name, graph, pattern, more] of rows) {
      it(name, () => rejects(load(graph, more), (error: Error) => /^importOnnx: /.test(error.message) && pattern.test(error.message))) // prettier-ignore
    }

    it('inputs of another shape or number, and what is no tensor', async () => {
      const network = await load({ ...relu, ...told })
      throws(() => network.forward(nt.ones([3, 3])), /OnnxNetwork: expected \[n, 2\] as x, got \[3, 3\]/)
      throws(() => network.forward(), /OnnxNetwork: expected 1 inputs \(x\), got 0/)
      throws(() => network.forward(3 as never), /expected a tensor as x, got 3/)
      deepStrictEqual(network.forward(nt.ones([3, 2])).shape, [3, 2])
    })

    it('shapes that never end, when they are computed', async () => {
      const doubled = Array.from({ length: 40 }, (_, i) => node('Concat', [`s${i}`, `s${i}`], [`s${i + 1}`], [int('axis', 0)])) // prettier-ignore
      const network = await load({
        node: [node('Shape', ['x'], ['s0']), ...doubled, node('Reshape', ['x', 's40'], ['y'])]
      })
      throws(() => network.forward(nt.ones([2])), /expected at most 65536 sizes, got \d+\. This is at Concat/)
    })

    it('what is no ONNX file, no file, no path', async () => {
      await rejects(
        nt.importOnnx(write('text', Buffer.from('no ONNX file'))),
        /importOnnx: expected (an ONNX model|a graph)/
      )
      await rejects(nt.importOnnx(write('empty', new Uint8Array(0))), /expected a graph with nodes/)
      await rejects(nt.importOnnx(path('')), /expected a file|EISDIR/)
      await rejects(nt.importOnnx(path('none.onnx')), /ENOENT/)
      await rejects(nt.importOnnx(3 as never), /importOnnx: expected the path of a file, got 3/)
      await rejects(nt.importOnnx('a', { layout: 'CHW' } as never), /expected a layout|ENOENT/)
    })

    it('damaged files: cut off anywhere, or with any byte another, they are an error or another network', async () => {
      const network = new nn.Sequential(new nn.Conv2d(2, 3, { activation: 'relu' }), new nn.Flatten(), new nn.Linear(2))
      await nt.exportOnnx(network.build([1, 4, 4, 1]), [1, 4, 4, 1], path('whole.onnx'))
      const bytes = readFileSync(path('whole.onnx'))
      const x = nt.ones([1, 4, 4, 1])
      const places = await nt.random.integers([400], 0, bytes.length, { seed: 3 }).data()
      const values = await nt.random.integers([400], 0, 256, { seed: 4 }).data()
      for (const [i, place] of places.entries()) {
        const damaged = i % 4 === 0 ? bytes.subarray(0, place) : Buffer.from(bytes)
        if (i % 4 > 0) damaged[place] = values[i]!
        try {
          await (await nt.importOnnx(write('damaged.onnx', damaged))).forward(x).data()
        } catch (error) {
          ok(error instanceof Error && /expected/.test(error.message), String(error))
        }
      }
    })
  })
})
