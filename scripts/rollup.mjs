// Puts the compiled modules into few files: Node.js takes about a millisecond to load each of them. The library is one; the command
// is one for each of its commands, and has the library beside it, not in it; so has the process of a sweep's trial.
import { resolve } from 'node:path'
import { nodeResolve } from '@rollup/plugin-node-resolve'

const library = resolve('out/lib/index.js')
// One package is put in, as far as it is used: a tenth of what it would take on a user's disk.
const bundled = /^@bufbuild\/protobuf/
const isPackage = (id) => !/^[./]/.test(id) && !bundled.test(id)

export default [
  {
    input: library,
    external: isPackage,
    plugins: [nodeResolve()],
    output: { dir: 'dist', format: 'es', entryFileNames: 'index.js', chunkFileNames: '[name].js' }
  },
  {
    input: { cli: 'out/lib/cli/main.js', trial: 'out/lib/cli/trial.js' },
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
