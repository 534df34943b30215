import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { coreSchema } from '../../src/config/schema/schema.ts'
import { loadDrivers } from '../../src/driver/load.ts'
import { errorCatalogue } from '../../src/errors.ts'
import { repository } from './process.ts'
import { readSources } from './sources.ts'

/** The parts of README that are made from the code, by the name of their markers. */
export async function readmeBlocks(): Promise<Readonly<Record<string, string>>> {
  return { settings: await settingsTable(), errors: errorsTable(), problems: await problemsTable() }
}

/** The text with each block put between its markers. Throws when a marker is missing. */
export function withBlocks(text: string, blocks: Readonly<Record<string, string>>): string {
  return Object.entries(blocks).reduce((whole, [name, block]) => {
    const [begin, end] = [`<!-- ${name}: made from the code -->`, `<!-- end of ${name} -->`]
    const [from, to] = [whole.indexOf(begin), whole.indexOf(end)]
    if (from < 0 || to < from) throw new Error(`README.md has no block "${name}".`)
    return `${whole.slice(0, from + begin.length)}\n${block}\n${whole.slice(to)}`
  }, text)
}

/** What is declared of a setting, as far as the table says it. */
interface Declared {
  readonly env: string
  readonly doc: string
  readonly default: unknown
  readonly format: unknown
}

async function settingsTable(): Promise<string> {
  const rows: (readonly string[])[] = []
  const visit = (node: object, path: string) => {
    if (isDeclared(node)) rows.push(settingRow(path, node))
    else for (const [key, value] of Object.entries(node)) visit(value, path === '' ? key : `${path}.${key}`)
  }
  visit(coreSchema, '')
  const { registry } = await loadDrivers(coreSchema.drivers.default, { cwd: repository })
  for (const { name, settings } of registry.all) {
    for (const [key, declared] of Object.entries(settings ?? {})) {
      rows.push(settingRow(`plugins.${name}.${key}`, declared))
    }
  }
  return table(['Environment', 'Key in JSON', 'Default', 'Meaning'], rows)
}

function isDeclared(node: object): node is Declared {
  return 'env' in node && typeof node.env === 'string' && 'doc' in node && typeof node.doc === 'string'
}

function settingRow(key: string, declared: Declared): string[] {
  return [`\`${declared.env}\``, `\`${key}\``, showDefault(key, declared.default), declared.doc]
}

/** A default with its unit, which the key's last letters name. */
function showDefault(key: string, value: unknown): string {
  if (value === null || (Array.isArray(value) && value.length === 0)) return 'none'
  if (Array.isArray(value)) return value.map((one) => `\`${one}\``).join(', ')
  if (typeof value !== 'number') return `\`${value}\``
  if (key.endsWith('Bytes')) return value % 1024 === 0 ? `${value / 1024} KiB` : `${value} B`
  if (key.endsWith('Ms')) return `${value} ms`
  if (!/[a-z]S$/.test(key)) return `\`${value}\``
  return value % 86_400 === 0 ? `${value / 86_400} d` : `${value} s`
}

function errorsTable(): string {
  const entries = Object.entries(errorCatalogue)
  return table(
    ['Code', 'Status', 'What is wrong', 'What to do'],
    entries.map(([code, { status, title, hint }]) => [`\`${code}\``, String(status), title, hint]),
  )
}

async function problemsTable(): Promise<string> {
  const rows = Object.entries(await problemCatalogue()).sort(([a], [b]) => a.localeCompare(b))
  return table(
    ['Code', 'Meaning'],
    rows.map(([code, meaning]) => [`\`${code}\``, meaning]),
  )
}

const declaration = /^export const (\w+Problems)\b/gm

/** Every problem's code with its meaning: each room keeps its own in a constant whose name ends in `Problems`. */
export async function problemCatalogue(): Promise<Readonly<Record<string, string>>> {
  const all: Record<string, string> = {}
  for (const file of [...readSources('src'), ...readSources('plugins')]) {
    for (const [, name = ''] of file.text.matchAll(declaration)) {
      const module: Record<string, unknown> = await import(pathToFileURL(join(repository, file.path)).href)
      for (const [code, meaning] of Object.entries(module[name] ?? {}))
        if (typeof meaning === 'string') all[code] = meaning
    }
  }
  return all
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cellOf).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Outside of code, `<NODE_ENV>` would be taken for a tag and not be seen. */
function cellOf(text: string): string {
  const cell = text.replaceAll('|', '\\|')
  return cell.startsWith('`') ? cell : cell.replaceAll('<', '&lt;')
}
