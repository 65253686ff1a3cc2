// A scenario: cases that are measured one after the other, each by contenders that take turns.
import { alternate, type Alternation } from './alternate.js'
import { start, wholeProcess, type Command, type Contestant } from './contestant.js'
import { machine, type Machine } from './machine.js'
import type { Task } from './protocol.js'
import type { CaseResult, Result } from './report.js'

export interface Case {
  title: string
  unit: 'ms' | 'us'
  /** What each contender is asked to do; none: the contenders are commands that are timed as a whole. */
  task?: Task
  contenders: readonly Command[]
  comparison: 'ratio' | 'multiple' | 'difference'
  /** Where rare measurements count: the quantile that is compared. */
  quantile?: number
  reference: string
  rounds: number
  perTurn: number
}

export interface Scenario {
  name: string
  title: string
  /** `tiny`: small enough for a test of the harness. */
  cases: (options: { threads: number; tiny: boolean }) => Case[]
}

export interface RunOptions {
  threads: number
  tiny?: boolean
  /** Only contenders whose name contains one of these words take part. */
  only?: readonly string[]
  rounds?: number | undefined
  /** Seconds that a contender may take to prepare, and for a turn. */
  limit?: number
  /** What it is measured on, beside the processor. */
  gpu?: Machine['gpu']
  progress?: (text: string) => void
}

export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Result> {
  const { threads, tiny = false, progress = () => {} } = options
  const cases: CaseResult[] = []
  for (const c of scenario.cases({ threads, tiny })) {
    progress(`${scenario.name}: ${c.title}`)
    cases.push(await runCase(c, options, progress))
  }
  const date = new Date().toISOString().slice(0, 10)
  const on = { ...machine(), ...(options.gpu && { gpu: options.gpu }) }
  return { scenario: scenario.name, title: scenario.title, date, threads, machine: on, cases }
}

async function runCase(
  c: Case,
  { only, rounds = c.rounds, limit = 30 }: RunOptions,
  progress: (text: string) => void
): Promise<CaseResult> {
  const contestants: Contestant[] = []
  const absent: Alternation['failed'] = []
  const chosen = c.contenders.filter(
    ({ name }) => !only || name === c.reference || only.some((word) => name.includes(word))
  )
  try {
    for (const contender of chosen) {
      progress(`  preparing ${contender.name}`)
      try {
        contestants.push(c.task ? await start(contender, c.task, limit) : wholeProcess(contender))
      } catch (error) {
        absent.push({ contender: contender.name, reason: (error as Error).message })
      }
    }
    progress(`  ${rounds} rounds`)
    const operations = (c.task && 'count' in c.task && c.task.count) || 1
    const result = await alternate(contestants, { ...c, rounds, operations })
    const { title, unit, comparison, reference, perTurn, quantile } = c
    const how = { comparison, reference, rounds, perTurn, ...(quantile === undefined ? {} : { quantile }) }
    return { title, unit, ...how, ...result, failed: [...absent, ...result.failed] }
  } finally {
    await Promise.all(contestants.map((contestant) => contestant.close()))
  }
}
