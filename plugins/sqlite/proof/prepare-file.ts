import type { Stats } from 'node:fs'
import { chmod, lstat, open, realpath, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import {
  claimFolder,
  faultError,
  makeDirectory,
  nearestExisting,
  syncFolder,
} from '../../../src/driver/kit/driver-kit.ts'
import { isInside } from '../address/address.ts'
import { openNative } from '../handle.ts'
import type { FileLocation, JournalMode } from '../target.ts'
import { companionsOf } from './inspect.ts'

/**
 * Makes the folder and proves it by a real write.
 *
 * @returns the journal mode that works there: the wished one, or `delete`.
 * @throws what `classify` reads: `unwritable`, `disk-full`, or `configuration` when a symbolic link points outside.
 */
export async function prepareFile(location: FileLocation, wish: JournalMode): Promise<JournalMode> {
  const folder = dirname(location.file)
  await claimFolder(location.root)
  const root = await realpath(location.root)
  await assertWithin(await nearestExisting(folder), root)
  await makeDirectory(folder, 0o755)
  await assertFile(location.file, root)
  return await probe(folder, wish, await sizeOf(location.file))
}

/**
 * Makes a file that only its owner may read, or takes the rights of others from one that is there: it will hold rows of
 * the primary, whose readers are the primary's to choose. What SQLite makes next to it gets its rights. Somebody else's file
 * is left as it is.
 */
export async function makePrivate(file: string): Promise<void> {
  try {
    const made = await open(file, 'ax', ownerOnly)
    await made.close()
    return
  } catch (error) {
    // SQLite meets it, too, and says it in its own words.
    if (!hasCode(error, 'EEXIST')) return
  }
  // Never opened here: closing it would drop SQLite's locks on it.
  for (const path of companionsOf(file)) {
    const found = await statOrNull(path)
    if (found !== null && (found.mode & rightsOfOthers) !== 0) await chmod(path, ownerOnly).catch(() => {})
  }
}

const ownerOnly = 0o600
const rightsOfOthers = 0o077

/** Bytes of a file; 0 when it is not there. The file is not opened: closing it would drop SQLite's locks on it. */
export async function sizeOf(file: string): Promise<number> {
  const found = await statOrNull(file)
  return found?.size ?? 0
}

async function statOrNull(file: string): Promise<Stats | null> {
  try {
    return await stat(file)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}

/** True for a system error of this code. */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code
}

async function assertWithin(real: string, root: string): Promise<void> {
  if (relative(root, real) === '' || isInside(real, root)) return
  throw faultError(
    'configuration',
    'ADDRESS_PATH_OUTSIDE',
    'A symbolic link in the path points outside its folder.',
    'Point the link inside, or name its target in SQLITE_ALLOW_PATHS and in the address.',
  )
}

async function assertFile(file: string, root: string): Promise<void> {
  const found = await lstat(file).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  })
  if (found === null) return
  if (found.isSymbolicLink()) await assertWithin(await realpath(file), root)
  const goal = await stat(file)
  if (goal.isFile()) return
  const summary = 'The path of the SQLite file is not a file.'
  const what = goal.isDirectory() ? 'a folder' : 'a pipe, a socket or a device'
  throw faultError('unwritable', 'SQLITE_NOT_A_FILE', summary, `Name a file; this path is ${what}.`)
}

async function probe(folder: string, wish: JournalMode, size: number): Promise<JournalMode> {
  const modes: readonly JournalMode[] = wish === 'wal' ? ['wal', 'delete'] : ['delete']
  let failure: unknown = null
  for (const mode of modes) {
    try {
      await writeThrowAway(folder, mode)
      return mode
    } catch (error) {
      failure ??= error
    }
  }
  // A full disk still answers reads from a database that is there.
  const isFull = hasCode(failure, 'SQLITE_FULL') || hasCode(failure, 'SQLITE_IOERR_SHMSIZE')
  if (isFull && size > 0) return wish
  throw failure
}

/**
 * A row in a file of its own: `journal_mode=WAL` may be granted on a file system without shared memory and then fail
 * at the first write, with no way back on that connection.
 */
async function writeThrowAway(folder: string, mode: JournalMode): Promise<void> {
  const file = probePath(folder)
  try {
    const native = openNative(file)
    try {
      native.pragma(`journal_mode = ${mode}`)
      native.pragma('synchronous = off')
      native.exec('create table probe (value integer); insert into probe values (1)')
    } finally {
      native.close()
    }
  } finally {
    for (const path of companionsOf(file)) await rm(path, { force: true }).catch(() => {})
  }
}

/**
 * Moves a damaged file and its companions aside, under names that keep them together. Nothing is overwritten.
 *
 * @returns the new name.
 */
export async function setAside(file: string): Promise<string> {
  const stamp = new Date().toISOString().replace(/[:.]/g, '-')
  let aside = `${file}.damaged-${stamp}`
  for (let count = 2; (await statOrNull(aside)) !== null; count += 1) aside = `${file}.damaged-${stamp}-${count}`
  // The file itself last: were this to end half-way, a new file would be opened with the WAL of the damaged one.
  for (const [index, path] of [...companionsOf(file).entries()].reverse()) {
    if ((await statOrNull(path)) !== null) await rename(path, companionsOf(aside)[index] ?? aside)
  }
  await syncFolder(dirname(file))
  return aside
}

/** ext2 to ext4, xfs, btrfs, overlay, tmpfs: where `fdatasync` on our own descriptor is known to sync reliably. */
const trustedFileSystems = new Set([0xef53, 0x58465342, 0x9123683e, 0x794c7630, 0x01021994])

/** True when commits may be synced through a descriptor of our own. */
export async function isTrusted(folder: string): Promise<boolean> {
  return trustedFileSystems.has((await statfs(folder)).type)
}

/** A throw-away file that probes a folder. */
function probePath(folder: string): string {
  return join(folder, `.holdfast-probe-${process.pid}-${Math.random().toString(36).slice(2)}.db`)
}
