// A folder of photos with a folder for each kind, made of CIFAR-10's pictures: for who has no other at hand.
import { existsSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { datasets } from 'needletail'
import sharp from 'sharp'

/** The path of the folder; it is made once, of the first so many pictures of each kind. */
export async function photoFolder(kinds: readonly string[], each: number): Promise<string> {
  const folder = join('runs', `photos-${kinds.join('-')}-${each}`)
  if (existsSync(folder)) return folder
  const { train } = await datasets.cifar10()
  const labels = await train.labels.data()
  const unfinished = `${folder}.${process.pid}`
  for (const kind of kinds) {
    await mkdir(join(unfinished, kind), { recursive: true })
    const those = [...labels.keys()].filter((at) => train.classes[labels[at]!] === kind).slice(0, each)
    for (const [i, at] of those.entries()) {
      const pixels = await train.images.get(at).data()
      const photo = sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } })
      await writeFile(join(unfinished, kind, `${i}.png`), await photo.png().toBuffer())
    }
  }
  await rename(unfinished, folder)
  return folder
}
