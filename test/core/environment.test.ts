import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import * as nt from '../../lib/index.js'
import { run } from '../support/child.js'

describe('environment', () => {
  it('tells versions, processor and limits', () => {
    const { addon, processor, ...found } = nt.environment()
    assert.ok(existsSync(addon) && addon.endsWith('.node'), addon)
    assert.ok(processor.length > 0)
    assert.match(found.needletail, /^\d+\.\d+\.\d+/)
    assert.match(found.oneDNN, /^[23]\.\d+\.\d+$/)
    assert.deepEqual(
      [found.node, found.platform, found.threads, found.memoryLimit],
      [process.version, `${process.platform}-${process.arch}`, nt.threads(), nt.memory().limitBytes]
    )
  })

  it('tells the instruction set that is used, not the best there is', async () => {
    const { output } = await run(`console.log(nt.environment().isa)`, { env: { NEEDLETAIL_ISA: 'baseline' } })
    assert.equal(output, 'baseline')
    assert.ok(['baseline', 'avx2', 'avx512', 'avx512bf16'].includes(nt.environment().isa))
  })
})
