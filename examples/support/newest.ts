import { readdir } from 'node:fs/promises'

/** The newest run folder of a name, runs/birds-002 of 'birds'. */
export async function newest(name: string): Promise<string> {
  const folders = await readdir('runs').catch(() => [])
  const numbers = folders.map((folder) => new RegExp(`^${name}-(\\d{3,})$`).exec(folder)?.[1]).filter(Boolean)
  const last = numbers.sort((a, b) => Number(a) - Number(b)).at(-1)
  if (last === undefined)
    throw new Error(`expected a run folder runs/${name}-001, got none. Run examples/${name}.ts first.`)
  return `runs/${name}-${last}`
}
