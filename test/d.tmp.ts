import * as nt from '../lib/index.js'
import { native } from '../lib/native.js'
native.device(process.argv[2]!)
const { nn } = nt
const model = new nn.Sequential(
  new nn.Conv2d(32, 3, { padding: 'same', activation: 'relu' }),
  new nn.MaxPool2d(2),
  new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
  new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
  new nn.MaxPool2d(2),
  new nn.Flatten(),
  new nn.Linear(512, { activation: 'relu' }),new nn.Dropout(0.5), new nn.Linear(2))
const x = nt.ones([96, 32, 32, 3]), y = nt.zeros([96],{dtype:'int32'})
const opt = new nt.optim.Adam({learningRate:1e-3})
const step = nt.compile((x: nt.Tensor, y: nt.Tensor<'int32'>) => { const loss = nt.losses.crossEntropy(model.forward(x), y); opt.minimize(loss, model); return loss }, {compute: process.argv[3] as any})
for (let i = 0; i < 3; i++) step(x, y)
console.log(String(step.programs[0]))
