// Loads a module of the user's, also one in TypeScript where Node.js can't read that.
import { pathToFileURL } from 'node:url'
import { expected } from '../errors.js'

/** Node.js before 22.18 knows no TypeScript, later ones not all of it. */
const NO_TYPESCRIPT = ['ERR_UNKNOWN_FILE_EXTENSION', 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX']

/** What a module exports as its default. */
export async function defaultOf(path: string): Promise<unknown> {
  const url = pathToFileURL(path).href
  const module = (await import(url).catch(async (error: NodeJS.ErrnoException) => {
    if (!NO_TYPESCRIPT.includes(error.code ?? '')) throw error
    const { createJiti } = await import('jiti')
    return createJiti(import.meta.url).import(path)
  })) as { default?: unknown }
  if (module.default === undefined) {
    throw expected('sweep', `a default export in ${path}`, 'none', 'export default defineSweep({ … })')
  }
  return module.default
}
