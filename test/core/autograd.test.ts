import assert from 'node:assert/strict'
import * as nt from '../../lib/index.js'
import { onEachDevice } from '../support/devices.js'

const read = (tensor: nt.Tensor<any>) => [...(tensor.dataSync() as Iterable<number>)]
const x = () => nt.tensor([1, 2, 3])

onEachDevice('differentiation', () => {
  it('grad, grads, valueAndGrad', () => {
    const f = (a: nt.Tensor, b: nt.Tensor, k: number) => a.mul(b).mul(k).sum()
    assert.deepEqual(read(nt.grad(f)(x(), nt.tensor([4, 5, 6]), 2)), [8, 10, 12])
    assert.deepEqual(
      nt
        .grads(f)(x(), nt.tensor([4, 5, 6]), 2)
        .map(read),
      [
        [8, 10, 12],
        [2, 4, 6]
      ]
    )
    const { value, gradient } = nt.valueAndGrad(f)(x(), nt.tensor([4, 5, 6]), 2)
    assert.equal(value.itemSync(), 64)
    assert.equal(value.requiresGradient, false)
    assert.deepEqual(read(gradient), [8, 10, 12])
  })
  it('nests: third derivatives', () => {
    const fourth = (a: nt.Tensor) => a.square().square().sum()
    const sum = (f: (a: nt.Tensor) => nt.Tensor<any>) => (a: nt.Tensor) => f(a).sum()
    const third = nt.grad(sum(nt.grad(sum(nt.grad(fourth)))))
    assert.deepEqual(read(third(x())), [24, 48, 72])
  })
  it('adds up what comes on several ways', () => {
    const slope = nt.grad((a: nt.Tensor) => {
      const b = a.square()
      return b.add(b).add(b.mul(a)).sum()
    })
    assert.deepEqual(read(slope(x())), [7, 20, 39])
  })
  it('gives zeros where an argument takes no part', () => {
    assert.deepEqual(
      nt
        .grads((a: nt.Tensor, _b: nt.Tensor) => a.sum())(x(), nt.tensor([4]))
        .map(read),
      [[1, 1, 1], [0]]
    )
    assert.deepEqual(read(nt.grad((a: nt.Tensor) => a.detach().sum())(x())), [0, 0, 0])
    assert.deepEqual(read(nt.grad((a: nt.Tensor) => nt.noGrad(() => a.square()).sum())(x())), [0, 0, 0])
  })
  it('stops at detach and noGrad', () => {
    assert.deepEqual(read(nt.grad((a: nt.Tensor) => a.mul(a.detach()).sum())(x())), [1, 2, 3])
    const weight = nt.requireGradient(x())
    assert.equal(weight.square().requiresGradient, true)
    assert.equal(nt.noGrad(() => weight.square()).requiresGradient, false)
    assert.throws(
      () =>
        nt.noGrad(() => {
          throw new Error('mine')
        }),
      /^Error: mine$/
    )
    assert.equal(weight.square().requiresGradient, true)
  })
  it('backward: any target, seeds, a graph that is kept', () => {
    const a = nt.requireGradient(x())
    const b = a.square()
    const c = b.mul(3)
    const seed = nt.tensor([1, 0, 2])
    const [da, db] = nt.backward(c, [a, b], { seed, keepGraph: true })
    assert.deepEqual(
      [read(da!), read(db!)],
      [
        [6, 0, 36],
        [3, 0, 6]
      ]
    )
    assert.deepEqual(read(nt.backward(c.sum(), [a])[0]!), [6, 12, 18])
    assert.throws(
      () => nt.backward(c, [a], { seed }),
      /^Error: .*expected a graph that has not been used, got .*keepGraph/
    )
  })
  it('a long chain neither overflows nor leaks', () => {
    globalThis.gc!()
    const before = nt.memory().tensors
    nt.tidy(() => {
      const slope = nt.grad((a: nt.Tensor) => {
        let y = a
        for (let i = 0; i < 50_000; i++) y = y.add(1)
        return y.sum()
      })
      assert.deepEqual(read(slope(x())), [1, 1, 1])
      return undefined
    })
    assert(nt.memory().tensors <= before)
  })
  it('a saved value that was changed in place is an error', () => {
    const a = nt.requireGradient(x())
    const b = nt.tensor([1, 1, 1])
    const y = a.mul(b).sum()
    nt.assign(b, 5)
    assert.throws(
      () => nt.backward(y, [a]),
      /^Error: mul: expected the values saved for the gradient to be unchanged, got /
    )
  })

  const mistakes: [string, () => unknown, RegExp][] = [
    [
      'a vector as result',
      () => nt.grad((a: nt.Tensor) => a)(x()),
      /^Error: grad: expected a function with a scalar result, got float32 \[3\]\. Reduce/
    ],
    [
      'integers as argument',
      () => nt.grad((a: nt.Tensor<'int32'>) => a.sum())(nt.tensor(Int32Array.of(1))),
      /^Error: grad: expected a tensor of float32, .*got int32 \[1\]/
    ],
    [
      'a number as argument',
      () => nt.grad((a: nt.Tensor) => a)(3 as never),
      /^Error: grad: expected a tensor as first argument, got 3/
    ],
    [
      'a number as result',
      () => nt.grad((() => 3) as never)(x()),
      /^Error: grad: expected a function that returns a tensor, got 3/
    ],
    [
      'an async function',
      () => nt.grad((async () => x()) as never)(x()),
      /^Error: grad: expected a function that returns its result, got an async one/
    ],
    ['what is no function', () => nt.grad(3 as never), /^Error: grad: expected a function, got 3/],
    [
      'a seed of another shape',
      () => nt.backward(nt.requireGradient(x()).mul(2), [x()], { seed: nt.ones([2]) }),
      /^Error: grad: expected a seed of float32 \[3\], got float32 \[2\]/
    ],
    [
      'a parameter of integers',
      () => nt.requireGradient(nt.zeros([2], { dtype: 'int32' }) as never),
      /^Error: \w+: expected float32, .*got int32/
    ],
    [
      'targets that are no list',
      () => nt.backward(nt.requireGradient(x()).sum(), x() as never),
      /^Error: backward: expected an array of tensors, got /
    ],
    [
      'an async noGrad',
      () => nt.noGrad(async () => x()),
      /^Error: noGrad: expected a function that returns its result, got an async one/
    ]
  ]
  for (const [name, mistake, message] of mistakes) it(`refuses ${name}`, () => assert.throws(mistake, message))
})

onEachDevice('custom ops', () => {
  const cube = nt.customOp({
    name: 'cube',
    forward: (a: nt.Tensor) => a.mul(a).mul(a),
    backward: (gradient, [a]) => [gradient.mul(a.square()).mul(3)]
  })
  it('have the gradient they give, and the gradient of it', () => {
    assert.deepEqual(read(nt.grad((a: nt.Tensor) => cube(a).sum())(x())), [3, 12, 27])
    const second = nt.grad((a: nt.Tensor) =>
      nt
        .grad((b: nt.Tensor) => cube(b).sum())(a)
        .sum()
    )
    assert.deepEqual(read(second(x())), [6, 12, 18])
  })
  it('can be compiled', () => {
    const slope = nt.compile(nt.grad((a: nt.Tensor) => cube(a).sum()))
    for (let i = 1; i < 5; i++) assert.deepEqual(read(slope(nt.tensor([i]))), [3 * i * i])
  })
  it('report what is wrong with them by their name', () => {
    const wrong = (backward: (...args: any[]) => any) =>
      nt.customOp({ name: 'mine', forward: (a: nt.Tensor) => a.add(1), backward })
    const run = (backward: (...args: any[]) => any) => nt.grad((a: nt.Tensor) => wrong(backward)(a).sum())(x())
    assert.throws(() => run(() => 3), /^Error: mine: expected a backward that returns an array of 1 gradients, got 3/)
    assert.throws(() => run(() => [3]), /^Error: mine: expected gradients that are tensors, got 3/)
    assert.throws(
      () => run(() => [nt.ones([2])]),
      /^Error: mine: expected a gradient of float32 \[3\], got float32 \[2\]/
    )
    assert.throws(
      () =>
        run(() => {
          throw new Error('own')
        }),
      /^Error: own$/
    )
    assert.throws(
      () => nt.customOp({ name: '', forward: cube, backward: () => [] }),
      /^Error: customOp: expected a name, got ''/
    )
    assert.throws(
      () => nt.customOp({ name: 'mine', forward: 3 as never, backward: () => [] }),
      /^Error: customOp: expected a function as forward, got 3/
    )
  })
})
