// Puts the compiled modules into one file: Node.js takes about a millisecond to load each of them.
export default {
  input: 'out/lib/index.js',
  external: [/^node:/, 'sharp', 'fastest-levenshtein', 'yauzl', /^csv-parse/],
  output: { file: 'dist/index.js', format: 'es' }
}
