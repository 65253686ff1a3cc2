// The package that decodes photos, loaded when the first is read. Apart, so that no public type mentions it: its own want Node.js's.
import { expected } from '../errors.js'

export async function loadSharp(op: string) {
  try {
    return (await import('sharp')).default
  } catch (error) {
    const hint = 'Install it: npm install sharp'
    throw expected(op, 'the package sharp', (error as Error).message.split('\n')[0], hint)
  }
}
