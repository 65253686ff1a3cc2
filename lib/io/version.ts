import { createRequire } from 'node:module'

/** The library's version, from its package.json. */
export const { version } = createRequire(import.meta.url)('needletail/package.json') as { version: string }
