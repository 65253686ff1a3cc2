// Suites that run on every device.
import * as nt from '../../lib/index.js'

/** Whether this is what scripts/pack-gpu has compiled: nothing there runs TypeScript. */
export const packed = import.meta.url.endsWith('.js')

const named = process.env['NEEDLETAIL_TEST_DEVICE']

/**
 * The device beside the CPU: the GPU's kernels compiled to run on the processor, unless NEEDLETAIL_TEST_DEVICE names another, which must
 * then be there.
 */
export const otherDevice = named ?? 'emulated'
const isThere = named !== undefined || nt.devices().includes(otherDevice)

/** Skips the tests of a `describe` where the other device isn't built. Call it within `describe`. */
export function needsOtherDevice(): void {
  before(function () {
    if (isThere) return
    console.log('  left out: node scripts/build.mjs -DNEEDLETAIL_EMULATED=ON builds the device.')
    this.skip()
  })
}

/** A `describe` for each device, with it as the default device; where another was named, for that alone. */
export function onEachDevice(title: string, suite: (this: Mocha.Suite, device: string) => void): void {
  for (const device of named === undefined ? ['cpu', otherDevice] : [named]) {
    describe(`${title} on ${device}`, function () {
      if (device !== 'cpu') needsOtherDevice()
      before(() => void nt.device(device))
      after(() => void nt.device('cpu'))
      nt.withDevice(isThere ? device : 'cpu', () => suite.call(this, device))
    })
  }
}
