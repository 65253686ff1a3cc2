import * as nt from '../lib/index.js'
nt.device('emulated')
const { nn } = nt
const bird = () => new nn.Sequential(
  new nn.Conv2d(32, 3, { padding: 'same', activation: 'relu' }),
  new nn.MaxPool2d(2),
  new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
  new nn.Conv2d(64, 3, { padding: 'same', activation: 'relu' }),
  new nn.MaxPool2d(2),
  new nn.Flatten(),
  new nn.Linear(512, { activation: 'relu' }),new nn.Dropout(0.5), new nn.Linear(2))
const model = bird()
const x = nt.ones([96, 32, 32, 3]), y = nt.zeros([96],{dtype:'int32'})
const opt = new nt.optim.Adam({learningRate:1e-3})
const step = nt.compile((x: nt.Tensor, y: nt.Tensor<'int32'>) => { const loss = nt.losses.crossEntropy(model.forward(x), y); opt.minimize(loss, model); return loss }, {compute: 'bfloat16'})
for (let i = 0; i < 100; i++) step(x, y).dispose()
let t = performance.now()
for (let i = 0; i < 3000; i++) step(x, y).dispose()
console.log('replay us', (performance.now() - t) / 3000 * 1000)
const n = 57000
const images = new Uint8Array(n * 3072), labels = new Int32Array(n).map((_, i) => i % 2)
const data = nt.ImageDataset.from({ pixels: images, shape: [32, 32, 3], labels, classes: ['no', 'bird'] })
const loader = new nt.DataLoader(data, { batchSize: 96, shuffle: true, augment: { flip: 'horizontal' } as any })
for (let e = 0; e < 2; e++) {
t = performance.now(); let k = 0
for await (const b of loader) { step(b.images as any, b.labels as any).dispose(); b.images.dispose(); b.labels.dispose(); k++ }
console.log('loader+replay us', (performance.now() - t) / k * 1000, k)
}
const run = await nt.fit(bird(), data, { epochs: 3, batchSize: 96, progress: false, name: 'x', runs: '/tmp/runs-x', compute: 'bfloat16', augment: { flip: 'horizontal' } as any } as any)
