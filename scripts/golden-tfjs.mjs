// What TensorFlow.js gives for its side of docs/from-tfjs.md: `node scripts/golden-tfjs.mjs FOLDER`, where FOLDER has had
// `npm install @tensorflow/tfjs@4.22.0`. The document's js blocks of inputs and weights are run, then each cell of its tables.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

const folder = process.argv[2]
if (!folder) throw new Error('golden-tfjs: expected a folder that has @tensorflow/tfjs in its node_modules, got none.')
const tf = createRequire(join(resolve(folder), 'package.json'))('@tensorflow/tfjs')
await tf.setBackend('cpu')

const root = resolve(import.meta.dirname, '..')
const document = readFileSync(join(root, 'docs/from-tfjs.md'), 'utf8')
const blocks = [...document.matchAll(/```js\n(const .*?)```/gs)].map(([, block]) => block)
const cells = [...document.matchAll(/^\| TensorFlow\.js \| needletail \| \|\n\|.*\n((?:\|.*\n)+)/gm)].flatMap(
  ([, rows]) => [...rows.matchAll(/^\| `([^`]+)`/gm)].map(([, cell]) => cell)
)
const program = `${blocks.join('\n')}\nreturn [${cells.map((cell) => `() => ${cell}`).join(',\n')}]`
const results = new Function('tf', program)(tf)
const golden = cells.map((cell, i) => {
  const result = results[i]()
  return JSON.stringify({ call: cell, shape: result.shape, values: [...result.dataSync()] })
})
writeFileSync(join(root, 'test/fixtures/from-tfjs.json'), `[\n${golden.join(',\n')}\n]\n`)
process.stdout.write(`${golden.length} calls of tfjs ${tf.version.tfjs}\n`)
