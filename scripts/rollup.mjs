// Puts the compiled modules into few files: Node.js takes about a millisecond to load each of them. The library is one; the command
// is one for each of its commands, and has the library beside it, not in it.
import { resolve } from 'node:path'

const library = resolve('out/lib/index.js')
const isPackage = (id) => !/^[./]/.test(id)

export default [
  { input: library, external: isPackage, output: { file: 'dist/index.js', format: 'es' } },
  {
    input: { cli: 'out/lib/cli/main.js' },
    external: (id) => isPackage(id) || id === library,
    output: {
      dir: 'dist',
      format: 'es',
      entryFileNames: '[name].js',
      chunkFileNames: 'cli-[name].js',
      paths: { [library]: './index.js' }
    }
  }
]
