// Writes the mutants into a copy of this repository: `node scripts/mutants.mjs FOLDER`. Three kinds:
//   kernel      a row of elementwise.def gives another value; another kernel's result is wrong in one element
//   derivative  a row's derivative, or the gradient that an op's backward returns for one input, is wrong
//   infer       one `args.fail(...)` does not happen
// FOLDER/mutants.json lists them: { id, kind, op, file, line, text }.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, symlinkSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const target = resolve(process.argv[2] ?? join(root, 'out/mutants'))
const mutants = []
const add = (mutant) => mutants.push({ id: mutants.length, ...mutant }) - 1

/** The place after the bracket that closes the one at `start`. */
function closing(text, start) {
  let depth = 0
  for (let i = start; i < text.length; i++) {
    const c = text[i]
    if (c === '"' || c === "'") {
      for (i++; text[i] !== c; i++) if (text[i] === '\\') i++
    } else if (c === '/' && text[i + 1] === '/') i = text.indexOf('\n', i)
    else if ('([{'.includes(c)) depth++
    else if (')]}'.includes(c) && --depth === 0) return i + 1
  }
  throw new Error('mutants: expected a closing bracket, got the end of the file.')
}

/** The arguments between two brackets, split at their commas. */
function split(text) {
  const parts = ['']
  for (let i = 0; i < text.length; i++) {
    if ('([{"'.includes(text[i])) {
      const end = text[i] === '"' ? text.indexOf('"', i + 1) + 1 : closing(text, i)
      parts[parts.length - 1] += text.slice(i, end)
      i = end - 1
    } else if (text[i] === ',') parts.push('')
    else parts[parts.length - 1] += text[i]
  }
  return parts.map((part) => part.trim())
}

const lineOf = (text, index) => text.slice(0, index).split('\n').length

/** elementwise.def: each value and each derivative. */
function mutateRows(text, file) {
  return text
    .split('\n')
    .map((line, i) => {
      const found = /^(UNARY|BINARY|TEST|COMPARE)\(/.exec(line)
      if (!found) return line
      const kind = found[1]
      const parts = split(line.slice(kind.length + 1, closing(line, kind.length) - 1))
      const op = parts[0]
      const where = { op, file, line: i + 1 }
      const mutate = (at, what, mutated) => {
        const original = parts[at]
        parts[at] = `NT_MUTATE(${add({ kind: what, ...where, text: original })}, ${original}, ${mutated(original)})`
      }
      // Two mutants: the derivative as a kernel, and as a graph of ops.
      const mutateDerivative = (at) => {
        const original = parts[at]
        const id = add({ kind: 'derivative', ...where, text: `${original} (kernel)` })
        add({ kind: 'derivative', ...where, text: `${original} (graph)` })
        parts[at] = `NT_MUTATE_DERIVATIVE(${id}, ${original}, (${original}) + g * 0.25)`
      }
      if (kind === 'TEST' || kind === 'COMPARE') mutate(2, 'kernel', (value) => `!(${value})`)
      else {
        mutate(2, 'kernel', (value) => `(${value}) + 1`)
        mutateDerivative(3)
        if (kind === 'BINARY') mutateDerivative(4)
      }
      return `${kind}(${parts.join(', ')})`
    })
    .join('\n')
}

/** Every check: `args.fail(...)` becomes an expression that a mutant skips. */
function mutateChecks(text, file) {
  let result = ''
  let last = 0
  for (const found of text.matchAll(/\bargs\.fail\(/g)) {
    const end = closing(text, found.index + found[0].length - 1)
    const call = text.slice(found.index, end)
    const id = add({ kind: 'infer', op: '', file, line: lineOf(text, found.index), text: call.replace(/\s+/g, ' ') })
    result += `${text.slice(last, found.index)}NT_UNLESS_MUTANT(${id}, ${call})`
    last = end
  }
  return result + text.slice(last)
}

/** Replaces the one place that a hook hangs from. */
function hook(file, pattern, replacement) {
  const path = join(target, file)
  const text = readFileSync(path, 'utf8')
  if (!pattern.test(text)) throw new Error(`mutants: expected ${pattern} in ${file}, found none.`)
  writeFileSync(path, text.replace(pattern, replacement))
}

rmSync(join(target, 'native'), { recursive: true, force: true })
mkdirSync(target, { recursive: true })
for (const name of readdirSync(root)) {
  if (['.git', 'out', 'build', 'dist', 'runs', 'prebuilds'].includes(name)) continue
  const to = join(target, name)
  if (name === 'node_modules' || name === 'deps') {
    if (!existsSync(to)) symlinkSync(join(root, name), to)
  } else cpSync(join(root, name), to, { recursive: true, force: true, preserveTimestamps: true })
}

const ops = []
const sources = readdirSync(join(target, 'native/ops')).filter((name) => /\.(cc|h|def)$/.test(name))
for (const name of sources) {
  const file = `native/ops/${name}`
  const path = join(target, file)
  const original = readFileSync(path, 'utf8')
  const text = name.endsWith('.def') ? mutateRows(original, file) : mutateChecks(original, file)
  for (const [, op] of original.matchAll(/\.name = "(\w+)"/g)) ops.push(op)
  if (text !== original) writeFileSync(path, name.endsWith('.def') ? text : `#include "mutants.h"\n${text}`)
}

// Gradients of ops that are no rows: by input, without and with a graph of their own.
const gradientInputs = 4
const gradientMutants = ops.map((op) => {
  const first = mutants.length
  for (const graph of ['', ', with a graph'])
    for (let i = 0; i < gradientInputs; i++)
      add({ kind: 'derivative', op, file: 'native/autograd.cc', line: 0, text: `gradient of input ${i}${graph}` })
  return `if (std::strcmp(op, "${op}") == 0) return ${first};`
})
hook(
  'native/autograd.cc',
  /gradients = node->op->backward\([\s\S]*?;\n/,
  (statement) =>
    `${statement}      for (int k = 0; k < static_cast<int>(gradients.size()) && k < ${gradientInputs}; k++) {
        const int id = mutants::gradientMutant(node->op->name) + (graph ? ${gradientInputs} : 0);
        if (id >= ${gradientInputs} * graph && wanted[k] && gradients[k] && mutants::chosen(id + k)) gradients[k] = gradients[k] * 1.25 + 0.125;
      }\n`
)
hook(
  'native/autograd.cc',
  /^#include "autograd.h"\n/m,
  '#include "autograd.h"\n#include "mutants.h"\n#include "ops/elementwise_tensor.h"\n'
)

// Results of kernels, by kernel, result, and place.
const list = /#define NEEDLETAIL_KERNELS\(K\)((?:.*\\\n)*.*)/.exec(
  readFileSync(join(target, 'native/backend.h'), 'utf8')
)[1]
const kernels = [...list.matchAll(/K\((\w+),/g)].map(([, name]) => name)
const dtypes = ['float32', 'bfloat16', 'float16', 'int32', 'int64', 'uint8', 'bool']
const spoiltResults = 5
const firstKernel = mutants.length
for (const kernel of kernels)
  for (let i = 0; i < spoiltResults; i++)
    for (const place of ['the first element', ...dtypes.map((dtype) => `the last element (${dtype})`)])
      add({ kind: 'kernel', op: kernel, file: `kernel ${kernel}`, line: 0, text: `result ${i}: ${place}` })
hook('native/device.cc', /make\(call\)/, 'mutants::spoilt(call, make(call))')
hook('native/device.cc', /^#include "device.h"\n/m, '#include "device.h"\n#include "mutants.h"\n')

// elementwise_math.h and what includes the rows see NT_MUTATE.
for (const folder of ['native/ops', 'native/cpu', 'native/cpu/isa']) {
  if (!existsSync(join(target, folder))) continue
  for (const name of readdirSync(join(target, folder)).filter((one) => /\.(cc|h)$/.test(one))) {
    const path = join(target, folder, name)
    const text = readFileSync(path, 'utf8')
    if (/#include "(ops\/)?elementwise.def"/.test(text) && !text.startsWith('#include "mutants.h"'))
      writeFileSync(path, `#include "mutants.h"\n${text}`)
  }
}

writeFileSync(
  join(target, 'native/mutants_table.h'),
  `#pragma once
namespace needletail::mutants {
constexpr int kMutants = ${mutants.length};
constexpr int kKernelMutants = ${firstKernel};
constexpr int kSpoiltResults = ${spoiltResults};
inline int gradientMutant([[maybe_unused]] const char* op) {
  ${gradientMutants.map((line) => line.replace('std::strcmp', '__builtin_strcmp')).join('\n  ')}
  return -1;
}
}  // namespace needletail::mutants
`
)
writeFileSync(join(target, 'mutants.json'), JSON.stringify(mutants))
console.log(`mutants: ${mutants.length} places`)
