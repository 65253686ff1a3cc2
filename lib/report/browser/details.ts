// What the run was made of: pictures, network, options, machine.
import type { Pictures, RunData } from '../run-data.js'
import { el, scroller, section, table } from './dom.js'
import { figure } from './format.js'

export function data({ samples, augmented }: Pictures, classes: readonly string[]): HTMLElement | undefined {
  if (samples.length === 0) return undefined
  return section(
    'data',
    'The pictures',
    el('p', { class: 'muted' }, 'Some of those that the network was trained on.'),
    el(
      'div',
      { class: 'card' },
      el(
        'ul',
        { class: 'tiles' },
        ...samples.map(({ image, label, file }) =>
          el(
            'li',
            { title: file },
            el('img', { src: image, alt: '', decoding: 'async' }),
            el('span', { class: 'file' }, classes[label]!)
          )
        )
      )
    ),
    augmented.length > 0 &&
      el(
        'div',
        { class: 'card' },
        el('h3', {}, 'Changed by chance'),
        el('p', { class: 'muted' }, 'A picture, and how the network saw it in its first epochs.'),
        scroller(
          'Changed pictures',
          el(
            'div',
            { class: 'strip', 'aria-hidden': 'true' },
            el('span', {}, 'as it is'),
            ...augmented[0]!.epochs.map((_, i) => el('span', {}, `epoch ${i + 1}`))
          ),
          ...augmented.map(({ image, epochs }) =>
            el(
              'div',
              { class: 'strip' },
              el('img', { src: image, alt: 'a picture as it is', decoding: 'async' }),
              ...epochs.map((one, i) => el('img', { src: one, alt: `in epoch ${i + 1}`, decoding: 'async' }))
            )
          )
        )
      )
  )
}

export function network({ config, pictures }: RunData): HTMLElement {
  const [height, width, channels] = config.inputShape
  return section(
    'network',
    'The network',
    el('p', { class: 'muted' }, `${config.networkClass}, of pictures ${height} × ${width} × ${channels}.`),
    pictures?.summary &&
      el('div', { class: 'card' }, scroller('Summary of the network', el('pre', {}, pictures.summary)))
  )
}

export const setting = ({ config, environment }: RunData): HTMLElement =>
  section(
    'setting',
    'How it was trained',
    el('div', { class: 'columns halves' }, facts('Options', config.training), facts('Machine', environment))
  )

/** Names and values; those within others by their path. */
function facts(title: string, values: Readonly<Record<string, unknown>>): HTMLElement {
  const rows = flat(values).map(([name, value]) => [name, el('span', { class: 'value' }, value)])
  return el('div', { class: 'card facts' }, el('h3', {}, title), table(title, ['Name', 'Value'], rows))
}

/** The leaves of nested values by their path; those that are nothing are left out. */
export function flat(values: object, write = text, path = ''): [string, string][] {
  return Object.entries(values).flatMap(([name, value]: [string, unknown]) => {
    const whole = path ? `${path}.${name}` : name
    if (value === null || value === undefined) return []
    if (Array.isArray(value) && value.every((one) => typeof one !== 'object'))
      return [[whole, value.map(write).join(', ')]]
    return typeof value === 'object' ? flat(value, write, whole) : [[whole, write(value)]]
  })
}

function text(value: unknown): string {
  return typeof value === 'number' && !Number.isInteger(value) ? figure(value) : String(value)
}
