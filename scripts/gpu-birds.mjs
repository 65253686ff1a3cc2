// npm run gpu:birds -- --archives A.tar B.tar [needletail train's options]: the article's network and its 50 passes on a GPU, on CIFAR-10
// (from the data cache) and the bird pictures in these archives. Prints the command's figures, then one line of JSON with the seconds.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(fileURLToPath(new URL('..', import.meta.url)))
// Internal: another device than the GPU, for trials without one.
const device = process.env.NEEDLETAIL_TEST_DEVICE ?? 'cuda:0'
const options = ['--recipe', 'default', '--device', device, ...process.argv.slice(2)]

const begin = performance.now()
const child = spawn(process.execPath, [join(root, 'dist/cli.js'), 'train', 'birds', ...options], {
  stdio: ['inherit', 'pipe', 'pipe']
})
let [output, errors] = ['', '']
child.stdout.on('data', (text) => (process.stdout.write(text), (output += text)))
child.stderr.on('data', (text) => (process.stderr.write(text), (errors += text)))
const code = await new Promise((done) => child.on('close', done))
if (code !== 0) process.exit(code ?? 1)
const seconds = (performance.now() - begin) / 1000
const [, run] = /^run: (.+)$/m.exec(errors)
const [, accuracy, precision, recall] = /^accuracy (\S+) precision (\S+) recall (\S+)$/m.exec(output).map(Number)
const [header, ...epochs] = readFileSync(join(run, 'metrics.csv'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => line.split(','))
const column = header.indexOf('seconds')
const training = epochs.map((row) => Number(row[column]))
const { gpu, device: used } = JSON.parse(readFileSync(join(run, 'environment.json'), 'utf8'))
console.log(
  JSON.stringify({
    device: used,
    gpu,
    epochs: epochs.length,
    seconds,
    trainingSeconds: training.reduce((sum, value) => sum + value, 0),
    secondsOfAnEpoch: training.sort((a, b) => a - b)[Math.floor(training.length / 2)],
    accuracy,
    precision,
    recall
  })
)
