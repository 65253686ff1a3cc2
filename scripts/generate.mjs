// Makes TypeScript from the native tables: functions and methods of the elementwise ops (with their documentation) from
// native/ops/elementwise.def, and the names of all ops from native/ops/*.cc.
import { readFileSync, readdirSync, writeFileSync, existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

// What the rows' own numbers p and q are called.
const numbers = {
  leakyRelu: ['slope = 0.01'],
  elu: ['alpha = 1'],
  clip: ['low: number', 'high: number']
}
const constraints = { floats: 'FloatDType', numbers: 'NumberDType', any: 'DType', bools: "'bool'" }

function rowsOf(text) {
  const rows = []
  for (const line of text.split('\n')) {
    const kind = /^(UNARY|BINARY|TEST|COMPARE)\(/.exec(line)?.[1]
    if (!kind) continue
    const [, name, dtypes] = /^\w+\((\w+), (\w+),/.exec(line)
    const doc = /"([^"]*)"\)\s*$/.exec(line)[1]
    rows.push({ kind, name, dtypes, doc })
  }
  return rows
}

const rows = rowsOf(readFileSync(resolve(root, 'native/ops/elementwise.def'), 'utf8'))

const functions = rows.map(({ kind, name, dtypes, doc }) => {
  const result = kind === 'TEST' || kind === 'COMPARE' ? "Tensor<'bool'>" : 'Tensor<D>'
  const generic = `<D extends ${constraints[dtypes]}>`
  const comment = `/** ${doc} dtypes: ${dtypes === 'any' ? 'all' : dtypes === 'bools' ? 'bool' : dtypes}. */`
  if (kind === 'BINARY' || kind === 'COMPARE') {
    return `${comment.replace(' */', " Shapes broadcast; a number takes the tensor's dtype. */")}
export function ${name}${generic}(a: Tensor<D> | number, b: Tensor<D> | number): ${result} {
  return binary(ops.${name}, '${name}', a, b) as ${result}
}`
  }
  const own = numbers[name]
  if (own) {
    const names = own.map((n) => /^\w+/.exec(n)[0])
    return `${comment}
export function ${name}${generic}(x: Tensor<D>, ${own.join(', ')}): ${result} {
  return unaryWith(ops.${name}, '${name}', x, ${names.join(', ')}${names.length < 2 ? ', 0' : ''}) as ${result}
}`
  }
  return `${comment}
export function ${name}${generic}(x: Tensor<D>): ${result} {
  return unary(ops.${name}, '${name}', x) as ${result}
}`
})

const methods = rows.map(({ kind, name, doc }) => {
  const result = kind === 'TEST' || kind === 'COMPARE' ? "Tensor<'bool'>" : 'Tensor<D>'
  const own = (numbers[name] ?? []).map((n) => (n.includes('=') ? `${/^\w+/.exec(n)[0]}?: number` : n))
  const parameters = kind === 'BINARY' || kind === 'COMPARE' ? ['other: Tensor<D> | number'] : own
  return `    /** ${doc} */\n    ${name}(${parameters.join(', ')}): ${result}`
})

const elementwise = `// Made by scripts/generate.mjs from native/ops/elementwise.def.
import { addMethods, binary, opNumbers, Tensor, unary, unaryWith, type DType, type FloatDType, type NumberDType } from '../tensor.js'

const ops = opNumbers([${rows.map((r) => `'${r.name}'`).join(', ')}] as const)

${functions.join('\n\n')}

declare module '../tensor.js' {
  interface Tensor<D extends DType> {
${methods.join('\n')}
  }
}

addMethods({ ${rows.map((r) => r.name).join(', ')} })
`

// Ops other than the elementwise ones are records with a .name in native/ops/*.cc.
const names = rows.map((r) => r.name)
for (const file of readdirSync(resolve(root, 'native/ops')).sort()) {
  if (!file.endsWith('.cc')) continue
  for (const match of readFileSync(resolve(root, 'native/ops', file), 'utf8').matchAll(/\.name = "(\w+)"/g))
    names.push(match[1])
}
const opNames = `// Made by scripts/generate.mjs from native/ops.
/** The ops of the native core, elementwise ones first. */
export const opNames = [
${names.map((n) => `  '${n}'`).join(',\n')}
] as const
export type OpName = (typeof opNames)[number]
`

function writeIfChanged(path, text) {
  const full = resolve(root, path)
  if (!existsSync(full) || readFileSync(full, 'utf8') !== text) writeFileSync(full, text)
}
writeIfChanged('lib/functional/elementwise.generated.ts', elementwise)
writeIfChanged('lib/op-names.generated.ts', opNames)
