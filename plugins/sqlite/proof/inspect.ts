import { closeSync, openSync, readSync } from 'node:fs'
import { access, constants, lstat, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Inspection } from '../../../src/driver/driver.ts'
import {
  folderRefusal,
  freeBytes,
  nearestExisting,
  type Problem,
  type Severity,
} from '../../../src/driver/kit/driver-kit.ts'
import { applicationId, type FileLocation, maskPath, type SqliteTarget } from '../target.ts'
import { chooseFiles } from './choice.ts'
import { leadsOut } from './links.ts'
import { isServed } from './open-files.ts'

/** How long another process's lock is waited for. */
const waitMs = 1_000

type Say = (code: string, severity: Severity, message: string, suggestion: string) => void

/** What looking finds, without opening a database or making anything; with the file that would be used now. */
export async function inspectTarget(target: SqliteTarget): Promise<Inspection> {
  const problems: Problem[] = []
  const { setting, origin } = target
  const say: Say = (code, severity, message, suggestion) => {
    problems.push({ code, severity, setting, origin, part: 'path', message, suggestion })
  }
  if (target.isMemory) return { problems, path: null }
  let used: string | null = null
  const choice = await chooseFiles(target, waitMs)
  problems.push(...choice.problems)
  for (const [index, location] of choice.locations.entries()) {
    if (await isUsable(location, target, say)) {
      used = location.file
      if (index > 0)
        say('SQLITE_OTHER_FILE', 'error', `${maskPath(used)} would be used instead.`, 'Fix the configured path.')
      break
    }
  }
  return { problems, path: used ?? choice.locations[0]?.file ?? null }
}

async function isUsable(location: FileLocation, target: SqliteTarget, say: Say): Promise<boolean> {
  const { file } = location
  const shown = maskPath(file)
  if (await leadsOut(location)) {
    const message = `A symbolic link leads ${shown} out of its folder, or to a file that does not exist.`
    say(
      'ADDRESS_PATH_OUTSIDE',
      'error',
      message,
      'Name the target of the link in SQLITE_ALLOW_PATHS and in the address.',
    )
    return false
  }
  const refusal = await folderRefusal(location.root)
  if (refusal !== null) {
    say('SQLITE_UNWRITABLE', 'error', `The folder of ${shown} ${refusal}.`, 'Set DATA_DIR to a folder of this user.')
    return false
  }
  const found = await stat(file).catch(() => null)
  if (found !== null && !found.isFile()) {
    const what = found.isDirectory() ? 'a folder' : 'a pipe, a socket or a device'
    say('SQLITE_NOT_A_FILE', 'error', `${shown} is ${what}.`, 'Name a file.')
    return false
  }
  const folder = await nearestExisting(dirname(file))
  const isFolder = (await stat(folder).catch(() => null))?.isDirectory() ?? false
  const closed = isFolder && (await isWritable(folder)) ? await unwritableOf(file) : file
  if (closed !== null) {
    const remedy = `Make ${closed === file ? 'the folder' : 'that file'} writable for the user of this process.`
    say('SQLITE_UNWRITABLE', 'error', `This user cannot write ${maskPath(closed)}.`, remedy)
    return false
  }
  if ((found?.size ?? 0) === 0 && (await freeBytes(folder)) === 0) {
    say('SQLITE_UNWRITABLE', 'error', `The disk of ${shown} is full.`, 'Free space on it, or name another folder.')
    return false
  }
  if (found === null || found.size === 0 || isServed(file)) return true
  const header = readHeader(file)
  if (isDatabase(header)) {
    if (isForeignMark(header.readInt32BE(markOffset))) say('SQLITE_FOREIGN_FILE', 'warning', ...foreignFile)
    return true
  }
  const isKept = target.role === 'primary' || target.isNamed
  const aside = isKept ? 'It is not touched.' : 'It would be moved aside, and a new file created.'
  const severity = isKept ? 'error' : 'warning'
  say('SQLITE_NOT_A_DATABASE', severity, `${shown} is not an SQLite database. ${aside}`, 'Name another file.')
  return !isKept
}

/** The file, or one that SQLite keeps next to it, that is there and not writable; null when there is none. */
async function unwritableOf(file: string): Promise<string | null> {
  for (const path of companionsOf(file)) {
    const isThere = (await lstat(path).catch(() => null)) !== null
    if (isThere && !(await isWritable(path))) return path
  }
  return null
}

async function isWritable(path: string): Promise<boolean> {
  const isFolder = (await stat(path).catch(() => null))?.isDirectory() ?? false
  return access(path, isFolder ? constants.W_OK | constants.X_OK : constants.W_OK).then(
    () => true,
    () => false,
  )
}

/** A file and those that SQLite keeps next to it. */
export function companionsOf(path: string): readonly string[] {
  return ['', '-wal', '-shm', '-journal'].map((suffix) => `${path}${suffix}`)
}

/** What is said of a file with the mark of another application. */
export const foreignFile = [
  'The file carries the mark of another application; it is used unchanged.',
  'Use a separate file for this service.',
] as const

/** True for an `application_id` that another application set. */
export function isForeignMark(id: unknown): boolean {
  return id !== 0 && id !== applicationId
}

const headerBytes = 100
/** Where the header has the `application_id`. */
const markOffset = 68

function isDatabase(header: Buffer): boolean {
  return header.toString('latin1').startsWith('SQLite format 3\0')
}

/** Synchronous, and only where this process has the file not open: closing it would drop SQLite's locks on it. */
function readHeader(file: string): Buffer {
  const bytes = Buffer.alloc(headerBytes)
  try {
    const descriptor = openSync(file, 'r')
    try {
      readSync(descriptor, bytes, 0, bytes.length, 0)
    } finally {
      closeSync(descriptor)
    }
  } catch {
    // What cannot be read is not a database.
  }
  return bytes
}
