// The network of the article "Is it a bird?": 2,155,010 parameters for pictures of 32x32.
import { nn } from '../../index.js'

export const articleNetwork = (): nn.Module =>
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
