// Runs the op tests against each mutant: `node scripts/mutation.mjs FOLDER [kind|op|file …]` (scripts/mutate builds FOLDER).
// First every op's tests run without a mutant, noting which mutants they reach; then each mutant meets the tests that reach it.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'

const folder = resolve(process.argv[2])
const wanted = process.argv.slice(3)
const limit = 120_000 // ms for the tests of one mutant: a hang counts as caught
const most = 6 // ops whose tests a mutant meets
const started = Date.now()

/** Runs the tests of some ops; resolves to { code, signal, text, time }. */
function run(ops, env) {
  return new Promise((done) => {
    const begin = Date.now()
    const child = spawn(process.execPath, ['js/test/ops/run.js', ...ops], {
      cwd: folder,
      env: { ...process.env, OMP_NUM_THREADS: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let text = ''
    child.stdout.on('data', (data) => (text += data))
    child.stderr.on('data', (data) => (text += data))
    const timer = setTimeout(() => child.kill('SIGKILL'), limit)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      done({ code, signal, text: text.trim(), time: Date.now() - begin })
    })
  })
}

/** Runs `work` on all items, a few at a time. */
async function each(items, work) {
  const queue = [...items]
  const workers = Array.from({ length: availableParallelism() }, async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  })
  await Promise.all(workers)
}

const mutants = JSON.parse(readFileSync(join(folder, 'mutants.json'), 'utf8'))
const ops = (await run([], {})).text.split('\n')
const times = new Map()
const reachedBy = new Map()
mkdirSync(join(folder, 'reached'), { recursive: true })
await each(ops, async (op) => {
  const file = join(folder, 'reached', op)
  const { code, text, time } = await run([op], { NEEDLETAIL_MUTANT: 'trace', NEEDLETAIL_MUTANTS_REACHED: file })
  if (code !== 0) throw new Error(`mutate: expected the tests of ${op} to pass without a mutant, got: ${text}`)
  times.set(op, time)
  if (!existsSync(file))
    throw new Error(`mutate: expected ${file}, found none. Was ${folder} built with NEEDLETAIL_MUTANTS?`)
  for (const id of readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number))
    reachedBy.set(id, [...(reachedBy.get(id) ?? []), op])
})

// A place in a kernel's results that no test reaches does not exist for that dtype; a check that none reaches is a missed one.
const chosen = mutants.filter(
  ({ id, kind, op, file }) =>
    (kind === 'infer' || reachedBy.has(id) || file.endsWith('.def')) &&
    (wanted.length === 0 || wanted.some((word) => kind === word || op === word || file.includes(word)))
)
const results = []
await each(chosen, async (mutant) => {
  const reaching = reachedBy.get(mutant.id) ?? []
  const first = reaching.filter((op) => op === mutant.op)
  const others = reaching.filter((op) => op !== mutant.op).sort((a, b) => times.get(a) - times.get(b))
  const tests = [...first, ...others].slice(0, most)
  const { code, signal, text } =
    tests.length === 0
      ? { code: 0, text: 'no test reaches it' }
      : await run(tests, { NEEDLETAIL_MUTANT: String(mutant.id) })
  results.push({ ...mutant, tests, caught: code !== 0, by: signal ? `signal ${signal}` : text.split('\n')[0] })
  if (results.length % 100 === 0) console.error(`${results.length} of ${chosen.length} mutants met their tests`)
})
results.sort((a, b) => a.id - b.id)
writeFileSync(join(folder, 'report.json'), JSON.stringify(results, null, 1))

for (const { caught, kind, op, file, line, text, tests } of results)
  if (!caught)
    console.log(`missed: ${kind} ${op} ${file}:${line} ${text} (${tests.join(', ') || 'no test reaches it'})`)
for (const kind of ['derivative', 'infer', 'kernel']) {
  const some = results.filter((result) => result.kind === kind)
  console.log(`${kind}: ${some.filter(({ caught }) => caught).length} of ${some.length} caught`)
}
const caught = results.filter((result) => result.caught).length
console.log(
  `mutation score ${((100 * caught) / Math.max(results.length, 1)).toFixed(1)} %: ${caught} of ${results.length} caught, ` +
    `${((Date.now() - started) / 60_000).toFixed(1)} minutes`
)
