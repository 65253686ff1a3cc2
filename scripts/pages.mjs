// Bundles the scripts and styles of the HTML pages, each as one file that needs no other: lib/report/browser/pages/x.ts becomes
// dist/report/x.js and, of the styles that it imports, dist/report/x.css.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

const folder = 'lib/report/browser/pages'
// A page that is sent on has what its licence asks to be kept.
const licence = readFileSync('node_modules/d3-scale/LICENSE', 'utf8')

await build({
  entryPoints: readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
  outdir: 'dist/report',
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['es2022', 'chrome109', 'firefox115', 'safari16.4'],
  charset: 'utf8',
  legalComments: 'none',
  banner: { js: `/* Charts by d3. ${licence.trim()} */` },
  logLevel: 'warning'
})
