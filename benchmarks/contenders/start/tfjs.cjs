// The same as needletail.mjs, in TensorFlow.js: node start/tfjs.cjs node|wasm|cpu
const { createRequire } = require('node:module')
const { join } = require('node:path')

const peers = createRequire(join(process.env.NEEDLETAIL_PEERS ?? join(__dirname, '../..'), 'package.json'))
const backend = process.argv[2]

async function main() {
  const tf = peers(backend === 'node' ? '@tensorflow/tfjs-node' : '@tensorflow/tfjs')
  if (backend === 'wasm') peers('@tensorflow/tfjs-backend-wasm')
  if (backend !== 'node') await tf.setBackend(backend)
  await tf.ready()
  console.log(tf.add(tf.tensor1d([1]), tf.tensor1d([2])).dataSync()[0])
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
