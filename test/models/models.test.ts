// The networks of the literature: their sizes, shapes, first weights, and that they learn.
import { deepStrictEqual, ok, strictEqual, throws } from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { models, nn, optim } from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'

/** The same network with weights of 0, which are made faster than drawn ones. */
function withoutDrawing(network: nt.nn.Module): nt.nn.Module {
  const change = (value: nt.nn.ConfigValue): nt.nn.ConfigValue => {
    if (Array.isArray(value)) return value.map(change)
    if (typeof value !== 'object' || value === null) return value
    const { type, arguments: args } = value as nt.nn.ModuleConfig
    if (type !== 'Conv2d' && type !== 'Linear') {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, change(item)]))
    }
    const options = args.find((arg) => typeof arg === 'object' && !Array.isArray(arg))
    const sizes = args.filter((arg) => arg !== options)
    return { type, arguments: [...sizes, { ...(options as object), initializer: 'zeros' }] }
  }
  return nn.fromConfig(change(nn.toConfig(network)!))
}

interface Row {
  make: () => nt.nn.Sequential
  input: number[]
  parameters: number
  /** The results of some modules, by name. */
  results: Record<string, string>
}

const rows: Record<string, Row> = {
  alexnet: {
    make: () => models.alexnet(),
    input: [1, 224, 224, 3],
    parameters: 61_100_840,
    results: {
      'features.0': '[1, 55, 55, 64]',
      'features.1': '[1, 27, 27, 64]',
      'features.3': '[1, 13, 13, 192]',
      features: '[1, 6, 6, 256]',
      flatten: '[1, 9216]',
      classifier: '[1, 1000]'
    }
  },
  vgg16: {
    make: () => models.vgg16(),
    input: [1, 32, 32, 3],
    parameters: 138_357_544,
    results: {
      'features.1': '[1, 32, 32, 64]',
      'features.2': '[1, 16, 16, 64]',
      features: '[1, 1, 1, 512]',
      pool: '[1, 7, 7, 512]',
      classifier: '[1, 1000]'
    }
  },
  resnet18: {
    make: () => models.resnet18(),
    input: [1, 32, 32, 3],
    parameters: 11_689_512,
    results: {
      conv1: '[1, 16, 16, 64]',
      layer1: '[1, 8, 8, 64]',
      'layer2.0': '[1, 4, 4, 128]',
      layer3: '[1, 2, 2, 256]',
      layer4: '[1, 1, 1, 512]',
      fc: '[1, 1000]'
    }
  },
  resnet50: {
    make: () => models.resnet50(),
    input: [1, 32, 32, 3],
    parameters: 25_557_032,
    results: {
      layer1: '[1, 8, 8, 256]',
      'layer2.0.body.conv1': '[1, 8, 8, 128]',
      'layer2.0.body.conv2': '[1, 4, 4, 128]',
      layer2: '[1, 4, 4, 512]',
      layer4: '[1, 1, 1, 2048]',
      fc: '[1, 1000]'
    }
  },
  // torchvision's with 10 classes, less 64 * 3 * (7 * 7 - 3 * 3) weights of the stem.
  'resnet18 for small pictures': {
    make: () => models.resnet18({ stem: 'small', classes: 10 }),
    input: [2, 16, 16, 3],
    parameters: 11_689_512 - 990 * 513 - 64 * 3 * 40,
    results: { relu: '[2, 16, 16, 64]', layer1: '[2, 16, 16, 64]', layer4: '[2, 2, 2, 512]', fc: '[2, 10]' }
  },
  lenet: {
    make: () => models.lenet(),
    input: [1, 28, 28, 1],
    parameters: 61_706,
    results: { '1': '[1, 14, 14, 6]', '3': '[1, 5, 5, 16]', '4': '[1, 400]', '7': '[1, 10]' }
  }
}

onEachDevice('models', () => {
  for (const [name, { make, input, parameters, results }] of Object.entries(rows)) {
    it(`${name} has the sizes of its paper, and comes back from its config`, () => {
      const network = make()
      const config = nn.toConfig(network)
      deepStrictEqual(nn.toConfig(nn.fromConfig(JSON.parse(JSON.stringify(config)))), config)
      nt.tidy(() => {
        const light = withoutDrawing(network)
        const table = new Map(
          light
            .summary(input)
            .split('\n')
            .map((line) => [line.split(' ')[0]!, line])
        )
        for (const [module, shape] of Object.entries(results)) {
          ok(table.get(module)?.includes(` ${shape}`), `${module}: ${table.get(module)}, not ${shape}`)
        }
        strictEqual(light.parameterCount, parameters)
        for (const tensor of [...light.parameters(), ...light.namedBuffers().values()]) tensor.dispose()
      })
    })
  }

  const deviation = async (tensor: nt.Tensor) => {
    const values = await tensor.data()
    return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length)
  }

  it('begin with the first weights that torchvision gives them', async () => {
    nt.random.seed(1)
    const near = async (tensor: nt.Tensor, wanted: number) => {
      const got = await deviation(tensor)
      ok(Math.abs(got - wanted) <= 0.05 * wanted, `a deviation of ${got}, not ${wanted}`)
    }
    const resnet = models.resnet({ blocks: [1, 1], width: 32, classes: 500 }).build([1, 32, 32, 3])
    const named = resnet.namedParameters()
    await near(named.get('conv1.weight')!, Math.sqrt(2 / (32 * 49)))
    await near(named.get('layer2.0.shortcut.0.weight')!, Math.sqrt(2 / 64))
    await near(named.get('fc.weight')!, 1 / Math.sqrt(3 * 64))
    const vgg = models.vgg16({ classes: 700 })
    const at = (part: string, i: number) => (vgg.get(part) as nt.nn.Sequential)[i]
    const [conv, head] = [at('features', 3) as nt.nn.Conv2d, at('classifier', 4) as nt.nn.Linear]
    conv.prepare([64])
    head.prepare([50])
    await near(conv.weight, Math.sqrt(2 / (128 * 9)))
    await near(head.weight, 0.01)
    for (const { bias } of [conv, head]) strictEqual(await deviation(bias!), 0)
  })

  const learners: Record<string, [nt.nn.Module, number[], optim.Optimizer]> = {
    alexnet: [models.alexnet({ classes: 2, dropout: 0 }), [2, 63, 63, 3], new optim.SGD({ learningRate: 0.1 })],
    lenet: [models.lenet(), [2, 28, 28, 1], new optim.Adam()],
    'a residual network': [
      models.resnet({ blocks: [1, 1], width: 4, stem: 'small', classes: 2 }),
      [2, 12, 12, 3],
      new optim.Adam()
    ],
    'one of bottlenecks': [
      models.resnet({ blocks: [1, 1], bottleneck: true, width: 4, classes: 2 }),
      [2, 24, 24, 3],
      new optim.Adam()
    ]
  }
  for (const [name, [network, shape, optimizer]] of Object.entries(learners)) {
    it(`${name} learns`, async () => {
      nt.random.seed(2)
      const [x, labels] = [nt.random.normal(shape, { seed: 3 }), nt.tensor(new Int32Array([0, 1]))]
      const losses: number[] = []
      for (let i = 0; i < 2; i++) {
        const loss = nt.crossEntropy(network.forward(x), labels)
        if (i === 0) optimizer.minimize(loss, network)
        losses.push(await loss.item())
      }
      ok(losses[1]! < losses[0]!, losses.join(', '))
    })
  }

  const refused: [string, () => unknown, RegExp][] = [
    ['no classes', () => models.alexnet({ classes: 0 }), /^alexnet: expected classes from 1, got 0/],
    ['a mistyped option', () => models.vgg16({ drop: 0.5 } as never), /^vgg16: expected options of .*got 'drop'/],
    ['all dropped out', () => models.vgg16({ dropout: 1 }), /^vgg16: expected dropout in \[0, 1\), got 1/],
    ['another stem', () => models.resnet18({ stem: 'tiny' as never }), /a stem of 'large', 'small', got 'tiny'/],
    ['a width of none', () => models.resnet50({ width: 0 }), /width from 1, got 0/],
    ['no blocks', () => models.resnet({} as never), /^resnet: expected blocks as an array of numbers, got undefined/],
    ['a stage of none', () => models.resnet({ blocks: [1, 0] }), /blocks from 1, got 0/],
    ['no options', () => models.lenet(null as never), /^lenet: expected an object of options, got null/]
  ]
  for (const [name, call, message] of refused) it(`refuse ${name}`, () => throws(call, { message }))
})
