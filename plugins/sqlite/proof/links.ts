import { lstat, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { nearestExisting } from '../../../src/driver/kit/driver-kit.ts'
import { isInside } from '../address/address.ts'
import type { FileLocation } from '../target.ts'

/** What opening refuses: a link, at the file or at a folder above it, whose goal is not below the place's root. */
export async function leadsOut({ file, root }: FileLocation): Promise<boolean> {
  const real = await realOrNull(root)
  if (real === null) return false
  const ends = [await nearestExisting(dirname(file)), (await isLink(file)) ? await realOrNull(file) : real]
  return ends.some((end) => end === null || (end !== real && !isInside(end, real)))
}

/**
 * The file behind a link that does not lead out: SQLite keeps its WAL beside that one, so it is what is synced, and what one
 * process alone may have.
 */
export async function behindLink(location: FileLocation): Promise<FileLocation> {
  if (!(await isLink(location.file)) || (await leadsOut(location))) return location
  return { ...location, file: (await realOrNull(location.file)) ?? location.file }
}

async function isLink(file: string): Promise<boolean> {
  return (await lstat(file).catch(() => null))?.isSymbolicLink() ?? false
}

async function realOrNull(path: string): Promise<string | null> {
  return await realpath(path).catch(() => null)
}
