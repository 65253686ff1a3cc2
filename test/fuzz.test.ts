import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

interface Outcome {
  code: number | null
  signal: string | null
  last: string
  output: string
  errors: string
}

function fuzz(seed: number, calls: number): Promise<Outcome> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', fileURLToPath(new URL('fuzz/calls.ts', import.meta.url)), String(seed), String(calls)],
    {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      timeout: 50_000,
      killSignal: 'SIGKILL'
    }
  )
  const text = ['', '', '']
  ;[child.stdout, child.stderr, child.stdio[3]].forEach((stream, i) =>
    stream!.on('data', (data) => (text[i] = (text[i]! + String(data)).slice(-4000)))
  )
  return new Promise((done) =>
    child.on('close', (code, signal) =>
      done({ code, signal, output: text[0]!, errors: text[1]!, last: text[2]!.trim().split('\n').pop()! })
    )
  )
}

describe('junk, disposed and foreign tensors in every public function and method', () => {
  for (const seed of [1, 2])
    it(`ends in JavaScript errors alone (seed ${seed})`, async () => {
      const { code, signal, last, output, errors } = await fuzz(seed, 3000)
      assert.equal(signal, null, `signal ${signal} in call ${last}`)
      assert.equal(code, 0, `exit code ${code} in call ${last}: ${errors}`)
      const { targets, failed } = JSON.parse(output.trim().split('\n').pop()!) as { targets: number; failed: number }
      assert(targets > 100, `${targets} functions`)
      assert(failed > 1000, `${failed} errors`)
    })
})
