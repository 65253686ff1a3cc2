// `npm run docs`: one site of README, docs/ and the API, in out/site. A public symbol without a docstring, a type that a docstring's
// reader can't look up and a link that leads nowhere are errors. typedoc.json says how.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application, Converter, ReflectionKind, type Context, type ProjectReflection, type Reflection } from 'typedoc'

/** The documents that are read first; the others in docs/ follow. */
const FIRST = ['guide', 'data', 'training', 'from-tfjs', 'cli', 'devices']

function documents(): string[] {
  const inFolder = (folder: string) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`)
  const first = FIRST.map((name) => `docs/${name}.md`)
  const others = [...inFolder('docs/examples'), ...inFolder('docs')].filter((name) => !first.includes(name))
  return [...first, ...others, 'benchmarks/README.md', 'CONTRIBUTING.md', 'CHANGELOG.md']
}

/** Documents are called what their first heading says, not what their files are called; the library's module is the API. */
function nameByTitle({ project }: Context): void {
  for (const document of project.documents ?? []) {
    const title = /^# (.+)$/m.exec(document.content.map(({ text }) => text).join(''))
    if (title) document.name = title[1]!
  }
  for (const module of project.getChildrenByKind(ReflectionKind.Module)) module.name = 'API'
}

const TOLD =
  ReflectionKind.Class |
  ReflectionKind.Interface |
  ReflectionKind.TypeAlias |
  ReflectionKind.Variable |
  ReflectionKind.Property
const CALLED = ReflectionKind.CallSignature | ReflectionKind.GetSignature | ReflectionKind.SetSignature

/** What is public and has no docstring. Members of object types written in place are told of where they stand. */
function undocumented(project: ProjectReflection): string[] {
  const inPlace = (reflection: Reflection | undefined): boolean =>
    reflection !== undefined &&
    (reflection.kindOf(ReflectionKind.TypeLiteral | ReflectionKind.Parameter) || inPlace(reflection.parent))
  return project
    .getReflectionsByKind(TOLD | CALLED)
    .filter((reflection) => !reflection.hasComment() && !inPlace(reflection))
    .map((reflection) => `${reflection.getFullName()} has no docstring`)
}

/** Links within the site's folder to a file or a heading that isn't there, as `page: link`. */
export function deadLinks(site: string): string[] {
  const pages = readdirSync(site, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.html'))
  const html = new Map(pages.map((page) => [resolve(site, page), readFileSync(join(site, page), 'utf8')]))
  const isThere = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true
  const dead: string[] = []
  for (const [page, text] of html) {
    for (const [, link = ''] of text.matchAll(/<(?:a|img|source|script|link)\b[^>]*? (?:href|src|srcset)="([^"]*)"/g)) {
      if (link === '' || /^(https?|mailto|data):/.test(link)) continue
      const { pathname, hash } = new URL(link.replaceAll('&amp;', '&'), `file://${page}`)
      const target = decodeURIComponent(pathname).replace(/\/$/, '/index.html')
      const id = decodeURIComponent(hash.slice(1))
      const found = isThere(target) && (id === '' || !html.has(target) || html.get(target)!.includes(` id="${id}"`))
      if (!found) dead.push(`${relative(site, page)}: ${link}`)
    }
  }
  return dead
}

/** Builds the site into `out`, and tells what is wrong with it. */
export async function build(out: string): Promise<string[]> {
  const app = await Application.bootstrapWithPlugins({
    out,
    projectDocuments: documents(),
    skipErrorChecking: true
  })
  app.converter.on(Converter.EVENT_RESOLVE_END, nameByTitle)
  const project = await app.convert()
  if (!project) return ['the library has errors, see above']
  app.validate(project)
  await app.generateDocs(project, out)
  const warnings = app.logger.warningCount + app.logger.errorCount
  return [...undocumented(project), ...(warnings > 0 ? [`${warnings} warnings, see above`] : []), ...deadLinks(out)]
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.chdir(root)
  const wrong = await build(join(root, 'out/site'))
  for (const problem of wrong) process.stderr.write(`docs: ${problem}\n`)
  process.exitCode = wrong.length > 0 ? 1 : 0
}
