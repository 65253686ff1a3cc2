import * as nt from 'needletail'

/** How probable the network finds the last class, for each picture. `normalize` is what it was trained with. */
export async function probabilities(
  network: nt.nn.Module,
  pictures: nt.ImageDataset,
  normalize: nt.DataLoaderOptions['normalize'] = false
): Promise<number[]> {
  const found: number[] = []
  await network.inUse(async () => {
    for await (const { images } of new nt.DataLoader(pictures, { batchSize: 500, normalize }))
      found.push(...(await nt.noGrad(() => network.forward(images).softmax(1).get(null, -1)).data()))
  })
  return found
}
