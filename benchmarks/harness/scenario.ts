// A scenario is a list of cases; in a case contenders do the same task in turns.
import { spawn } from 'node:child_process'
import { alternate, type Alternation } from './alternate.js'
import { start, wholeProcess, type Command, type Contestant } from './contestant.js'
import { machine, type Machine } from './machine.js'
import type { Task } from './protocol.js'
import type { CaseResult, Result, Unit } from './report.js'

export interface Case {
  title: string
  unit: Unit
  /** What each contender is asked to do; none: the contenders are commands that are timed as a whole. */
  task?: Task
  contenders: readonly Command[]
  comparison: 'ratio' | 'multiple' | 'difference'
  /** Where rare measurements count: the quantile that is compared. */
  quantile?: number
  references: readonly string[]
  rounds: number
  perTurn: number
  /** What runs beside them all the while. */
  beside?: Command
  /** Who isn't asked, and why. */
  leftOut?: Alternation['failed']
}

export interface Scenario {
  name: string
  title: string
  /** `tiny`: small enough for a test of the harness. */
  cases: (options: { threads: number; tiny: boolean }) => Case[] | Promise<Case[]>
  /** One table, a case a row; and each contender does all of them in one process. */
  matrix?: boolean
}

export interface RunOptions {
  threads: number
  tiny?: boolean
  /** Only contenders whose name contains one of these words take part, and those that are compared with. */
  only?: readonly string[] | undefined
  rounds?: number | undefined
  /** Seconds that a contender may take to prepare, and for a turn: 60, or its own limit, unless given. */
  limit?: number | undefined
  /** What it is measured on, beside the processor. */
  gpu?: Machine['gpu']
  progress?: (text: string) => void
}

/** Contenders that have been started, by name, where they do one case after the other. */
type Started = Map<string, Contestant>

export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Result> {
  const { threads, tiny = false, progress = () => {} } = options
  const cases: CaseResult[] = []
  const started: Started | undefined = scenario.matrix ? new Map() : undefined
  try {
    for (const c of await scenario.cases({ threads, tiny })) {
      progress(`${scenario.name}: ${c.title}`)
      cases.push(await runCase(c, options, progress, started))
    }
  } finally {
    await Promise.all([...(started?.values() ?? [])].map((contestant) => contestant.close()))
  }
  const { name, title, matrix } = scenario
  const date = new Date().toISOString().slice(0, 10)
  const on = { ...machine(), ...(options.gpu && { gpu: options.gpu }) }
  return { scenario: name, title, ...(matrix ? { matrix } : {}), date, threads, machine: on, cases }
}

async function runCase(
  c: Case,
  { only, rounds = c.rounds, limit }: RunOptions,
  progress: (text: string) => void,
  started?: Started
): Promise<CaseResult> {
  const contestants: Contestant[] = []
  const takesPart = (name: string): boolean =>
    !only || c.references.includes(name) || only.some((word) => name.includes(word))
  const chosen = c.contenders.filter(({ name }) => takesPart(name))
  const absent = (c.leftOut ?? []).filter(({ contender }) => takesPart(contender))
  const beside = c.beside && spawn(c.beside.command, c.beside.args, { stdio: 'ignore' })
  try {
    for (const contender of chosen) {
      progress(`  preparing ${contender.name}`)
      const { name } = contender
      try {
        if (!c.task) {
          contestants.push(wholeProcess(contender))
          continue
        }
        let contestant = started?.get(name)
        if (contestant) await contestant.again!(c.task)
        else contestant = await start(contender, c.task, limit ?? contender.limit ?? 60)
        started?.set(name, contestant)
        contestants.push(contestant)
      } catch (error) {
        absent.push({ contender: name, reason: (error as Error).message })
      }
    }
    progress(`  ${rounds} rounds`)
    const operations = (c.task && 'count' in c.task && c.task.count) || 1
    const result = await alternate(contestants, { ...c, rounds, operations })
    if (beside) delete result.othersLoad
    const { title, unit, comparison, references, perTurn, quantile } = c
    const how = { comparison, references, rounds, perTurn, ...(quantile === undefined ? {} : { quantile }) }
    return { title, unit, ...how, ...result, failed: [...absent, ...result.failed] }
  } finally {
    beside?.kill()
    if (!started) await Promise.all(contestants.map((contestant) => contestant.close()))
  }
}
