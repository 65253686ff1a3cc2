// A page as one file that loads nothing: theme, script, data and pictures are in it, and the browser is told to fetch nothing.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expected } from '../errors.js'
import { Html, html, scriptJson } from './html.js'

export interface Page {
  title: string
  /** Which of lib/report/browser/pages/ shows it: its script and its style, bundled by the build. */
  view: string
  /** What the script gets from `pageData()`: anything that JSON can say. */
  data: unknown
  /** Whether the page may ask the server that it comes from; false unless given. */
  live?: boolean
}

/** The whole document. Data of any origin can do no harm in it: it is never HTML. */
export async function page({ title, view, data, live = false }: Page): Promise<string> {
  const [script, style] = await Promise.all([bundled(`${view}.js`), bundled(`${view}.css`)])
  const policy = [
    "default-src 'none'",
    'img-src data:',
    "style-src 'unsafe-inline'",
    `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`,
    "base-uri 'none'",
    "form-action 'none'",
    ...(live ? ["connect-src 'self'"] : [])
  ].join('; ')
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="needletail">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${Html.trusted(style)}</style>
</head>
<body>
<noscript><p>This page needs JavaScript, which it brings along: it loads nothing from anywhere.</p></noscript>
<main id="page"></main>
<script type="application/json" id="data">${Html.trusted(scriptJson(data))}</script>
<script>${Html.trusted(script)}</script>
</body>
</html>
`.toString()
}

/** The package's folder, from its source and from dist/ alike. */
const root = dirname(createRequire(import.meta.url).resolve('needletail/package.json'))

async function bundled(name: string): Promise<string> {
  const path = join(root, 'dist', 'report', name)
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw expected('report', `the script of a page at ${path}`, error.code ?? error.message, 'npm run build makes it.')
  })
}
