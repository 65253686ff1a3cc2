// Shows how far something is, on stderr: a bar that is drawn over itself on a terminal, plain lines elsewhere. It knows
// nothing about training.

export interface ProgressState {
  /** e.g. 'epoch 3/50' */
  title: string
  done: number
  total: number
  /** Shown behind the bar, e.g. { loss: 0.31 }. */
  figures: Readonly<Record<string, number>>
  /** Things done in a second, and what they are called: 'images'. */
  rate: number
  unit: string
  secondsLeft: number
}

const WIDTH = 24
const INTERVAL = 200

export class Progress {
  readonly #out: NodeJS.WriteStream | undefined
  readonly #isTerminal: boolean
  #drawn = -Infinity
  #width = 0

  constructor(shown: boolean, out: NodeJS.WriteStream = process.stderr) {
    this.#out = shown ? out : undefined
    this.#isTerminal = shown && out.isTTY === true
  }

  /** Whether it is time to draw the bar again; never where there is none. */
  get due(): boolean {
    return this.#isTerminal && performance.now() - this.#drawn >= INTERVAL
  }

  draw(state: ProgressState): void {
    if (!this.#isTerminal) return
    this.#drawn = performance.now()
    const filled = Math.round((WIDTH * state.done) / Math.max(1, state.total))
    const bar = `${'━'.repeat(filled)}${'─'.repeat(WIDTH - filled)}`
    const parts = [
      `${state.title} ${bar} ${state.done}/${state.total}`,
      ...figureTexts(state.figures),
      `${Math.round(state.rate).toLocaleString('en')} ${state.unit}/s`,
      `${duration(state.secondsLeft)} left`
    ]
    this.#over(parts.join('  '))
  }

  /** A line that stays. */
  line(text: string): void {
    if (this.#isTerminal) this.#over('')
    this.#out?.write(`${this.#isTerminal ? '\r' : ''}${text}\n`)
    this.#width = 0
  }

  #over(text: string): void {
    const columns = this.#out?.columns ?? 80
    const shown = text.length < columns ? text : `${text.slice(0, columns - 2)}…`
    this.#out?.write(`\r${shown.padEnd(this.#width)}`)
    this.#width = shown.length
  }
}

/** { loss: 0.3124 } as 'loss 0.312'. */
export const figureTexts = (figures: Readonly<Record<string, number>>): string[] =>
  Object.entries(figures).map(([name, value]) => `${name} ${figureText(value)}`)

const figureText = (value: number): string =>
  value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(1) : value.toFixed(3)

/** Seconds as 9 s, 4:05 or 1:02:03. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  if (!Number.isFinite(whole)) return '?'
  if (whole < 60) return `${whole} s`
  const two = (value: number) => String(value).padStart(2, '0')
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}
