import { deepStrictEqual, match, strictEqual } from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { gpuFindings } from '../../lib/cli/doctor.js'
import * as nt from '../../lib/index.js'
import { needletail } from '../support/command.js'
import { temporaryFolder } from '../support/temporary.js'

describe('needletail doctor and datasets', () => {
  const path = temporaryFolder()

  it('finds everything in order', async () => {
    const { code, stdout, stderr } = await needletail(['doctor'], { env: { NEEDLETAIL_CACHE: path('cache') } })
    deepStrictEqual([code, stderr], [0, ''], stdout)
    const { addon, oneDNN, isa, threads } = nt.environment()
    const found = new Map(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => {
          const [, name, text] = /^ok {5,}(\S+(?: \S+)*) {2,}(.+)$/.exec(line) ?? []
          return [name ?? line, text ?? '']
        })
    )
    const wanted: [string, RegExp][] = [
      ['Node.js', new RegExp(`^${process.version} on ${process.platform}-${process.arch}$`)],
      ['addon', new RegExp(`^${addon}$`)],
      ['oneDNN', new RegExp(`^${oneDNN}$`)],
      ['processor', new RegExp(`kernels for ${isa}`)],
      ['threads', new RegExp(`^${threads}$`)],
      ['arithmetic', /^\[1, 2\] times \[3, 4\] is 11$/],
      ['CUDA backend', /libneedletail_cuda\.so/],
      ['memory', /^tensors may take [\d.]+ GB of [\d.]+ GB$/],
      ['data cache', /cache \(NEEDLETAIL_CACHE\), to be made, [\d.]+ GB of room$/],
      ['container', /(no limit|GB|cores); \d+ cores for this process$/],
      ['sharp', /^[\d.]+ with libvips [\d.]+$/]
    ]
    for (const [name, text] of wanted) match(found.get(name) ?? 'not printed', text, name)
  })

  it('tells what is wrong and what mends it', async () => {
    // The cache folder would have to be made within a file.
    writeFileSync(path('file'), '')
    const { code, stdout, stderr } = await needletail(['doctor'], { env: { NEEDLETAIL_CACHE: path('file/cache') } })
    deepStrictEqual([code, stderr], [1, ''])
    match(stdout, /^problem {2}data cache .*\n +mend it: export NEEDLETAIL_CACHE=/m)
    strictEqual(stdout.match(/^problem/gm)!.length, 1)
  })

  it('asks for all that a GPU needs where there is one, and for nothing where there is none', () => {
    const missing = { name: 'cuDNN', found: null, path: null, looked: ['VIRTUAL_ENV: not set'], mend: 'pip install x' }
    const gpu = { name: 'GPU', found: 'NVIDIA H200 (9.0)', path: null, looked: [], mend: null }
    const driver = { name: 'driver', found: '580.159.03', path: '/usr/lib/libcuda.so.1', looked: [], mend: null }
    const mends = (there: boolean, hasGpu: boolean, report: nt.GpuFinding[]) =>
      gpuFindings('/lib.so', there, hasGpu, report).map(({ mend }) => mend)
    const none = undefined
    deepStrictEqual(mends(false, false, []), [none])
    deepStrictEqual(mends(false, true, []), ['scripts/cuda'])
    deepStrictEqual(mends(true, false, [{ ...driver, found: null, mend: 'a driver' }, missing]), [none, none, none])
    deepStrictEqual(mends(true, true, [{ ...driver, found: null, mend: 'a driver' }]), [none, 'a driver'])
    deepStrictEqual(mends(true, false, [driver, gpu, missing]), [none, none, none, 'pip install x'])
    deepStrictEqual(
      gpuFindings('/lib.so', true, true, [driver, gpu, missing]).map(({ found }) => found),
      [
        '/lib.so, for GPUs from the generation Turing (sm_75) on, with drivers from 580 on',
        '580.159.03 at /usr/lib/libcuda.so.1',
        'NVIDIA H200 (9.0)',
        'none; looked at VIRTUAL_ENV: not set'
      ]
    )
  })

  it('tells what is wrong with an addon that does not load', async () => {
    const { code, stdout } = await needletail(['doctor'], { env: { NEEDLETAIL_PREBUILD: path('') } })
    strictEqual(code, 1)
    match(stdout, /^problem {2}addon .*expected an addon for .*\n +mend it: npm rebuild needletail/m)
    match(stdout, /^ok .*sharp/m)
  })

  it('lists the data sets and where they are', async () => {
    mkdirSync(path('sets/mnist-1'), { recursive: true })
    const { code, stdout, stderr } = await needletail(['datasets'], { env: { NEEDLETAIL_CACHE: path('sets') } })
    deepStrictEqual([code, stderr], [0, ''])
    match(stdout, /^mnist +60,000 +10,000 +28x28x1 +10 +.*mnist-1$/m)
    match(stdout, /^cifar10 +50,000 +10,000 +32x32x3 +10 +-$/m)
    match(stdout, /^birds +50,000 +10,000 +32x32x3 +2 +-$/m)
  })

  it('fetches a set: one that is there stays', async () => {
    const { code, stdout } = await needletail(['datasets', 'fetch', 'mnist'])
    deepStrictEqual([code, /^mnist: .*mnist-1\n$/.test(stdout)], [0, true])
    const wrong = await needletail(['datasets', 'fetch', 'mnits'])
    deepStrictEqual([wrong.code, wrong.stdout], [2, ''])
    match(wrong.stderr, /got 'mnits'\. Did you mean 'mnist'\?\n$/)
  })
})
