// The article's network, and where its weights are kept: what train.ts trains and ask.ts asks.
import { fileURLToPath } from 'node:url'
import { nn } from 'needletail'

/** Height and width of the pictures it takes. */
export const SIDE = 32

/** The weights' file; classes and normalisation stand in its metadata. */
export const WEIGHTS = fileURLToPath(new URL('../../runs/birds.safetensors', import.meta.url))

export const birdNetwork = () =>
  new nn.Sequential(
    new nn.Conv2d(32, 3, { padding: 'same', activation: 'relu' }),
    new nn.MaxPool2d(2),
    new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
    new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(512, { activation: 'relu' }),
    new nn.Dropout(0.5),
    new nn.Linear(2)
  )
