// A run folder that is read: by hand in the form that fit writes, and in every form it must refuse.
import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import { join } from 'node:path'
import sharp from 'sharp'
import * as nt from '../../lib/index.js'
import { load, nn, type Tensor } from '../../lib/index.js'
import {
  CLASSES,
  colourNetwork,
  config,
  identity,
  LAYOUT,
  state,
  writeRun as writeRunAt
} from '../support/run-folder.js'
import { temporaryFolder } from '../support/temporary.js'
import { onEachDevice } from '../support/devices.js'

onEachDevice('load and predict', () => {
  const path = temporaryFolder()

  const writeRun = (name: string, ...content: [changes?: object | string, last?: Record<string, Tensor<nt.DType>>]) =>
    writeRunAt(path(name), ...content)

  /** A photo of one colour. */
  const plain = (red: number, green: number, blue: number, width = 60, height = 40) =>
    sharp({ create: { width, height, channels: 3, background: { r: red, g: green, b: blue } } })
  const pixels = Uint8Array.from({ length: 72 }, (_, i) => (37 * i) % 256)

  describe('a run', () => {
    let run: nt.Predictor
    before(async () => {
      run = await load(await writeRun('colours'))
    })

    it('has classes, shape, normalisation and the network in the mode for use', () => {
      deepStrictEqual([run.classes, run.inputShape, run.positive], [CLASSES, [4, 6, 3], 'red'])
      deepStrictEqual(run.normalize, config.normalize)
      strictEqual(run.network.training, false)
      strictEqual(run.folder, path('colours'))
    })

    it('tells label, its probability and those of all classes', async () => {
      const { label, probability, probabilities } = await run.predict(await plain(0, 255, 51).png().toBuffer())
      // (value / 255 - 0.5) / 0.25: logits -2, 2 and -1.2
      const weights = [-2, 2, -1.2].map(Math.exp)
      const total = weights.reduce((a, b) => a + b)
      strictEqual(label, 'green')
      strictEqual(probability, probabilities['green'])
      deepStrictEqual(Object.keys(probabilities), CLASSES)
      CLASSES.forEach((name, i) => ok(Math.abs(probabilities[name]! - weights[i]! / total) < 1e-6))
    })

    it('gives the same for a path, bytes, and pixels as bytes or floats', async () => {
      const image = sharp(pixels, { raw: { width: 6, height: 4, channels: 3 } })
      await image.png().toFile(path('photo.png'))
      const bytes = new Uint8Array(await image.png().toBuffer())
      const tensor = nt.tensor(pixels, [4, 6, 3])
      const floats = tensor.astype('float32').div(255)
      const [wanted, ...others] = await run.predict([path('photo.png'), bytes, Buffer.from(bytes), tensor])
      for (const other of others) deepStrictEqual(other, wanted)
      strictEqual((await run.predict(floats)).probability.toFixed(5), wanted!.probability.toFixed(5))
      const half = await run.predict(floats.astype('float16'))
      ok(Math.abs(half.probability - wanted!.probability) < 1e-3)
      deepStrictEqual(await run.predict(tensor), wanted)
    })

    it('brings pixels of any size to its own as it does with photos', async () => {
      const large = Uint8Array.from({ length: 31 * 17 * 3 }, (_, i) => (i * i) % 251)
      const photo = await sharp(large, { raw: { width: 31, height: 17, channels: 3 } })
        .png()
        .toBuffer()
      const tensor = nt.tensor(large, [17, 31, 3])
      const [wanted, bytes, floats] = await run.predict([photo, tensor, tensor.astype('float32').div(255)])
      deepStrictEqual([bytes, floats], [wanted, wanted])
    })

    it('turns a photo as its EXIF data say', async () => {
      // Stored on its side: its left half is the upper half of what is shown.
      const left = await plain(0, 0, 255, 30, 40).png().toBuffer()
      const photo = await plain(255, 0, 0)
        .composite([{ input: left, left: 0, top: 0 }])
        .withMetadata({ orientation: 6 })
        .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
        .toBuffer()
      // Sees the colours of the upper half only.
      const weight = Float32Array.from({ length: 3 * 72 }, (_, i) =>
        i % 72 < 36 && i % 3 === Math.floor(i / 72) ? 1 : 0
      )
      const upper = new nn.Sequential(new nn.Flatten(), new nn.Linear(3, { inputs: 72, bias: false }))
      const weights = { 'network.1.weight': nt.tensor(weight, [3, 72]) }
      const folder = await writeRun('upper', { network: nn.toConfig(upper) }, weights)
      strictEqual((await (await load(folder)).predict(photo)).label, 'blue')
    })

    it('judges many photos, each as if it were alone', async () => {
      const photos = await Promise.all(
        Array.from({ length: 70 }, (_, i) =>
          plain(i, 2 * i, 70)
            .png()
            .toBuffer()
        )
      )
      const all = await run.predict(photos)
      deepStrictEqual([all.length, await run.predict([])], [70, []])
      for (const i of [0, 31, 32, 69]) {
        const one = await run.predict(photos[i]!)
        strictEqual(all[i]!.label, one.label)
        ok(Math.abs(all[i]!.probability - one.probability) < 1e-6)
      }
    })

    it('keeps nothing of what it was asked', async () => {
      const photo = nt.tensor(pixels, [4, 6, 3])
      await run.predict(photo)
      const before = nt.memory().tensors
      await run.predict([photo, photo.astype('float32').div(255)])
      global.gc!()
      ok(nt.memory().tensors <= before + 2, `${nt.memory().tensors} tensors, ${before} before`)
    })

    const wrong: [string, unknown, RegExp][] = [
      ['no photo', 7, /predict: expected a path, the bytes of a file, or a tensor .*, got 7/],
      ['nothing', undefined, /predict: expected a path, .*, got undefined/],
      ['a file that is not there', 'gone.jpg', /predict: expected a photo at gone\.jpg, got no such file/],
      ['bytes of no picture', new Uint8Array(9), /predict: expected a whole picture in the photo/],
      [
        'an array of channels',
        nt.zeros([4, 6, 4]),
        /predict: expected a photo \[height, width, 3\], got .*\[4, 6, 4\]/
      ],
      ['a batch', nt.zeros([1, 4, 6, 3]), /predict: expected a photo \[height, width, 3\], got .*\[1, 4, 6, 3\]/],
      ['an empty photo', nt.zeros([0, 6, 3]), /predict: expected a photo \[height, width, 3\], got .*\[0, 6, 3\]/],
      [
        'integers',
        nt.zeros([4, 6, 3], { dtype: 'int32' }),
        /predict: expected a photo of uint8 or floats, got .*int32/
      ],
      ['bytes as floats', nt.ones([4, 6, 3]).mul(255), /predict: expected floats from 0 to 1, got 255/],
      ['no numbers', nt.ones([4, 6, 3]).mul(NaN), /predict: expected floats from 0 to 1, got NaN/]
    ]
    for (const [what, photo, message] of wrong) {
      it(`refuses ${what}`, async () => {
        await rejects(async () => run.predict(photo as nt.Photo), message)
      })
    }
  })

  it('takes the average of the weights where there is one', async () => {
    const folder = await writeRun(
      'averaged',
      {},
      { ...state('network.', -1), ...state('average.weights.'), 'optimizer.step': nt.ones([1]) }
    )
    const { label } = await (await load(folder)).predict(await plain(255, 0, 0).png().toBuffer())
    strictEqual(label, 'red')
  })

  it('takes the last weights, and the best when asked', async () => {
    const folder = await writeRun('both')
    await nt.io.writeSafetensors(join(folder, 'checkpoints/best.safetensors'), state('network.', -1), LAYOUT)
    const photo = await plain(255, 255, 0).png().toBuffer()
    const least = async (weights?: 'last' | 'best') => {
      const { probabilities } = await (await load(folder, weights && { weights })).predict(photo)
      return [...CLASSES].sort((a, b) => probabilities[a]! - probabilities[b]!)[0]
    }
    deepStrictEqual([await least(), await least('last'), (await least('best')) !== 'blue'], ['blue', 'blue', true])
  })

  it('puts the weights into a network of a class of your own', async () => {
    class Mine extends nn.Module {
      head = new nn.Linear(3)
      forward = (x: Tensor): Tensor => this.head.forward(x.mean([1, 2]))
    }
    const folder = await writeRun(
      'mine',
      { network: null, networkClass: 'Mine' },
      {
        'network.head.weight': identity(),
        'network.head.bias': nt.zeros([3])
      }
    )
    const mine = new Mine()
    const run = await load(folder, { network: mine })
    strictEqual(run.network, mine)
    strictEqual((await run.predict(nt.tensor([[[0, 0, 1]]]))).label, 'blue')
    await rejects(
      load(folder),
      /load: expected \{ network \} for the Mine of .*config\.json, got none\. .*new Mine\(\)/
    )
  })

  it('reads grey photos for a network of one channel, and does without normalisation', async () => {
    const grey = new nn.Sequential(new nn.Flatten(), new nn.Linear(2, { inputs: 1 }))
    const changes = {
      network: nn.toConfig(grey),
      inputShape: [1, 1, 1],
      classes: ['dark', 'light'],
      positive: null,
      normalize: null
    }
    const weights = { 'network.1.weight': nt.tensor([[-1], [1]]), 'network.1.bias': nt.tensor([0.5, -0.5]) }
    const run = await load(await writeRun('grey', changes, weights))
    const photos = [await plain(250, 250, 250).png().toBuffer(), nt.tensor([[[10]]], { dtype: 'uint8' })]
    deepStrictEqual(
      (await run.predict(photos)).map(({ label }) => label),
      ['light', 'dark']
    )
  })

  it('tells what the network gives where it does not fit the classes', async () => {
    const run = await load(await writeRun('classes', { classes: ['one', 'two'], positive: null }))
    await rejects(run.predict(nt.zeros([4, 6, 3])), /predict: expected \[1, 2\] from the network.*got \[1, 3\]/)
  })

  const deep = (levels: number): object =>
    levels === 0 ? config.network! : { type: 'Sequential', arguments: [deep(levels - 1)] }

  it('reads deeply nested networks', async () => {
    const names = Object.entries(state('')).map(
      ([name, tensor]) => [`network.${'0.'.repeat(20)}${name}`, tensor] as const
    )
    await load(await writeRun('deep', { network: deep(20) }, Object.fromEntries(names)))
  })

  describe('refuses', () => {
    const cases: [string, object | string, RegExp][] = [
      ['no JSON', '{"format": 1,}', /load: expected JSON in .*config\.json, got a string at character 13/],
      ['a name twice', '{"format": 1, "format": 1}', /a name that is not there yet/],
      ['a list', '[]', /load: expected an object in .*, got \[\]/],
      ['a later format', { format: 2 }, /load: expected the number 1 as format in .*, got 2/],
      ['no shape', { inputShape: undefined }, /expected \[height, width, channels\] as inputShape in .*, got none/],
      ['a shape of two', { inputShape: [32, 32] }, /as inputShape in .*, got \[32,32\]/],
      ['a shape of halves', { inputShape: [0.5, 6, 3] }, /as inputShape/],
      ['a huge shape', { inputShape: [1e12, 6, 3] }, /as inputShape/],
      ['no classes', { classes: [] }, /as classes/],
      ['a class twice', { classes: ['red', 'red', 'blue'] }, /as classes/],
      ['classes as numbers', { classes: [1, 2, 3] }, /as classes/],
      ['a positive class that is none', { positive: 'yellow' }, /as positive in .*, got "yellow"/],
      ['normalisation of two channels', { normalize: { mean: [0, 0], std: [1, 1] } }, /as normalize/],
      ['a deviation of 0', { normalize: { mean: [0, 0, 0], std: [1, 1, 0] } }, /as normalize/],
      ['text as normalisation', { normalize: 'yes' }, /as normalize/],
      [
        'a network of an unknown type',
        { network: { type: 'Evil', arguments: [] } },
        /load: expected a network in .*Evil/
      ],
      ['a network from a prototype', { network: { type: 'constructor', arguments: [] } }, /expected a network in/],
      ['a network as text', { network: 'Sequential' }, /an object or null as network/],
      ['a recipe without a name', { recipe: { task: 'birds', options: {} } }, /as recipe/],
      ['a network that is too deep', { network: deep(80) }, /load: expected JSON in .*levels/]
    ]
    for (const [what, changes, message] of cases) {
      it(what, async () => {
        await rejects(load(await writeRun(what, changes)), message)
      })
    }

    it('members named __proto__ change nothing', async () => {
      const text = JSON.stringify(config).replace('"training":{', '"training":{"__proto__":{"polluted":true},')
      const run = await load(await writeRun('proto', text))
      strictEqual(({} as { polluted?: boolean }).polluted, undefined)
      ok(run)
    })

    it('a folder without a run, weights that are missing, and what else is no argument', async () => {
      await rejects(
        load(path('nowhere')),
        /load: expected a run folder with config\.json at '.*nowhere', got ENOENT\. A run is/
      )
      const folder = await writeRun('without best')
      await rejects(
        load(folder, { weights: 'best' }),
        /load: expected weights at .*best\.safetensors, got none\. Only runs/
      )
      await rejects(
        load(folder, { weights: 'first' as 'last' }),
        /load: expected weights of 'last', 'best', got 'first'/
      )
      await rejects(load(7 as any), /load: expected the path of a run folder, got 7/)
      await rejects(load(folder, { network: {} as any }), /load: expected a module as network/)
      await rejects(
        load(folder, { weight: 'best' } as any),
        /load: expected options of network, weights, device, got 'weight'\. Did you mean 'weights'/
      )
    })

    it('weights that do not fit', async () => {
      const folder = await writeRun('unfit', {}, { 'network.1.weight': nt.zeros([3, 4]) })
      const given = colourNetwork()
      const before = await given.parameters()[0]!.data()
      await rejects(
        load(folder, { network: given }),
        /1 missing: network\.1\.bias; 1 of another shape: network\.1\.weight/
      )
      deepStrictEqual(await given.parameters()[0]!.data(), before)
    })
  })
})
