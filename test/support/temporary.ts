// A folder for a test's files, gone when the tests of its `describe` are through.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Paths in a fresh folder. Call it within `describe`. */
export function temporaryFolder(): (name: string) => string {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'needletail-test-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))
  return (name) => join(folder, name)
}
