// How the CUDA backend finds NVIDIA's libraries and driver, and what it says of those that are missing: the real code
// (native/cuda/libraries.cc) in a small program, over made-up folders with made-up libraries.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../support/temporary.js'

interface Found {
  name: string
  found: string | null
  path: string | null
  looked: string[]
  mend: string | null
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const fixture = (name: string) => join(root, 'test/fixtures/cuda', name)
const compiler = process.env.CXX ?? 'g++'

describe("NVIDIA's libraries", () => {
  const at = temporaryFolder()
  const compile = (...options: string[]) => execFileSync(compiler, options, { stdio: 'pipe' })
  /** A made-up library: its file, its soname and the macros of fake-library.cc. */
  function fake(file: string, soname: string, macros: Record<string, number>): string {
    const defines = Object.entries(macros).map(([name, value]) => `-D${name}=${value}`)
    compile('-shared', '-fPIC', `-Wl,-soname,${soname}`, ...defines, fixture('fake-library.cc'), '-o', at(file))
    return at(file)
  }
  function put(file: string, to: string): string {
    mkdirSync(dirname(at(to)), { recursive: true })
    copyFileSync(file, at(to))
    return at(to)
  }
  /** What is reported, and the errors for the first GPU and for the libraries, in an environment of nothing but `env`. */
  function look(env: Record<string, string>): { report: Record<string, Found>; gpu: string; libraries: string } {
    const { stdout, status, stderr } = spawnSync(at('package/program'), {
      env: { PATH: '/nowhere', ...env },
      encoding: 'utf8'
    })
    assert.equal(status, 0, stderr)
    const [report, gpu, libraries] = stdout.split('\n--\n')
    const entries = (JSON.parse(report!) as Found[]).map((entry) => [entry.name, entry] as const)
    return { report: Object.fromEntries(entries), gpu: gpu!, libraries: libraries! }
  }

  let cudnn = ''
  before(() => {
    mkdirSync(at('package'))
    const sources = [fixture('libraries.cc'), join(root, 'native/cuda/libraries.cc')]
    compile('-std=c++20', `-I${join(root, 'native')}`, ...sources, '-ldl', '-o', at('package/program'))
    cudnn = fake('cudnn', 'libcudnn.so.9', { VERSION: 92400, CUDART: 13000 })
    fake('cublas', 'libcublasLt.so.13', { VERSION: 130101, CUDART: 13000 })
    fake('nvrtc', 'libnvrtc.so.13', { VERSION: 130000, CUDART: 13000 })
  })

  it('are taken from the first place that has them', () => {
    const wheel = 'lib/python3.12/site-packages/nvidia/cudnn/lib/libcudnn.so.9'
    const env: Record<string, string> = {
      NEEDLETAIL_CUDNN: at('named'),
      LD_PRELOAD: at('loaded/libcudnn.so.9'),
      VIRTUAL_ENV: at('venv'),
      PATH: at('python/bin'),
      HOME: at('home'),
      CONDA_PREFIX: at('conda'),
      LD_LIBRARY_PATH: at('loader'),
      CUDA_PATH: at('cuda')
    }
    put('/bin/true', 'python/bin/python3')
    const places = [
      put(cudnn, 'named/libcudnn.so.9'),
      put(cudnn, 'loaded/libcudnn.so.9'),
      put(cudnn, 'package/libcudnn.so.9'),
      put(cudnn, 'package/nvidia/cudnn/lib/libcudnn.so.9'),
      put(cudnn, 'cuda/nvidia/cudnn/lib/libcudnn.so.9'),
      put(cudnn, `venv/${wheel}`),
      put(cudnn, `python/${wheel}`),
      put(cudnn, `home/.local/${wheel}`),
      put(cudnn, 'conda/lib/libcudnn.so.9'),
      put(cudnn, `conda/${wheel}`),
      put(cudnn, 'loader/libcudnn.so.9'),
      put(cudnn, 'cuda/lib64/libcudnn.so.9')
    ]
    for (const [i, place] of places.entries()) {
      const { found, path, looked } = look(env).report.cuDNN!
      assert.equal(found, '9.24.0')
      assert.equal(path!.replace('/package/../', '/'), place)
      assert.equal(looked.length > 0, i > 0, looked.join('\n'))
      rmSync(place)
      if (i === 0) delete env.NEEDLETAIL_CUDNN
      if (i === 1) delete env.LD_PRELOAD
    }
  })

  it('are told with every place that was looked at, and the command that mends it', () => {
    const { report, libraries } = look({
      NEEDLETAIL_NVRTC: at('nvrtc'),
      NEEDLETAIL_CUBLASLT: at('cublas'),
      NEEDLETAIL_CUDNN: at('nothing'),
      VIRTUAL_ENV: at('venv')
    })
    assert.equal(report.NVRTC!.found, '13.0')
    assert.equal(report.NVRTC!.path, at('nvrtc'))
    assert.equal(report.cuBLASLt!.found, '13.1.1')
    assert.equal(report.cuBLASLt!.mend, null)
    assert.equal(report.cuDNN!.found, null)
    assert.match(report.cuDNN!.mend!, /^pip install nvidia-cudnn-cu13==[\d.]+, or set NEEDLETAIL_CUDNN /)
    assert.equal(report.cuDNN!.looked.length, 1)
    assert.match(
      libraries,
      /^device: expected cuDNN 9\.8 or newer for CUDA 13, got none\. pip install nvidia-cudnn-cu13==\S+, or set NEEDLETAIL_CUDNN to the library's file or folder\.\nLooked for libcudnn\.so\.9:\n {2}NEEDLETAIL_CUDNN: .*\/nothing: cannot open shared object file/
    )
    const none = look({
      NEEDLETAIL_NVRTC: at('nothing'),
      NEEDLETAIL_CUBLASLT: at('nothing'),
      NEEDLETAIL_CUDNN: at('nothing')
    })
    assert.match(none.libraries, /^device: expected cuDNN .*, cuBLASLt of CUDA 13, NVRTC of CUDA 13, got none\./)
    assert.match(
      none.libraries,
      / pip install nvidia-cudnn-cu13==\S+ nvidia-cublas==\S+ nvidia-cuda-nvrtc==\S+, or set /
    )
    const { looked } = look({ VIRTUAL_ENV: at('venv'), CONDA_PREFIX: 'relative' }).report.NVRTC!
    const places = looked.map((line) => line.replaceAll(dirname(at('x')), ''))
    assert.deepEqual(places.slice(0, 8), [
      'NEEDLETAIL_NVRTC: not set',
      'loaded already: no',
      'beside the package: /package/libnvrtc.so.13: not there',
      'beside the package: /package/nvidia/cu13/lib/libnvrtc.so.13: not there',
      'beside the package: /package/../cuda/nvidia/cu13/lib/libnvrtc.so.13: not there',
      'VIRTUAL_ENV: /venv/lib*/python3*/*-packages/nvidia/cu13/lib/libnvrtc.so.13: not there',
      "the user's Python packages: not set",
      'CONDA_PREFIX: not set'
    ])
  })

  it('are refused where they are the wrong ones', () => {
    writeFileSync(at('text'), 'no library')
    const relative = 'libcudnn.so.9'
    for (const [file, what] of [
      [fake('old', 'libcudnn.so.9', { VERSION: 90100, CUDART: 13000 }), '9.1.0, too old'],
      [fake('cuda12', 'libcudnn.so.9', { VERSION: 92400, CUDART: 12090 }), '9.24.0, built for CUDA 12'],
      [fake('another', 'libcudnn.so.9', {}), 'not cuDNN'],
      [at('text'), 'file too short'],
      [relative, 'not an absolute path']
    ] as const) {
      const { report } = look({ NEEDLETAIL_CUDNN: file })
      assert.equal(report.cuDNN!.found, null)
      assert.equal(report.cuDNN!.looked.length, 1)
      assert.ok(report.cuDNN!.looked[0]!.startsWith(`NEEDLETAIL_CUDNN: ${file}`), report.cuDNN!.looked[0])
      assert.ok(report.cuDNN!.looked[0]!.endsWith(what), report.cuDNN!.looked[0])
    }
    // An old one is passed over where a good one follows.
    put(at('old'), 'package/libcudnn.so.9')
    put(cudnn, 'package/nvidia/cudnn/lib/libcudnn.so.9')
    assert.equal(look({}).report.cuDNN!.path, at('package/nvidia/cudnn/lib/libcudnn.so.9'))
  })

  it('need a driver and a GPU for CUDA 13', () => {
    const cases: [Record<string, number>, string | null, string | null, RegExp][] = [
      [{ DRIVER: 13000, GPUS: 1, CAPABILITY: 90 }, 'CUDA 13.0', 'GPU 0 (9.0)', /^fine$/],
      [{ DRIVER: 13010, GPUS: 2, CAPABILITY: 75 }, 'CUDA 13.1', 'GPU 0 (7.5), GPU 1 (7.5)', /^fine$/],
      [
        { DRIVER: 12040, GPUS: 1, CAPABILITY: 90 },
        'CUDA 12.4',
        'GPU 0 (9.0)',
        /^device: expected a driver for CUDA 13, got .*CUDA 12\.4\. Install NVIDIA's driver 580 or newer\.$/
      ],
      [
        { DRIVER: 13000, GPUS: 1, CAPABILITY: 70 },
        'CUDA 13.0',
        'GPU 0 (7.0)',
        /^device: expected a GPU for cuda:0, got GPU 0 \(7\.0\)\. CUDA 13 needs a GPU of the generation Turing /
      ],
      [
        { DRIVER: 13000, GPUS: 0, CAPABILITY: 0 },
        'CUDA 13.0',
        null,
        /^device: expected a GPU for cuda:0, got 0 GPUs\. The driver says: no CUDA-capable device is detected\.$/
      ]
    ]
    mkdirSync(at('driver'))
    for (const [macros, driver, gpus, error] of cases) {
      fake('driver/libcuda.so.1', 'libcuda.so.1', macros)
      const { report, gpu } = look({ LD_LIBRARY_PATH: at('driver') })
      assert.ok(report.driver!.found!.endsWith(driver!), report.driver!.found!)
      assert.equal(report.driver!.path, at('driver/libcuda.so.1'))
      assert.equal(report.driver!.mend === null, macros.DRIVER! >= 13000)
      assert.equal(report.GPU!.found, gpus)
      assert.equal(report.GPU!.mend === null, macros.CAPABILITY! >= 75)
      assert.match(gpu, error)
    }
  })
})
