// `needletail report RUN...`: the page of a run, or one that compares several.
import { compare, report as make } from '../index.js'
import { print, UsageError } from './output.js'

export async function report(folders: string[], { output }: { output?: string }): Promise<void> {
  const [folder] = folders
  if (folders.length > 1) return print(await compare(folders, output))
  if (output !== undefined) throw new UsageError('--output is where several runs are compared: one has its report.html')
  print(await make(folder!))
}
