// npm run gpu:endurance: what only a long or a crowded run shows on a GPU. 10,000 training steps with flat memory; the memory used up, and
// work that goes on; two trainings on one GPU that each give what one alone gives; a training killed by -9 and resumed that ends with the
// same bytes. Prints a line for each, and stops at the first that fails.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const nt = await import(new URL('../dist/index.js', import.meta.url).href)
// Internal: another device than the GPU, and fewer steps of less, for trials without one.
const device = process.env.NEEDLETAIL_TEST_DEVICE ?? 'cuda:0'
const isTrial = device !== 'cuda:0'
const MB = 2 ** 20
const say = (text) => console.log(`gpu:endurance on ${device}: ${text}`)
nt.device(device)

const [pictures, batchSize, epochs] = isTrial ? [64, 16, 2] : [9_600, 96, 5]

function network() {
  const { Conv2d, Dropout, Flatten, Linear, MaxPool2d, Sequential } = nt.nn
  return new Sequential(
    new Conv2d(32, 3, { padding: 'same', activation: 'relu' }),
    new MaxPool2d(2),
    new Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
    new MaxPool2d(2),
    new Flatten(),
    new Linear(512, { activation: 'relu' }),
    new Dropout(0.5),
    new Linear(2)
  )
}

/** A training in a process of its own: `folder` is where its runs go, or the run that it resumes. */
async function train(folder, isResumed) {
  const images = nt.random.integers([pictures, 32, 32, 3], 0, 256, { seed: 1, device: 'cpu' })
  const labels = await nt.random.integers([pictures], 0, 2, { seed: 2, device: 'cpu' }).data()
  const pixels = Uint8Array.from(await images.data())
  const set = nt.ImageDataset.from({ pixels, labels, shape: [32, 32, 3], classes: ['other', 'bird'] })
  await nt.fit(network(), set, {
    batchSize,
    epochs,
    seed: 3,
    compute: 'bfloat16',
    augment: { flip: 'horizontal', rotate: 25, blur: 3 },
    optimizer: new nt.optim.Adam(),
    saveEvery: 20,
    progress: false,
    callbacks: { onBatchEnd: ({ epoch, batch }) => void process.stdout.write(`${epoch}.${batch}\n`) },
    ...(isResumed ? { resume: folder } : { runs: folder })
  })
}

/** Runs `train` in a child; kills it with -9 once it has done the batch `killAt`. */
function child(folder, { isResumed = false, killAt } = {}) {
  const args = [fileURLToPath(import.meta.url), 'train', folder, ...(isResumed ? ['resume'] : [])]
  const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  process_.stdout.on('data', (data) => {
    text += data
    if (killAt !== undefined && text.includes(`${killAt}\n`)) process_.kill('SIGKILL')
  })
  return new Promise((done) => process_.on('close', (code, signal) => done(signal ?? code)))
}

const bytesOf = (run) =>
  createHash('sha256')
    .update(readFileSync(join(run, 'checkpoints/last.safetensors')))
    .digest('hex')

async function flatMemory() {
  const [net, optimizer] = [network(), new nt.optim.Adam()]
  const [x, y] = [nt.random.uniform([batchSize, 32, 32, 3]), nt.random.integers([batchSize], 0, 2)]
  const lossOf = () => nt.crossEntropy(net.forward(x), y)
  const compiled = nt.compile(() => {
    const loss = lossOf()
    optimizer.minimize(loss, net)
    return loss
  })
  const eager = () =>
    nt.tidy(() => {
      const loss = lossOf()
      optimizer.minimize(loss, net)
      return loss
    })
  for (const [name, step, steps] of [
    ['compiled', compiled, isTrial ? 20 : 10_000],
    ['eager', eager, isTrial ? 10 : 2_000]
  ]) {
    let start
    for (let i = 0; i < steps; i++) {
      const loss = step()
      if (i % 100 === 99 || i === 4) await loss.item()
      loss.dispose()
      if (i !== 4) continue
      nt.resetPeakMemory()
      start = nt.memory()
    }
    await nt.synchronize()
    const end = nt.memory()
    assert(end.tensors <= start.tensors, `${end.tensors} tensors, ${start.tensors} at the start`)
    assert(end.peakBytes - start.bytes < 256 * MB, `${(end.peakBytes - start.bytes) / MB} MB more at the peak`)
    assert(end.bytes <= start.bytes + MB, `${(end.bytes - start.bytes) / MB} MB more at the end`)
    const inUse = [start.bytes, end.bytes, end.peakBytes].map((bytes) => `${(bytes / MB).toFixed(1)} MB`)
    say(`${steps} ${name} steps: ${inUse[0]} in use after five, ${inUse[1]} at the end, ${inUse[2]} at the peak`)
  }
}

async function outOfMemory() {
  const before = nt.memory().limitBytes
  if (isTrial) nt.setMemoryLimit(nt.memory().reservedBytes + 64 * MB) // a GPU's memory has an end of its own
  const kept = []
  const size = isTrial ? 4 * MB : 1024 * MB
  let message
  try {
    for (;;) kept.push(nt.zeros([size / 4]))
  } catch (error) {
    assert.equal(error.code, 'ERR_MEMORY', error.message)
    message = error.message
  }
  const held = kept.length
  for (const tensor of kept.splice(0)) tensor.dispose()
  const sum = nt.tidy(() => nt.ones([size / 4]).sum())
  assert.equal(await sum.item(), size / 4)
  nt.setMemoryLimit(before)
  say(`${held} tensors of ${size / MB} MB, then: ${message}`)
}

async function crowded(folder) {
  const runs = ['alone', 'left', 'right'].map((name) => join(folder, name))
  assert.equal(await child(runs[0]), 0)
  assert.deepEqual(await Promise.all(runs.slice(1).map((run) => child(run))), [0, 0])
  const [alone, ...others] = runs.map((run) => bytesOf(join(run, 'run-001')))
  assert.deepEqual(others, [alone, alone])
  say(`two trainings at once: the same weights to the bit as one alone`)
  return alone
}

async function killed(folder, whole) {
  const [runs, run] = [join(folder, 'killed'), join(folder, 'killed/run-001')]
  const kills = isTrial ? ['1.3', '2.2'] : ['1.7', '2.50', '3.99', '5.60']
  for (const [i, killAt] of kills.entries()) {
    assert.equal(await child(i ? run : runs, { isResumed: i > 0, killAt }), 'SIGKILL')
    assert(existsSync(run))
  }
  assert.equal(await child(run, { isResumed: true }), 0)
  assert.equal(bytesOf(run), whole)
  say(`killed by -9 ${kills.length} times and resumed: the same weights to the bit`)
}

const [, , command, folder, resume] = process.argv
if (command === 'train') await train(folder, resume === 'resume')
else {
  const scratch = mkdtempSync(join(tmpdir(), 'needletail-endurance-'))
  try {
    await killed(scratch, await crowded(scratch))
    await flatMemory()
    await outOfMemory() // last: this process keeps what it has had
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
