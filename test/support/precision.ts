// Half precision as it is asked for, also on a processor that is slow in it.
const NAME = 'NEEDLETAIL_SLOW_COMPUTE'

function put(value: string | undefined): string | undefined {
  const before = process.env[NAME]
  if (value === undefined) delete process.env[NAME]
  else process.env[NAME] = value
  return before
}

/** For one call. */
export function asAsked<T>(f: () => T): T {
  const before = put('1')
  try {
    return f()
  } finally {
    put(before)
  }
}

/** For all tests of a suite. */
export function computeAsAsked(): void {
  let outer: string | undefined
  before(() => void (outer = put('1')))
  after(() => void put(outer))
}
