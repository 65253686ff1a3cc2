// The header of the safetensors format (https://github.com/huggingface/safetensors): 8 bytes with its length, little
// endian, then JSON: { "<name>": { "dtype", "shape", "data_offsets": [begin, end] }, …, "__metadata__": { text: text } }.
// The tensors' bytes follow, little endian and row-major, without holes. A reader trusts nothing of it.
import { elementBytes, type DType } from '../tensor.js'
import { expected } from '../errors.js'
import { parseJson, type Json } from './json.js'

/** The longest header that is read, in bytes, as in the reference implementation. */
export const MAX_HEADER = 100_000_000
const MAX_RANK = 8
const METADATA = '__metadata__'

const CODES: Record<DType, string> = {
  ...{ float32: 'F32', bfloat16: 'BF16', float16: 'F16' },
  ...{ int32: 'I32', int64: 'I64', uint8: 'U8', bool: 'BOOL' }
}
const BY_CODE = new Map(Object.entries(CODES).map(([dtype, code]) => [code, dtype as DType]))

/** A tensor in a file: its bytes are [begin, end), counted from the end of the header. */
export interface Entry {
  dtype: DType
  shape: number[]
  begin: number
  end: number
}

export interface Header {
  entries: Map<string, Entry>
  metadata: Map<string, string>
}

/** The header's bytes, its length in front, padded with spaces so that the tensors' bytes begin at a multiple of 8. */
export function encodeHeader({ entries, metadata }: Header): Buffer {
  const members: string[] = []
  const add = (name: string, value: unknown) => members.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`)
  if (metadata.size > 0) add(METADATA, Object.fromEntries(metadata))
  for (const [name, { dtype, shape, begin, end }] of entries) {
    add(name, { dtype: CODES[dtype], shape, data_offsets: [begin, end] })
  }
  const json = Buffer.from(`{${members.join(',')}}`)
  const length = Math.ceil(json.length / 8) * 8
  const bytes = Buffer.alloc(8 + length, ' ')
  bytes.writeBigUInt64LE(BigInt(length))
  json.copy(bytes, 8)
  return bytes
}

/** Lays tensors out one after the other, those of wide elements first so that each begins at a multiple of its width. */
export function layOut(tensors: Iterable<[name: string, dtype: DType, shape: readonly number[]]>): Map<string, Entry> {
  const sorted = [...tensors].sort((a, b) => elementBytes[b[1]] - elementBytes[a[1]])
  const entries = new Map<string, Entry>()
  let begin = 0
  for (const [name, dtype, shape] of sorted) {
    const end = begin + elementBytes[dtype] * shape.reduce((product, size) => product * size, 1)
    entries.set(name, { dtype, shape: [...shape], begin, end })
    begin = end
  }
  return entries
}

/** Reads the header's JSON and checks it against the `size` bytes that follow it in the file. `what` names the file. */
export function decodeHeader(json: Uint8Array, size: number, what: string): Header {
  const refuse = (need: string, got: string) => refusal(what, need, got)
  let root: Json
  try {
    root = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(json))
  } catch (error) {
    throw refuse('a header of JSON', (error as Error).message)
  }
  if (!(root instanceof Map)) throw refuse('an object as its header', describe(root))
  const entries = new Map<string, Entry>()
  const metadata = new Map<string, string>()
  for (const [name, value] of root) {
    if (name.split('.').includes('__proto__')) throw refuse('harmless names', JSON.stringify(name))
    if (!(value instanceof Map)) throw refuse(`an object for ${JSON.stringify(name)}`, describe(value))
    if (name === METADATA) {
      for (const [key, text] of value) {
        if (key === '__proto__') throw refuse('harmless names', JSON.stringify(key))
        if (typeof text !== 'string') throw refuse(`text as metadata ${JSON.stringify(key)}`, describe(text))
        metadata.set(key, text)
      }
    } else entries.set(name, decodeEntry(name, value, refuse))
  }
  checkRanges(entries, size, refuse)
  return { entries, metadata }
}

type Refuse = (need: string, got: string) => Error

/** The error about a file that isn't a proper safetensors file. */
export function refusal(what: string, need: string, got: string): Error {
  return expected('readSafetensors', `${need} in ${what}`, got, 'The file is damaged or not a safetensors file.')
}

function decodeEntry(name: string, value: Map<string, Json>, refuse: Refuse): Entry {
  const of = `of ${JSON.stringify(name)}`
  for (const key of value.keys()) {
    if (!['dtype', 'shape', 'data_offsets'].includes(key)) {
      throw refuse(`dtype, shape and data_offsets ${of}`, JSON.stringify(key))
    }
  }
  const code = value.get('dtype')
  const dtype = typeof code === 'string' ? BY_CODE.get(code) : undefined
  if (!dtype) throw refuse(`a dtype ${of} out of ${[...BY_CODE.keys()].join(', ')}`, describe(code))
  const shape = value.get('shape')
  if (!isSizes(shape) || shape.length > MAX_RANK) {
    throw refuse(`a shape ${of} of at most ${MAX_RANK} sizes`, describe(shape))
  }
  const offsets = value.get('data_offsets')
  if (!isSizes(offsets) || offsets.length !== 2) throw refuse(`two data_offsets ${of}`, describe(offsets))
  const [begin, end] = offsets as [number, number]
  // A product of sizes that passes 2^53 is no longer exact, but can't equal a range within a file either.
  const bytes = shape.reduce((product, size) => product * size, elementBytes[dtype])
  if (end - begin !== bytes) {
    throw refuse(`${bytes} bytes for ${dtype} [${shape.join(', ')}] ${of}`, `data_offsets [${begin}, ${end}]`)
  }
  return { dtype, shape, begin, end }
}

/** The tensors' ranges must cover the bytes that there are: no overlap, no hole, nothing left over. */
function checkRanges(entries: Map<string, Entry>, size: number, refuse: Refuse): void {
  const sorted = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)
  let at = 0
  for (const [name, { begin, end }] of sorted) {
    if (begin !== at) throw refuse(`the bytes of ${JSON.stringify(name)} to begin at ${at}`, `${begin}`)
    at = end
  }
  if (at !== size) throw refuse(`${at} bytes after the header`, `${size}`)
}

const isSizes = (value: Json | undefined): value is number[] =>
  Array.isArray(value) && value.every((n) => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0)

function describe(value: Json | undefined): string {
  if (value === undefined) return 'none'
  if (value instanceof Map) return 'an object'
  return Array.isArray(value) ? `[${value.map(describe).join(', ')}]` : JSON.stringify(value)
}
