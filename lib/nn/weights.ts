// A module's state in a safetensors file, and back.
import { expected, quoted } from '../errors.js'
import { readSafetensors, writeSafetensors, type Safetensors } from '../io/safetensors.js'
import { assign } from '../functional.js'
import type { DType, Tensor } from '../tensor.js'
import { version } from '../io/version.js'
import type { Layer } from './layer.js'
import type { Module } from './module.js'
import { BUILD_HINT, join, shapeText } from './names.js'
import { kindOf } from './parameter.js'

/** What `save` takes. */
export interface SaveOptions {
  /** Texts to keep in the file's metadata, beside the format, the library's version and the layout of the weights. */
  metadata?: Record<string, string> | undefined
}

/** What `load` takes. */
export interface LoadOptions {
  /**
   * What the names of the module's tensors begin with in the file; tensors of other names are left alone. The network in a
   * checkpoint of a run is at 'network.'.
   */
  prefix?: string | undefined
}

const FORMAT = 'needletail'
/** The order of the axes: convolution weights [out, height, width, in], linear weights [out, in]. */
const LAYOUT = { 'layout.convolution': 'OHWI', 'layout.linear': 'out,in' }

/** What a file of weights says of itself; a file that holds weights beside other tensors has these texts, too. */
export const weightsMetadata = { format: FORMAT, version, ...LAYOUT }

/** See Module.save. */
export async function saveWeights(module: Module<unknown>, path: string, options: SaveOptions): Promise<void> {
  if (!module.built) throw expected('save', 'layers that know their input size', 'some without', BUILD_HINT)
  const tensors = [...module.variables('parameter'), ...module.variables('buffer')]
  await writeSafetensors(path, tensors, { ...options?.metadata, ...weightsMetadata })
}

/** See Module.load. */
export async function loadWeights(module: Module<unknown>, path: string, options: LoadOptions): Promise<void> {
  const prefix = options?.prefix ?? ''
  if (typeof prefix !== 'string') throw expected('load', 'a prefix as text', quoted(prefix))
  takeWeights(module, await readSafetensors(path, { device: module.device }), path, prefix)
}

/** How another library's file is read: the call that errors name, and what that library calls the tensors. */
export interface Reading {
  op: string
  nameOf: (name: string) => string
}

const OWN: Reading = { op: 'load', nameOf: (name) => name }

/**
 * Puts the tensors of `file` whose names begin with `prefix` into the module; those of other names aren't looked at. `path`
 * is for messages. All that can fail comes before the first change. Names in errors are those in the file.
 */
export function takeWeights(
  module: Module<unknown>,
  file: Safetensors,
  path: string,
  prefix = '',
  reading = OWN
): void {
  const plan = matchWeights(module, file, (name) => prefix + reading.nameOf(name), prefix)
  checkLayout(plan, file, path)
  const problems = describeProblems(plan)
  if (problems) {
    throw expected(reading.op, `the tensors of ${module.constructor.name} in ${path}`, problems, 'Nothing was changed.')
  }
  const values = plan.found.map(({ name, dtype, target, layer }) =>
    file.tensors
      .get(name)!
      .to((target ?? layer!).device)
      .astype(dtype)
  )
  const created = new Map([...plan.sizes.keys()].map((layer) => [layer, new Map<string, Tensor<DType>>()]))
  for (const [i, { target, layer, member }] of plan.found.entries()) {
    if (target) assign(target, values[i]!)
    else created.get(layer!)!.set(member, values[i]!)
  }
  for (const [layer, size] of plan.sizes) layer.prepare(size, created.get(layer))
}

/** A tensor that the module wants: it goes into `target`, or becomes `member` of a layer that has none yet. */
interface Wanted {
  name: string
  member: string
  shape: readonly number[]
  dtype: DType
  target?: Tensor<DType>
  layer?: Layer<unknown>
}

interface Plan {
  found: Wanted[]
  sizes: Map<Layer<unknown>, readonly number[]>
  missing: string[]
  unexpected: string[]
  unfit: string[]
}

function matchWeights(module: Module<unknown>, { tensors }: Safetensors, nameOf: NameOf, prefix: string): Plan {
  const plan: Plan = { found: [], sizes: new Map(), missing: [], unexpected: [], unfit: [] }
  const known = new Set<string>()
  const seen = new Set<Tensor<DType>>()
  for (const [at, part] of module.namedModules()) {
    const name = (member: string): string => nameOf(join(at, member))
    for (const wanted of part.ownBuilt ? ownTensors(name, part, seen) : futureTensors(name, part, tensors, plan)) {
      known.add(wanted.name)
      const there = tensors.get(wanted.name)
      if (!there) plan.missing.push(wanted.name)
      else if (!sameShape(there.shape, wanted.shape) || !converts(there.dtype, wanted.dtype)) {
        const [file, here] = [there, wanted].map(({ dtype, shape }) => `${dtype} ${shapeText(shape)}`)
        plan.unfit.push(`${wanted.name} (${file} in the file, ${here} here)`)
      } else plan.found.push(wanted)
    }
    if (!part.ownBuilt) for (const member of (part as Layer<unknown>).waiting) known.add(name(member))
  }
  plan.unexpected = [...tensors.keys()].filter((name) => name.startsWith(prefix) && !known.has(name))
  return plan
}

/** The name in the file of a module's member. */
type NameOf = (member: string) => string

function ownTensors(name: NameOf, module: Module<unknown>, seen: Set<Tensor<DType>>): Wanted[] {
  const wanted: Wanted[] = []
  for (const [member, value] of module.members()) {
    if (!isTensor(value) || !kindOf(value) || seen.has(value)) continue
    seen.add(value)
    wanted.push({ name: name(member), member, shape: value.shape, dtype: value.dtype, target: value })
  }
  return wanted
}

const isTensor = (value: Module<unknown> | Tensor<DType>): value is Tensor<DType> => 'dtype' in value

/** What a layer that still waits for its input size will hold, judged by the shapes in the file. */
function futureTensors(name: NameOf, module: Module<unknown>, tensors: Map<string, Tensor<DType>>, plan: Plan) {
  const layer = module as Layer<unknown> // only layers wait
  const shapes = new Map<string, readonly number[]>()
  for (const member of layer.waiting) {
    const tensor = tensors.get(name(member))
    if (tensor) shapes.set(member, tensor.shape)
    else plan.missing.push(name(member))
  }
  if (shapes.size < layer.waiting.length) return []
  try {
    const size = layer.sizeFrom(shapes)
    if (size) {
      plan.sizes.set(layer, size)
      return Object.entries(layer.variablesFor(size)).map(([member, { shape, dtype }]): Wanted => ({
        name: name(member),
        member,
        shape,
        dtype,
        layer
      }))
    }
  } catch {
    // The layer can't have such tensors; that is said below.
  }
  for (const [member, shape] of shapes) {
    plan.unfit.push(`${name(member)} (${shapeText(shape)} in the file, not one of ${layer.constructor.name}'s here)`)
  }
  return []
}

/** Weights of a known order of axes only: [32, 3, 3, 3] looks the same in another. */
function checkLayout({ found }: Plan, { metadata }: Safetensors, path: string): void {
  for (const [key, layout] of Object.entries(LAYOUT)) {
    const got = metadata.get(key)
    if (got === layout || (got === undefined && !found.some(({ shape }) => shape.length > 2))) continue
    const origin = metadata.get('format') ?? 'no format'
    throw expected(
      'load',
      `${key} ${layout} in the metadata of ${path}`,
      got ?? `none (${origin})`,
      'Nothing was changed.'
    )
  }
}

function describeProblems({ missing, unexpected, unfit }: Plan): string {
  const lists = { missing, unexpected, 'of another shape': unfit }
  return Object.entries(lists)
    .filter(([, names]) => names.length > 0)
    .map(([problem, names]) => `${names.length} ${problem}: ${names.join(', ')}`)
    .join('; ')
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i])

const FLOATS: DType[] = ['float32', 'bfloat16', 'float16']
/** Floats of one precision may come from another; all else is taken as it is or not at all. */
const converts = (from: DType, to: DType): boolean => from === to || (FLOATS.includes(from) && FLOATS.includes(to))
