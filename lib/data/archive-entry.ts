// What the readers of the archive formats have in common.

/** A member as the readers of the formats give it. What isn't read before the next is asked for is passed over. */
export interface Entry {
  name: string
  size: number
  isFile: boolean
  /** What it is, for messages about members that aren't files. */
  kind: string
  read(): Promise<Buffer>
}

/** What is wrong with an archive's bytes. */
export class Damaged extends Error {}
