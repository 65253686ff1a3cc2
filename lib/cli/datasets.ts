// `needletail datasets`: the sets that are fetched by name.
import { datasets } from '../index.js'
import { print, table, UsageError } from './output.js'

/** Prints a row for each set. */
export async function list(): Promise<void> {
  const sets = await datasets.list()
  const rows = sets.map(({ name, shape, classes, train, test, cached, folder }) => {
    return [name, train, test, shape.join('x'), classes.length, cached ? folder : '-']
  })
  print(table([['name', 'train', 'test', 'size', 'classes', 'on this machine'], ...rows]))
}

/** Fetches one; prints where it is. */
export async function fetch(name: string): Promise<void> {
  const known = (await datasets.list()).find((set) => set.name === name)
  await datasets.fetch(name).catch((error: Error) => {
    throw known ? error : new UsageError(error.message)
  })
  print(`${name}: ${known!.folder}`)
}
