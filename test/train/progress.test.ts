// What is shown while something goes on: a bar on a terminal, lines elsewhere.
import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { duration, Progress } from '../../lib/train/progress.js'

function screen(isTTY: boolean, columns = 100) {
  let text = ''
  const out = new Writable({
    write(chunk, _, done) {
      text += String(chunk)
      done()
    }
  })
  return { out: Object.assign(out, { isTTY, columns }) as unknown as NodeJS.WriteStream, text: () => text }
}
const state = {
  title: 'epoch 3/50',
  done: 6,
  total: 12,
  figures: { loss: 0.31249, rate: 0.00001 },
  rate: 2750.4,
  unit: 'images',
  secondsLeft: 3725
}

describe('progress', () => {
  it('draws a bar over itself on a terminal, and lines that stay', () => {
    const { out, text } = screen(true)
    const progress = new Progress(true, out)
    assert.ok(progress.due)
    progress.draw(state)
    assert.ok(!progress.due, 'not again at once')
    const bar = 'epoch 3/50 ━━━━━━━━━━━━────────────  6/12  loss 0.312  rate 1.0e-5  2,750 images/s  1:02:05 left'
    assert.equal(text(), `\r${bar.replace('─  6', '─ 6')}`)
    progress.line('done')
    assert.equal(text().split('\r').at(-1), 'done\n')
  })

  it('keeps to one line of a narrow terminal', () => {
    const { out, text } = screen(true, 40)
    new Progress(true, out).draw(state)
    assert.ok(text().length <= 40, text())
    assert.match(text(), /…$/)
  })

  it('prints lines alone where there is no terminal, and nothing where it is off', () => {
    const pipe = screen(false)
    const progress = new Progress(true, pipe.out)
    assert.ok(!progress.due)
    progress.draw(state)
    progress.line('epoch 1/2')
    assert.equal(pipe.text(), 'epoch 1/2\n')
    const off = screen(true)
    const none = new Progress(false, off.out)
    assert.ok(!none.due)
    none.draw(state)
    none.line('epoch 1/2')
    assert.equal(off.text(), '')
  })

  it('shows times for people', () => {
    assert.deepEqual([0.4, 59, 60, 245, 3600, 360000, Infinity].map(duration), [
      '0 s',
      '59 s',
      '1:00',
      '4:05',
      '1:00:00',
      '100:00:00',
      '?'
    ])
  })
})
