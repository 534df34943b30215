import { createHash } from 'node:crypto'
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path'
import type { Address, Parsed } from '../../src/driver/address.ts'
import type { Problem, Settings } from '../../src/driver/kit/driver-kit.ts'
import { readParameters, type Tell, type Wishes } from './parameters.ts'
import { maskPath, type Place, type SqliteTarget, type SyncMode } from './target.ts'

/** Longer ones no file system takes: bytes of one name, bytes of the whole path. */
const nameLimitBytes = 240
const pathLimitBytes = 3_900

const example = 'sqlite:///./holdfast.db'

/** What the text of an address says, before it is looked at. */
interface Read {
  path: string
  isMemory: boolean
}

/** The address as a target, or problems that name part, reason and remedy. Pure, total; nothing on the disk is looked at. */
export function parseAddress(address: Address, settings: Settings): Parsed<SqliteTarget> {
  const problems: Problem[] = []
  const tell: Tell = (code, severity, part, message, suggestion) => {
    problems.push({ code, severity, setting: address.setting, origin: address.origin, part, message, suggestion })
  }
  const wishes: Wishes = { journalMode: 'wal', sync: syncSetting(settings), isMemory: false, isReadOnly: false }
  const read = address.form === 'url' ? readUrl(address.text.reveal(), wishes, tell) : readParts(address.name, tell)
  const places = read === null ? null : placesOf(read, wishes, address, settings, tell)
  if (places === null) return refused(problems, address)
  const isMemory = places.length === 0
  const first = places[0]?.file ?? ':memory:'
  const target: SqliteTarget = {
    driver: 'sqlite',
    id: isMemory ? `sqlite::memory:${address.role}` : idOf(first),
    host: null,
    port: null,
    database: maskPath(first),
    user: null,
    tls: null,
    role: address.role,
    setting: address.setting,
    origin: address.origin,
    places,
    isMemory,
    journalMode: wishes.journalMode,
    sync: wishes.sync,
  }
  return { target, problems }
}

/** A masked path alone would make one of two files. */
function idOf(file: string): string {
  const shown = maskPath(file)
  if (shown === file) return `sqlite:${file}`
  return `sqlite:${shown}#${createHash('sha256').update(file).digest('hex').slice(0, 16)}`
}

function refused(problems: readonly Problem[], address: Address): Parsed<SqliteTarget> {
  const [first, ...rest] = problems
  if (first !== undefined) return { problems: [first, ...rest] }
  const { setting, origin } = address
  const message = 'The address is not usable.'
  return {
    problems: [
      { code: 'SQLITE_ADDRESS', severity: 'error', setting, origin, part: null, message, suggestion: example },
    ],
  }
}

function syncSetting(settings: Settings): SyncMode {
  const value = settings.plugins?.sqlite?.sync
  return value === 'async' || value === 'full' ? value : 'auto'
}

function readParts(name: string | null, tell: Tell): Read | null {
  const text = (name ?? '').trim()
  if (text === '') {
    tell('SQLITE_NAME_MISSING', 'error', 'name', 'No file is named.', 'Set DATABASE_NAME, for example to holdfast.db.')
    return null
  }
  return text === ':memory:' ? { path: '', isMemory: true } : { path: text, isMemory: false }
}

/** `sqlite:///rel`, `sqlite:////abs`, `sqlite:rel`, `file:///abs`, `file:rel`, `sqlite://`, `:memory:`. */
function readUrl(text: string, wishes: Wishes, tell: Tell): Read | null {
  const match = /^(?:(sqlite3?(?:\+[a-z0-9]+)?|file):)?([\s\S]*)$/i.exec(text.trim())
  const isFile = match?.[1]?.toLowerCase() === 'file'
  const rest = match?.[2] ?? ''
  const at = rest.indexOf('?')
  const body = at < 0 ? rest : rest.slice(0, at)
  readParameters(at < 0 ? '' : rest.slice(at + 1), wishes, tell)
  if (isMemoryName(body, match?.[1] !== undefined)) return { path: '', isMemory: true }
  const located = body.startsWith('//') ? withoutAuthority(body, isFile, tell) : body
  return located === null ? null : { path: decode(located, tell), isMemory: false }
}

/** SQLAlchemy's `sqlite://` and `sqlite:///` are in memory too. */
function isMemoryName(body: string, hasScheme: boolean): boolean {
  return /^(\/{2,3})?:memory:$/i.test(body) || (hasScheme && (body === '//' || body === '///'))
}

/** What follows `//host/`; a host there is none of, so what stands at its place is read as the path's beginning. */
function withoutAuthority(body: string, isFile: boolean, tell: Tell): string | null {
  const slash = body.indexOf('/', 2)
  const authority = slash < 0 ? body.slice(2) : body.slice(2, slash)
  const path = slash < 0 ? '' : body.slice(slash)
  if (authority.includes('@')) {
    tell('SQLITE_ADDRESS', 'error', 'host', 'An SQLite address has no user, password or host.', example)
    return null
  }
  if (authority === '' || (isFile && authority.toLowerCase() === 'localhost')) return isFile ? path : path.slice(1)
  const repaired = `${authority}${path}`
  tell(
    'SQLITE_ADDRESS_REPAIRED',
    'warning',
    'host',
    'A file address has three slashes and no host; what stood there is read as part of the path.',
    `sqlite:///${maskPath(repaired)}`,
  )
  return repaired
}

function decode(path: string, tell: Tell): string {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    tell(
      'SQLITE_ADDRESS_REPAIRED',
      'warning',
      'path',
      'A "%" in the path begins no valid escape; the path is taken as it is.',
      'Write "%25" for a percent sign.',
    )
    return path
  }
}

/** The files to try; empty for `:memory:`; null when the path is not usable (then it was told why). */
function placesOf(
  read: Read,
  wishes: Wishes,
  address: Address,
  settings: Settings,
  tell: Tell,
): readonly Place[] | null {
  if (wishes.isReadOnly) {
    const message = 'A database that is opened read-only cannot serve.'
    tell('SQLITE_READ_ONLY_WISH', 'error', 'query', message, 'Leave "mode=ro" out, or use FALLBACK_MODE=read-only.')
    return null
  }
  if (read.isMemory || wishes.isMemory) {
    const message = 'A database in memory is a file in the temporary directory here, and is removed at the end.'
    tell('SQLITE_MEMORY', 'warning', 'path', message, `Name a file to keep the rows: ${example}`)
    return []
  }
  const path = read.path.trim()
  const defect = pathDefect(path)
  if (defect !== null) {
    tell(defect.code, 'error', 'path', defect.message, example)
    return null
  }
  return isAbsolute(path) ? absolutePlaces(path, address, settings, tell) : relativePlaces(path, address, tell)
}

function pathDefect(path: string): { readonly code: string; readonly message: string } | null {
  if (path === '') return { code: 'SQLITE_NAME_MISSING', message: 'No file is named.' }
  if (hasControl(path)) return { code: 'SQLITE_PATH_INVALID', message: 'The path has a control character.' }
  if (/(^|[\\/])\.{0,2}$/.test(path)) {
    return { code: 'SQLITE_PATH_FOLDER', message: 'The path names a folder, not a file.' }
  }
  const isTooLong =
    Buffer.byteLength(path) > pathLimitBytes || path.split('/').some((name) => Buffer.byteLength(name) > nameLimitBytes)
  return isTooLong ? { code: 'SQLITE_PATH_LONG', message: 'The path is longer than a file system takes.' } : null
}

function hasControl(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code < 32 || code === 127) return true
  }
  return false
}

function relativePlaces(path: string, address: Address, tell: Tell): readonly Place[] | null {
  const roots = address.role === 'primary' ? address.places.slice(0, 1) : address.places
  const places = roots
    .map((root) => ({ root: resolve(root), file: resolve(root, path) }))
    .filter(({ file, root }) => isInside(file, root))
  if (places.length > 0) return distinct(places)
  const message = roots.length === 0 ? 'There is no folder for the file.' : 'The path climbs out of the data directory.'
  tell('SQLITE_PATH_OUTSIDE', 'error', 'path', message, `sqlite:///./${maskPath(basename(path))}`)
  return null
}

function absolutePlaces(path: string, address: Address, settings: Settings, tell: Tell): readonly Place[] | null {
  const file = resolve(path)
  const allowed = [...address.places, ...(settings.data?.sqliteAllowPaths ?? [])].map((root) => resolve(root))
  const root = allowed.find((candidate) => isInside(file, candidate))
  if (root === undefined) {
    const shown = maskPath(resolve(file, '..'))
    const message = `The file is outside of the data directory, and ${shown} is not one of SQLITE_ALLOW_PATHS.`
    const suggestion = `Set SQLITE_ALLOW_PATHS=${shown}, or use sqlite:///./${maskPath(basename(file))}`
    tell('SQLITE_PATH_OUTSIDE', 'error', 'path', message, suggestion)
    return null
  }
  const declared = { root, file }
  if (address.role === 'primary') return [declared]
  const elsewhere = address.places.map((place) => ({
    root: resolve(place),
    file: join(resolve(place), basename(file)),
  }))
  return distinct([declared, ...elsewhere])
}

/** True when the file is below the folder. */
export function isInside(file: string, folder: string): boolean {
  const way = relative(folder, file)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

function distinct(places: readonly Place[]): readonly Place[] {
  return places.filter((place, index) => places.findIndex((other) => other.file === place.file) === index)
}
