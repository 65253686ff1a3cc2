// Mocha's spec reporter, which also writes the totals to the file that NEEDLETAIL_TOTALS names, for .ci/run.
const { writeFileSync } = require('node:fs')
const Mocha = require('mocha')

module.exports = class extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    const file = process.env.NEEDLETAIL_TOTALS
    if (!file) return
    runner.once('end', () => {
      const { passes, failures, pending } = runner.stats
      writeFileSync(file, `${passes} passed, ${failures} failed${pending ? `, ${pending} skipped` : ''}\n`)
    })
  }
}
