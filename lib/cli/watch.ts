// `needletail watch`: a page that follows trainings.
import { watch as serve } from '../index.js'
import { print } from './output.js'

/** Prints the page's address, and serves until the process is ended. */
export async function watch(folder: string, options: { port?: number }): Promise<void> {
  const { url } = await serve(folder, options)
  print(url)
  process.stderr.write(`watching ${folder}; Ctrl-C ends it\n`)
}
