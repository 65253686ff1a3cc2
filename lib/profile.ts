// What a compiled program's kernel calls take, one by one: as data, as a table and as a trace.

/** A kernel call of a program that has been timed. */
export interface ProfiledCall {
  /** The operation that made it; 'arguments' and 'results' copy these in and out. */
  op: string
  /** What the device was asked for. */
  kernel: string
  /** The kernel with its parameters, as in the program's text. */
  call: string
  /** Dtype and shape of each operand: 'float32 [2, 3]'. */
  inputs: readonly string[]
  /** The same of each result. */
  outputs: readonly string[]
  /** Milliseconds after the program's beginning. */
  start: number
  /** Milliseconds that it took. */
  ms: number
  /** Of the operands and results; kernels may move more. */
  bytes: number
  /** Additions and multiplications of a convolution or matrix product computed directly, whatever the algorithm; 0 for other kernels. */
  operations: number
}

/** One run of a compiled program, call by call. */
export class Profile {
  /** In the order of their running. */
  readonly calls: readonly ProfiledCall[]
  constructor(calls: readonly ProfiledCall[]) {
    this.calls = calls
  }
  /** Milliseconds of all. */
  get ms(): number {
    const last = this.calls.at(-1)
    return last === undefined ? 0 : last.start + last.ms
  }
  /** A table of the calls, the dearest first. */
  toString(): string {
    const rows = [...this.calls].sort((a, b) => b.ms - a.ms).map((call) => [...figures(call, this.ms), describe(call)])
    const bytes = this.calls.reduce((sum, call) => sum + call.bytes, 0)
    return [
      table([['ms', 'share', 'MB', 'GB/s', 'GFLOP/s', 'call'], ...rows]),
      `${this.ms.toFixed(3)} ms in ${this.calls.length} calls, ${megabytes(bytes)} MB`
    ].join('\n')
  }
  /** Chrome's trace events as JSON: for chrome://tracing or https://ui.perfetto.dev. */
  trace(): string {
    return JSON.stringify({
      displayTimeUnit: 'ms',
      traceEvents: this.calls.map(({ op, kernel, start, ms, ...args }) => ({
        name: label({ op, kernel }),
        cat: kernel,
        ph: 'X',
        ts: start * 1000,
        dur: ms * 1000,
        pid: 1,
        tid: 1,
        args
      }))
    })
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2)
const label = ({ op, kernel }: Pick<ProfiledCall, 'op' | 'kernel'>): string => (op === kernel ? op : `${op}.${kernel}`)

function figures({ ms, bytes, operations }: ProfiledCall, all: number): string[] {
  const rate = (count: number): string => (count > 0 && ms > 0 ? (count / ms / 1e6).toFixed(1) : '')
  return [ms.toFixed(3), `${((100 * ms) / all).toFixed(1)} %`, megabytes(bytes), rate(bytes), rate(operations)]
}

/** Of long lists the first three; a dtype where it is another than before. */
function describe(call: ProfiledCall): string {
  let before = ''
  const shapes = (specs: readonly string[]): string => {
    const shown = specs.slice(0, 3).map((spec) => {
      const [dtype, shape] = [spec.slice(0, spec.indexOf(' ')), spec.slice(spec.indexOf(' ') + 1)]
      const text = dtype === before ? shape : spec
      before = dtype
      return text
    })
    return shown.join(', ') + (specs.length > 3 ? ` and ${specs.length - 3} more` : '')
  }
  const [inputs, outputs] = [shapes(call.inputs), shapes(call.outputs)]
  return `${label(call)}  ${inputs}${inputs && ' '}-> ${outputs}`
}

/** Columns of numbers, to the right, and a last one of text. */
function table(rows: readonly string[][]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows
    .map((row) => row.map((cell, i) => (i < row.length - 1 ? cell.padStart(widths[i]!) : cell)).join('  '))
    .join('\n')
}
