import { createHash } from 'node:crypto'
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path'
import type { Address, Parsed } from '../../../src/driver/address.ts'
import {
  type AddressCode,
  type Report as AddressReport,
  archivedLife,
  decodePart,
  parseWith,
  readParameters,
  reportUnusualName,
  type Settings,
} from '../../../src/driver/kit/driver-kit.ts'
import { type FileLocation, maskPath, type SqliteTarget, type SyncMode } from '../target.ts'
import { parameters, type SqliteOptions } from './parameters.ts'

type Report = AddressReport<'SQLITE_MEMORY'>

/** No file system accepts longer ones: bytes of one name, bytes of the whole path. */
const nameLimitBytes = 240
const pathLimitBytes = 3_900

const example = 'sqlite:///./holdfast.db'

/** An address as read, before it is checked. */
interface Reading {
  path: string
  isMemory: boolean
}

/** The address as a target, or problems that name part, reason and remedy. Pure, total; reads nothing from the disk. */
export function parseAddress(address: Address, settings: Settings): Parsed<SqliteTarget> {
  return parseWith<SqliteTarget, 'SQLITE_MEMORY'>('sqlite', address, (report) => {
    const options: SqliteOptions = {
      journalMode: 'wal',
      sync: syncSetting(settings),
      isMemory: false,
      isReadOnly: false,
    }
    const { form } = address
    const reading = form === 'url' ? readUrl(address.text.reveal(), options, report) : readParts(address.name, report)
    const locations = reading === null ? null : locationsOf(reading, options, address, settings, report)
    if (locations === null) return null
    const isMemory = locations.length === 0
    const first = locations[0]?.file ?? ':memory:'
    const { role, setting, origin } = address
    return {
      driver: 'sqlite',
      id: isMemory ? `sqlite::memory:${role}` : idOf(first),
      host: null,
      port: null,
      database: maskPath(first),
      user: null,
      tls: null,
      role,
      setting,
      origin,
      locations,
      life: address.life ?? null,
      // SCHEMA_APPLY protects a primary; in Holdfast's own files tables are always made.
      mayMakeTables: role === 'fallback' || settings.database?.schemaApply !== 'none',
      isNamed: role === 'fallback' && address.life === undefined && !isMemory,
      isMemory,
      journalMode: options.journalMode,
      isArchived: isArchived(address, settings, options, isMemory),
      sync: options.sync,
    }
  })
}

/** Whether the changes of the file go to an archive. A declared primary's are not: its file is the user's. */
function isArchived(address: Address, settings: Settings, { journalMode }: SqliteOptions, isMemory: boolean): boolean {
  const isAsked = settings.archive?.url != null
  return isAsked && address.life === archivedLife && !isMemory && journalMode === 'wal'
}

/** Two files may have the same masked path. */
function idOf(file: string): string {
  const shown = maskPath(file)
  if (shown === file) return `sqlite:${file}`
  return `sqlite:${shown}#${createHash('sha256').update(file).digest('hex').slice(0, 16)}`
}

function syncSetting(settings: Settings): SyncMode {
  const value = settings.plugins?.sqlite?.sync
  return value === 'async' || value === 'full' ? value : 'auto'
}

function readParts(name: string | null, report: Report): Reading | null {
  const text = (name ?? '').trim()
  if (text === '') {
    const remedy = 'Set DATABASE_NAME, for example to holdfast.db.'
    report('ADDRESS_NAME_MISSING', 'error', 'name', 'The address names no file.', remedy)
    return null
  }
  reportUnusualName(report, basename(text))
  return text === ':memory:' ? { path: '', isMemory: true } : { path: text, isMemory: false }
}

/** `sqlite:///rel`, `sqlite:////abs`, `sqlite:rel`, `file:///abs`, `file:rel`, `sqlite://`, `:memory:`. */
function readUrl(text: string, options: SqliteOptions, report: Report): Reading | null {
  const match = /^(?:(sqlite3?(?:\+[a-z0-9]+)?|file):)?([\s\S]*)$/i.exec(text.trim())
  const isFile = match?.[1]?.toLowerCase() === 'file'
  const rest = match?.[2] ?? ''
  const at = rest.indexOf('?')
  const body = at < 0 ? rest : rest.slice(0, at)
  readParameters(at < 0 ? '' : rest.slice(at + 1), parameters, options, report)
  if (isMemoryName(body, match?.[1] !== undefined)) return { path: '', isMemory: true }
  const located = body.startsWith('//') ? withoutAuthority(body, isFile, report) : body
  reportUnusualName(report, basename(located ?? ''))
  return located === null ? null : { path: decode(located, report), isMemory: false }
}

/** SQLAlchemy's `sqlite://` and `sqlite:///` are in memory, too. */
function isMemoryName(body: string, hasScheme: boolean): boolean {
  return /^(\/{2,3})?:memory:$/i.test(body) || (hasScheme && (body === '//' || body === '///'))
}

/** The path after `//host/`. A file has no host, so a name there is read as the beginning of the path. */
function withoutAuthority(body: string, isFile: boolean, report: Report): string | null {
  const slash = body.indexOf('/', 2)
  const authority = slash < 0 ? body.slice(2) : body.slice(2, slash)
  const path = slash < 0 ? '' : body.slice(slash)
  if (authority.includes('@')) {
    report('ADDRESS_MALFORMED', 'error', 'host', 'An SQLite address has no user, password or host.', example)
    return null
  }
  if (authority === '' || (isFile && authority.toLowerCase() === 'localhost')) return isFile ? path : path.slice(1)
  const repaired = `${authority}${path}`
  const message = 'A file address has three slashes and no host; the text in its place is read as part of the path.'
  report('ADDRESS_REPAIRED', 'warning', 'host', message, `sqlite:///${maskPath(repaired)}`)
  return repaired
}

function decode(path: string, report: Report): string {
  const { text, isExact } = decodePart(path)
  if (!isExact) {
    const message = 'A "%" in the path begins no valid escape; the path is used unchanged.'
    report('ADDRESS_REPAIRED', 'warning', 'path', message, 'Write "%25" for a percent sign.')
  }
  return text
}

/** The files to try; empty for `:memory:`; null after an error was reported. */
function locationsOf(
  reading: Reading,
  options: SqliteOptions,
  address: Address,
  settings: Settings,
  report: Report,
): readonly FileLocation[] | null {
  if (options.isReadOnly) {
    const message = 'A database that is opened read-only cannot serve.'
    report('ADDRESS_READ_ONLY', 'error', 'query', message, 'Remove "mode=ro", or use FALLBACK_MODE=read-only.')
    return null
  }
  if (reading.isMemory || options.isMemory) {
    const message = 'A database in memory is a temporary file here and is removed at the end.'
    report('SQLITE_MEMORY', 'warning', 'path', message, `Name a file to keep the rows: ${example}`)
    return []
  }
  const path = reading.path.trim()
  const defect = pathDefect(path)
  if (defect !== null) {
    report(defect.code, 'error', 'path', defect.message, example)
    return null
  }
  return isAbsolute(path)
    ? absoluteLocations(path, address, settings, report)
    : relativeLocations(path, address, report)
}

function pathDefect(path: string): { readonly code: AddressCode; readonly message: string } | null {
  if (path === '') return { code: 'ADDRESS_NAME_MISSING', message: 'The address names no file.' }
  const invalid = (message: string) => ({ code: 'ADDRESS_PATH_INVALID' as const, message })
  if (/\p{Cc}/u.test(path)) return invalid('The path contains a control character.')
  if (/(^|[\\/])\.{0,2}$/.test(path)) return invalid('The path names a folder, not a file.')
  if (/^~(?:\/|$)|(?:^|\/)\$[A-Za-z_]\w*(?=\/|$)/.test(path)) {
    return invalid('The path contains "~" or a variable, which only a shell expands.')
  }
  const isTooLong =
    Buffer.byteLength(path) > pathLimitBytes || path.split('/').some((name) => Buffer.byteLength(name) > nameLimitBytes)
  return isTooLong ? invalid('The path is longer than file systems allow.') : null
}

function relativeLocations(path: string, address: Address, report: Report): readonly FileLocation[] | null {
  const roots = address.role === 'primary' ? address.folders.slice(0, 1) : address.folders
  const locations = roots
    .map((root) => ({ root: resolve(root), file: resolve(root, path) }))
    .filter(({ file, root }) => isInside(file, root))
  if (locations.length > 0) return distinct(locations)
  const message = roots.length === 0 ? 'There is no folder for the file.' : 'The path leaves the data directory.'
  report('ADDRESS_PATH_OUTSIDE', 'error', 'path', message, `sqlite:///./${maskPath(basename(path))}`)
  return null
}

function absoluteLocations(
  path: string,
  address: Address,
  settings: Settings,
  report: Report,
): readonly FileLocation[] | null {
  const file = resolve(path)
  const allowed = [...address.folders, ...(settings.data?.sqliteAllowPaths ?? [])].map((root) => resolve(root))
  const root = allowed.find((candidate) => isInside(file, candidate))
  if (root === undefined) {
    const shown = maskPath(resolve(file, '..'))
    const message = `The file is outside the data directory, and ${shown} is not in SQLITE_ALLOW_PATHS.`
    const suggestion = `Set SQLITE_ALLOW_PATHS=${shown}, or use sqlite:///./${maskPath(basename(file))}`
    report('ADDRESS_PATH_OUTSIDE', 'error', 'path', message, suggestion)
    return null
  }
  const declared = { root, file }
  if (address.role === 'primary') return [declared]
  const elsewhere = address.folders.map((folder) => ({
    root: resolve(folder),
    file: join(resolve(folder), basename(file)),
  }))
  return distinct([declared, ...elsewhere])
}

/** True when the file is below the folder. */
export function isInside(file: string, folder: string): boolean {
  const way = relative(folder, file)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

function distinct(locations: readonly FileLocation[]): readonly FileLocation[] {
  return locations.filter(({ file }, index) => locations.findIndex((other) => other.file === file) === index)
}
