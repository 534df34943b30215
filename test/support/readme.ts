import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { driverSettings } from '../../src/config/driver-settings.ts'
import { showValue } from '../../src/config/formats.ts'
import { meaningOf } from '../../src/config/json-schema.ts'
import { FlatNames, snakeCase, statusNames } from '../../src/config/schema/flat-names.ts'
import { coreSchema } from '../../src/config/schema/schema.ts'
import type { Setting } from '../../src/config/setting.ts'
import { coreSettings } from '../../src/config/settings-schema.ts'
import { loadDrivers } from '../../src/driver/load.ts'
import { errorCatalogue } from '../../src/errors.ts'
import { repository } from './process.ts'
import { readSources } from './sources.ts'

/** The parts of the READMEs that are made from the code: by file, by the name of their markers. */
export async function readmeBlocks(): Promise<Readonly<Record<string, Readonly<Record<string, string>>>>> {
  return {
    'src/README.md': { names: namesTable(), errors: errorsTable() },
    'config/README.md': { settings: await settingsTable(), problems: await problemsTable() },
  }
}

/** The text with each block put between its markers. Throws when a marker is missing. */
export function withBlocks(text: string, blocks: Readonly<Record<string, string>>): string {
  return Object.entries(blocks).reduce((whole, [name, block]) => {
    const [begin, end] = [`<!-- ${name}: made from the code -->`, `<!-- end of ${name} -->`]
    const [from, to] = [whole.indexOf(begin), whole.indexOf(end)]
    if (from < 0 || to < from) throw new Error(`There is no block "${name}".`)
    return `${whole.slice(0, from + begin.length)}\n${block}\n${whole.slice(to)}`
  }, text)
}

async function settingsTable(): Promise<string> {
  const { registry } = await loadDrivers(coreSchema.drivers.default, { cwd: repository })
  const declarations = registry.all.map(({ name, settings }) => [name, settings ?? {}])
  const own = driverSettings(Object.fromEntries(declarations), [])
  const rows = [...coreSettings, ...own.settings].map(([key, setting]) => [
    `\`${setting.env}\``,
    `\`${key}\``,
    showDefault(setting),
    meaningOf(setting),
  ])
  return table(['Environment', 'Key in JSON', 'Default', 'Meaning'], rows)
}

function showDefault(setting: Setting): string {
  const { default: value } = setting
  if (value === null || (Array.isArray(value) && value.length === 0)) return 'none'
  const values = Array.isArray(value) ? value : [typeof value === 'string' ? value : showValue(setting, value)]
  return values.map((one) => `\`${one}\``).join(', ')
}

/** What the data model has for each part of ours that has another name there. */
function namesTable(): string {
  const names = new FlatNames(coreSettings)
  const byKey = Map.groupBy(names.all, (word) => names.meaning(word, '') ?? '')
  const settings = [...coreSettings].filter(([key]) => /^(?:database|fallback)\./.test(key))
  const rows = [
    ['`DatabaseURLValidator`, `DatabaseURLResolver`', '`DatabaseUrlValidator`, `DatabaseUrlResolver`'],
    ...settings.map(([key, { env }]) => [
      (byKey.get(key) ?? []).map((word) => `\`${word}\``).join(', '),
      `setting \`${key}\`, environment \`${env}\``,
    ]),
    ...statusNames.map((name) => [`\`${snakeCase(name)}\``, `\`database.${name}\` of \`/status\``]),
  ]
  return table(['In the data model', 'Here'], rows)
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
