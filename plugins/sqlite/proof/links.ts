import { lstat, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { nearestExisting } from '../../../src/driver/kit/driver-kit.ts'
import { isInside } from '../address/address.ts'
import type { FileLocation } from '../target.ts'

/** What opening refuses: a link, at the file or at a folder above it, whose goal is not below the place's root. */
export async function leadsOut({ file, root }: FileLocation): Promise<boolean> {
  const real = await realOrNull(root)
  if (real === null) return false
  const isLink = (await lstat(file).catch(() => null))?.isSymbolicLink() ?? false
  const ends = [await nearestExisting(dirname(file)), isLink ? await realOrNull(file) : real]
  return ends.some((end) => end === null || (end !== real && !isInside(end, real)))
}

async function realOrNull(path: string): Promise<string | null> {
  return await realpath(path).catch(() => null)
}
