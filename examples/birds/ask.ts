// Asks the network that train.ts trained about photos of any size and format: `scripts/is-it-a-bird photo.jpg ...` runs this.
import * as nt from 'needletail'
import sharp from 'sharp'
import { birdNetwork, SIDE, WEIGHTS } from './network.js'

const photos = process.argv.slice(2)
if (photos.length === 0) fail('is-it-a-bird: expected photos, got none. Usage: scripts/is-it-a-bird photo.jpg ...')

const { metadata } = await nt.io.readSafetensors(WEIGHTS).catch(() => {
  return fail(`is-it-a-bird: expected weights in ${WEIGHTS}, got none. Run scripts/birds first.`)
})
const classes = JSON.parse(metadata.get('classes')!) as string[]
const normalize = JSON.parse(metadata.get('normalize')!) as nt.Statistics
const network = (await birdNetwork().load(WEIGHTS)).eval()

for (const photo of photos) {
  try {
    const probabilities = await ask(photo)
    const best = probabilities.indexOf(Math.max(...probabilities))
    console.log(`${photo}: ${classes[best]} (${(100 * probabilities[best]!).toFixed(1)} %)`)
  } catch (error) {
    console.error(`${photo}: ${(error as Error).message}`)
    process.exitCode = 1
  }
}

async function ask(photo: string): Promise<Float32Array> {
  const pixels = await sharp(photo)
    .rotate() // as the camera was held
    .flatten({ background: 'white' })
    .toColourspace('srgb')
    .resize(SIDE, SIDE, { fit: 'fill' })
    .raw()
    .toBuffer()
  const image = nt.tensor(new Uint8Array(pixels), [1, SIDE, SIDE, 3])
  const ready = nt.batchImages(image, nt.tensor(Int32Array.of(0)), normalize)
  return nt.noGrad(() => nt.softmax(network.forward(ready))).data()
}

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}
