// The yardstick: C++ programs that are hard-wired to the bird network, from the folder that NEEDLETAIL_YARDSTICK names or from
// ../shared/cpu/floor. They warm up and time themselves, so one measurement is one program's own median.
//   yardstick.ts own|onednn THREADS
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { root } from '../harness/contestant.js'
import { serve, type Prepared } from '../harness/serve.js'
import type { Task } from '../harness/protocol.js'
import { channels, parameterCount, side } from '../network.js'

const [kind, threads] = process.argv.slice(2) as ['own' | 'onednn', string]
const sources = process.env.NEEDLETAIL_YARDSTICK ?? resolve(root, '../shared/cpu/floor')
const folder = resolve(root, 'out/yardstick')
const pictureCount = 960

// oneDNN 2.6, as the addon's own build has fetched it, or else the system's.
function onednn(): string[] {
  const wheel = resolve(root, 'deps/onednn-wheel2')
  if (!existsSync(wheel)) return ['-ldnnl']
  const library = readdirSync(`${wheel}/lib`).find((name) => name.startsWith('libdnnl.so'))!
  return [`-I${wheel}/include`, `-L${wheel}/lib`, `-Wl,-rpath,${wheel}/lib`, `-l:${library}`]
}

function build(name: string, source: string, defines: readonly string[]): string {
  const [program, from] = [resolve(folder, name), resolve(sources, source)]
  if (!existsSync(from)) throw new Error('sources not there')
  if (existsSync(program) && statSync(program).mtimeMs > statSync(from).mtimeMs) return program
  mkdirSync(folder, { recursive: true })
  const flags = ['-O3', '-march=native', '-std=c++17', '-fopenmp', '-w', ...defines]
  const { status } = spawnSync('g++', [...flags, from, '-o', program, ...onednn()], { stdio: 'ignore' })
  if (status !== 0) throw new Error('does not build on this machine: needs g++, AVX-512 and oneDNN 2.6')
  return program
}

// Pictures, labels and weights as the programs want them: only their shapes matter to the time.
function writeInputs(): void {
  const bytes = (n: number, f: () => number): Uint8Array => Uint8Array.from({ length: n }, f)
  const gaussian = (): number =>
    0.02 * Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
  writeFileSync(
    `${folder}/images.u8`,
    bytes(pictureCount * side * side * channels, () => Math.random() * 256)
  )
  writeFileSync(
    `${folder}/labels.u8`,
    bytes(pictureCount, () => Math.random() * 2)
  )
  writeFileSync(`${folder}/init.f32`, Float32Array.from({ length: parameterCount }, gaussian))
}

function programFor(task: Task): { program: string; args: string[] } {
  const half = 'precision' in task && task.precision === 'bfloat16'
  const own = (name: string, defines: readonly string[]) => ({
    program: build(half ? `${name}-bf16` : name, 'own.cc', half ? [...defines, '-DBF=1'] : defines),
    args: []
  })
  if (task.kind === 'train' && task.batch === 96) {
    return kind === 'own'
      ? own('own-train', [`-DCH=${half ? 2 : 3}`])
      : { program: build('onednn-train', 'onednn.cc', []), args: [] }
  }
  if (task.kind === 'infer' && [1, 32, 256].includes(task.batch)) {
    return kind === 'own'
      ? own(`own-infer-${task.batch}`, [`-DNN=${task.batch}`, `-DCH=${task.batch === 1 ? 1 : 2}`])
      : { program: build('onednn-infer', 'inference.cc', []), args: [String(task.batch), '0', '1'] }
  }
  throw new Error('made for batches of 96 (training), 1, 32 and 256 (inference)')
}

function prepare(task: Task): Prepared {
  const { program, args } = programFor(task)
  if (!existsSync(`${folder}/init.f32`)) writeInputs()
  const env = { ...process.env, OMP_NUM_THREADS: threads, OMP_PROC_BIND: 'true' }
  const once = (): Promise<number> =>
    new Promise((done, fail) => {
      execFile(program, args, { cwd: folder, env }, (error, output) => {
        const found = /median ([\d.]+)/.exec(output)
        if (error || !found) fail(new Error(`did not run to its end: ${error?.signal ?? error?.code ?? 'no median'}`))
        else done(Number(found[1]))
      })
    })
  // However many measurements are asked for: the program makes its own.
  return {
    version: 'C++',
    note: kind === 'own' ? 'Winograd' : 'oneDNN 2.6, Winograd',
    elsewhere: true,
    run: async () => [await once()]
  }
}

await serve(prepare)
