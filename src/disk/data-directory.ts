import { randomUUID } from 'node:crypto'
import { access, chmod, constants, lstat, mkdir, open, rmdir, stat, statfs, unlink } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createProblem, type Origin, type Problem } from '../config/problem.ts'
import type { Settings } from '../config/settings.ts'
import { errorCodeOf } from '../config/text-file.ts'
import { describeFolder } from './disk.ts'

/** The codes of problems with data directories, with their meanings; documentation and tests read them. */
export const diskProblems: Readonly<Record<string, string>> = {
  DATA_DIR_UNUSABLE: 'A data directory cannot be used; the next one is.',
  DATA_DIR_UNAVAILABLE: 'None of the data directories can be used.',
}

/** The folder for Holdfast's own files. */
export interface DataDirectory {
  /** Absolute; it exists, and a file was written in it. Null when none of the folders can be used. */
  readonly path: string | null
  readonly problems: readonly Problem[]
}

type FindDataDirectory = (folders: readonly string[], origin?: Origin | null) => Promise<DataDirectory>

/** Absolute folders for data, in the order to try them: DATA_DIR, `./data`, one in the temporary directory. Pure. */
export function dataFolders(settings: Settings, cwd: string): readonly string[] {
  return [...new Set([resolve(cwd, settings.data.dir), resolve(cwd, 'data'), temporaryFolder()])]
}

/**
 * The first folder that can be created and passes a real write, which leaves nothing behind. A skipped folder is an
 * error. `origin` is that of the first folder, DATA_DIR. Never throws.
 */
export const chooseDataDirectory: FindDataDirectory = (folders, origin = null) => firstOf(folders, origin, tryFolder)

/** As `chooseDataDirectory`, but creates nothing: what only a write can find is not found. Never throws. */
export const inspectDataDirectory: FindDataDirectory = (folders, origin = null) =>
  firstOf(folders, origin, lookAtFolder)

/** `reasonAgainst` gives null for a folder that can be used. */
async function firstOf(
  folders: readonly string[],
  origin: Origin | null,
  reasonAgainst: (folder: string) => Promise<string | null>,
): Promise<DataDirectory> {
  const skipped: Skipped[] = []
  for (const folder of folders) {
    const reason = await reasonAgainst(folder)
    if (reason === null) return { path: folder, problems: skipped.map((one) => unusable(one, folder)) }
    skipped.push({ folder, reason, origin: folder === folders[0] ? origin : null })
  }
  return { path: null, problems: [noneUsable(skipped, origin)] }
}

interface Skipped {
  readonly folder: string
  readonly reason: string
  readonly origin: Origin | null
}

/** Holdfast's folder in the temporary directory; named by user, because all users share that directory. */
export function temporaryFolder(): string {
  return join(tmpdir(), `holdfast-${ownUserId()}`)
}

async function tryFolder(folder: string): Promise<string | null> {
  let isCreated = false
  try {
    isCreated = await claimFolder(folder)
    await writeForReal(folder)
    return null
  } catch (error) {
    if (isCreated) await rmdir(folder).catch(() => {})
    return await reasonOf(error, folder)
  }
}

async function lookAtFolder(path: string): Promise<string | null> {
  try {
    const refusal = await folderRefusal(path)
    if (refusal !== null) return refusal
    let folder = path
    while (!(await isThere(folder))) folder = dirname(folder)
    if (!(await stat(folder)).isDirectory()) {
      throw new FolderError(folder === path ? 'is a file, not a directory' : 'is below a file, not a directory')
    }
    await access(folder, constants.W_OK | constants.X_OK)
    return (await freeBytes(folder)) === 0 ? 'is on a full disk' : null
  } catch (error) {
    return await reasonOf(error, path)
  }
}

/**
 * Creates a directory and its parents, whose names survive a power cut; true when it did not exist. Not `recursive: true`: where the system answers ENOENT
 * although the parent exists (/proc), Node then tries forever.
 */
export async function makeDirectory(path: string, mode: number): Promise<boolean> {
  const missing: string[] = []
  for (let folder = path; !(await isThere(folder)); folder = dirname(folder)) missing.unshift(folder)
  for (const folder of missing) {
    await mkdir(folder, { mode }).catch(ignoreExisting)
    await syncFolder(dirname(folder))
  }
  if (!(await stat(path)).isDirectory()) throw new FolderError('is a file, not a directory')
  return missing.length > 0
}

/** Makes the names in a folder survive a power cut. Best effort: some file systems cannot. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r')
    await handle.sync().finally(() => handle.close())
  } catch {
    // Not every file system syncs folders; the file's own syncs still hold.
  }
}

/** Another process may create the same folder at the same time. */
function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

/** Throws for what neither exists nor is simply missing, such as a path below a file. */
async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return false
    throw error
  }
}

/**
 * Creates a folder for data and makes sure that it may be used, for whatever is to be kept there; true when it did not
 * exist. Throws when it must not be used, with the code EACCES.
 */
export async function claimFolder(folder: string): Promise<boolean> {
  const isTemporary = folder === temporaryFolder()
  const isCreated = await makeDirectory(folder, dirname(folder) === tmpdir() ? 0o700 : 0o755)
  const refusal = await folderRefusal(folder)
  if (refusal !== null) throw new FolderError(refusal)
  if (isTemporary && ((await stat(folder)).mode & 0o077) !== 0) await chmod(folder, 0o700)
  return isCreated
}

/**
 * Why a folder must not be used for anything; null when it may, or is not there. In a shared directory any user can create
 * a folder of this name, and read what is written there.
 */
export async function folderRefusal(folder: string): Promise<string | null> {
  if (folder !== temporaryFolder() || !(await isThere(folder))) return null
  const found = await lstat(folder)
  if (!found.isDirectory()) return 'is a link, not a directory'
  return found.uid !== ownUserId() && ownUserId() !== -1 ? 'belongs to another user' : null
}

/** The space that this user may fill on a folder's disk; null where the file system does not report it. Never throws. */
export async function freeBytes(folder: string): Promise<number | null> {
  const disk = await statfs(folder).catch(() => null)
  if (disk === null || disk.blocks === 0) return null
  // Some blocks are kept for root.
  return (process.getuid?.() === 0 ? disk.bfree : disk.bavail) * disk.bsize
}

/** Permissions are not enough (read-only mounts, quotas, root): only a write that reached the disk is proof. */
async function writeForReal(folder: string): Promise<void> {
  const path = join(folder, `.holdfast-probe-${randomUUID()}`)
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile('holdfast')
    await file.sync()
  } finally {
    await file.close()
    await unlink(path)
  }
}

class FolderError extends Error {
  readonly code = 'EACCES'
}

async function reasonOf(error: unknown, folder: string): Promise<string> {
  if (error instanceof FolderError) return error.message
  const code = errorCodeOf(error) ?? ''
  if (code === 'EACCES' || code === 'EPERM') return `is not writable for this user (${await describeFolder(folder)})`
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'cannot be created',
    EROFS: 'is on a read-only disk',
    ENOSPC: 'is on a full disk',
    EDQUOT: 'is on a full disk',
    EEXIST: 'is a file, not a directory',
    ENOTDIR: 'is below a file, not a directory',
    ELOOP: 'is a link that leads to itself',
    ENAMETOOLONG: 'has a name that is too long',
  }
  return known[code] ?? `cannot be used${code === '' ? '' : ` (${code})`}`
}

/** The user's number; -1 on Windows, where users have none. */
function ownUserId(): number {
  return process.getuid?.() ?? userInfo().uid
}

function unusable({ folder, reason, origin }: Skipped, used: string): Problem {
  return createProblem('DATA_DIR_UNUSABLE', 'error', 'data.dir', {
    origin,
    message: `The data directory ${folder} ${reason}. Using ${used}.`,
    suggestion: 'Make that directory writable, or set DATA_DIR to one that is.',
  })
}

function noneUsable(skipped: readonly Skipped[], origin: Origin | null): Problem {
  return createProblem('DATA_DIR_UNAVAILABLE', 'error', 'data.dir', {
    origin,
    message: `No data directory can be used: ${skipped.map(({ folder, reason }) => `${folder} ${reason}`).join('; ')}.`,
    suggestion: 'Set DATA_DIR to a directory that this user can write.',
  })
}
