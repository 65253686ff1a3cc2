// Mocha adds the files of the command line to those named here, so all tests are named only where no file is.
const named = process.argv
  .slice(2)
  .some((argument) => !argument.startsWith('-') && /^(\.\/)?test\/|\.ts$/.test(argument))

module.exports = {
  spec: named ? [] : ['test/**/*.test.ts'],
  // Tests are loaded as the ES modules they are, not through require().
  'node-option': ['import=tsx', 'expose-gc', 'no-experimental-require-module'],
  reporter: './test/support/reporter.cjs',
  timeout: 60000
}
