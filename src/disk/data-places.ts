import { randomUUID } from 'node:crypto'
import { access, chmod, constants, lstat, mkdir, open, rmdir, stat, unlink } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { Origin, Problem } from '../config/problem.ts'
import type { Settings } from '../config/settings.ts'
import { errorCodeOf } from '../config/text-file.ts'

/** Where data came to lie. */
export interface DataDirectory {
  /** Absolute; it exists and a file could be written in it. Null when none of the places can be used. */
  readonly path: string | null
  readonly problems: readonly Problem[]
}

/** The folders that data may lie in, absolute, in the order to try them: DATA_DIR, `./data`, a folder of our own in the temporary directory. Pure. */
export function dataPlaces(settings: Settings, cwd: string): readonly string[] {
  return [...new Set([resolve(cwd, settings.data.dir), resolve(cwd, 'data'), temporaryPlace()])]
}

/**
 * The first place that can be made and passes a real write, which leaves nothing behind. A place that is passed over
 * is a warning. `origin`: of the first place, which is the setting's. Never throws.
 */
export async function chooseDataDirectory(
  places: readonly string[],
  origin: Origin | null = null,
): Promise<DataDirectory> {
  return await firstOf(places, origin, tryPlace)
}

/** As `chooseDataDirectory`, by looking only: nothing is made, so what only a write finds is not found. Never throws. */
export async function inspectDataDirectory(
  places: readonly string[],
  origin: Origin | null = null,
): Promise<DataDirectory> {
  return await firstOf(places, origin, lookAtPlace)
}

async function firstOf(
  places: readonly string[],
  origin: Origin | null,
  tried: (place: string) => Promise<string | null>,
): Promise<DataDirectory> {
  const passedOver: PassedOver[] = []
  for (const place of places) {
    const reason = await tried(place)
    if (reason === null) return { path: place, problems: passedOver.map((one) => elsewhere(one, place)) }
    passedOver.push({ place, reason, origin: place === places[0] ? origin : null })
  }
  return { path: null, problems: [nowhere(passedOver, origin)] }
}

interface PassedOver {
  readonly place: string
  readonly reason: string
  readonly origin: Origin | null
}

/** The folder of our own in the temporary directory; named by user, since the directory is shared by all of them. */
export function temporaryPlace(): string {
  return join(tmpdir(), `holdfast-${ownUserId()}`)
}

/** Null when the place can be used, else the reason why not. */
async function tryPlace(place: string): Promise<string | null> {
  const isTemporary = place === temporaryPlace()
  let made = false
  try {
    made = await makeDirectory(place, isTemporary ? 0o700 : 0o755)
    if (isTemporary) await claimTemporary(place)
    await writeForReal(place)
    return null
  } catch (error) {
    if (made) await rmdir(place).catch(() => {})
    return reasonOf(error)
  }
}

/** Null when the place looks usable, else the reason why not. */
async function lookAtPlace(place: string): Promise<string | null> {
  try {
    let folder = place
    while (!(await isThere(folder))) folder = dirname(folder)
    if (!(await stat(folder)).isDirectory()) {
      throw new PlaceError(folder === place ? 'is a file, not a directory' : 'is below a file, not a directory')
    }
    await access(folder, constants.W_OK | constants.X_OK)
    return null
  } catch (error) {
    return reasonOf(error)
  }
}

/**
 * Makes a directory and those above it; true when it was not there before. Not `recursive: true`: where the system answers ENOENT though the parent is there
 * (/proc), Node then tries for ever.
 */
export async function makeDirectory(place: string, mode: number): Promise<boolean> {
  const missing: string[] = []
  for (let folder = place; !(await isThere(folder)); folder = dirname(folder)) missing.unshift(folder)
  for (const folder of missing) await mkdir(folder, { mode }).catch(toleratingRival)
  if (!(await stat(place)).isDirectory()) throw new PlaceError('is a file, not a directory')
  return missing.length > 0
}

/** Another process may make the same folder at the same time. */
function toleratingRival(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

/** Throws for whatever is neither there nor plainly missing, such as a path below a file. */
async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return false
    throw error
  }
}

/** Anybody may make a folder of our name in a shared directory, and read what we would write there. */
async function claimTemporary(place: string): Promise<void> {
  const found = await lstat(place)
  if (!found.isDirectory()) throw new PlaceError('is a link or no directory')
  if (found.uid !== ownUserId() && ownUserId() !== -1) throw new PlaceError('belongs to another user')
  if ((found.mode & 0o077) !== 0) await chmod(place, 0o700)
}

/** Permissions lie (read-only mounts, quotas, root): only a write that reached the disk says that one can write. */
async function writeForReal(place: string): Promise<void> {
  const path = join(place, `.holdfast-probe-${randomUUID()}`)
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile('holdfast')
    await file.sync()
  } finally {
    await file.close()
    await unlink(path)
  }
}

class PlaceError extends Error {}

function reasonOf(error: unknown): string {
  if (error instanceof PlaceError) return error.message
  const code = errorCodeOf(error) ?? ''
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'cannot be made',
    EACCES: 'may not be written by this user',
    EPERM: 'may not be written by this user',
    EROFS: 'is on a read-only disk',
    ENOSPC: 'is on a full disk',
    EDQUOT: 'is on a full disk',
    EEXIST: 'is a file, not a directory',
    ENOTDIR: 'is below a file, not a directory',
    ELOOP: 'is a link that leads to itself',
    ENAMETOOLONG: 'has too long a name',
  }
  return known[code] ?? `cannot be used${code === '' ? '' : ` (${code})`}`
}

/** The user's number; -1 where users have none (Windows). */
function ownUserId(): number {
  return process.getuid?.() ?? userInfo().uid
}

function elsewhere({ place, reason, origin }: PassedOver, used: string): Problem {
  return {
    code: 'DATA_DIR_UNUSABLE',
    severity: 'warning',
    setting: 'data.dir',
    origin,
    part: null,
    message: `The data directory ${place} ${reason}; ${used} is used instead.`,
    suggestion: 'Make it a directory that this user can write, or set DATA_DIR to one.',
  }
}

function nowhere(passedOver: readonly PassedOver[], origin: Origin | null): Problem {
  return {
    code: 'DATA_DIR_NONE',
    severity: 'error',
    setting: 'data.dir',
    origin,
    part: null,
    message: `No data directory can be used: ${passedOver.map(({ place, reason }) => `${place} ${reason}`).join('; ')}.`,
    suggestion: 'Set DATA_DIR to a directory that this user can write.',
  }
}
