import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { repository } from './process.ts'

/** One `import` or `export ... from` of a source file. */
export interface Import {
  /** As written: `./state.ts`, `node:fs`, `ajv`. */
  readonly specifier: string
  /** Path from the repository's root for a relative one, else null. */
  readonly path: string | null
  /** True for `import type`: gone at run time. */
  readonly typeOnly: boolean
}

/** One source file, read. */
export interface SourceFile {
  /** From the repository's root, with slashes: `src/database/work/work.ts`. */
  readonly path: string
  readonly text: string
  /** The text with comments and the inside of strings blanked, lines kept. */
  readonly code: string
  readonly imports: readonly Import[]
}

/** Every file below a folder of the repository whose name ends in `extension`; what only declares types is none. */
export function readSources(folder: string, extension = '.ts'): SourceFile[] {
  return readdirSync(join(repository, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension) && !entry.name.endsWith('.d.ts'))
    .map((entry) => readSource(relative(repository, join(entry.parentPath, entry.name)).replaceAll('\\', '/')))
    .sort((a, b) => a.path.localeCompare(b.path))
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(repository, path), 'utf8')
  const bare = blank(text, false)
  return { path, text, code: blank(text, true), imports: findImports(path, bare) }
}

const statement = /^(?:import|export)\s+(type\s)?[^'"`;()]*?from\s*'([^']+)'/gm
const sideEffect = /^import\s+'([^']+)'/gm
const dynamic = /\bimport\s*\(\s*'([^']+)'\s*\)/g

function findImports(path: string, bare: string): Import[] {
  const found: Import[] = []
  const add = (specifier: string | undefined, typeOnly: boolean) => {
    if (specifier === undefined) return
    const local = specifier.startsWith('.') ? join(dirname(path), specifier).replaceAll('\\', '/') : null
    found.push({ specifier, path: local, typeOnly })
  }
  for (const match of bare.matchAll(statement)) add(match[2], match[1] !== undefined)
  for (const match of bare.matchAll(sideEffect)) add(match[1], false)
  for (const match of bare.matchAll(dynamic)) add(match[1], false)
  return found
}

const skip = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`/g

/** Comments and template texts become blanks, and with `strings` what is quoted too. Tolerant: no parser, just tokens. */
function blank(text: string, strings: boolean): string {
  return text.replace(skip, (token) => {
    const isQuoted = token.startsWith("'") || token.startsWith('"')
    return isQuoted && !strings ? token : token.replace(/[^\n]/g, ' ')
  })
}
