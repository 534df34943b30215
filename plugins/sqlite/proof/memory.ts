import { randomUUID } from 'node:crypto'
import { lstat, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FileLocation } from '../target.ts'
import { hasCode } from './prepare-file.ts'

const prefix = 'holdfast-memory-'

/** The folders that this process made: a process after it may have its number, as the first one of a container has. */
const ours = new Set<string>()

/** Where a database "in memory" lives: in a folder of its own, so that its end is one removal. Makes nothing. */
export function memoryFile(): FileLocation {
  const name = `${prefix}${process.pid}-${randomUUID()}`
  ours.add(name)
  const root = join(tmpdir(), name)
  return { root, file: join(root, 'memory.db') }
}

/** Removes what processes of this user left that ended without a chance to. Best effort; never throws. */
export async function removeLeftovers(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => [])
  for (const name of names) {
    const pid = pidOf(name)
    if (pid === null || ours.has(name) || (pid !== process.pid && isAlive(pid))) continue
    // Another thread's folder carries our number, too: only what is older than this process is left over.
    const beforeMs = pid === process.pid ? Date.now() - process.uptime() * 1_000 : Number.POSITIVE_INFINITY
    await removeOwn(join(tmpdir(), name), beforeMs).catch(() => {})
  }
}

/** Who made a folder of this name; null when it is none of ours. */
function pidOf(name: string): number | null {
  const pid = Number(/^holdfast-memory-(\d{1,9})-[0-9a-f-]{36}$/.exec(name)?.[1] ?? 0)
  return pid === 0 ? null : pid
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // A process of another user (EPERM) is alive, too.
    return !hasCode(error, 'ESRCH')
  }
}

/** The temporary directory is everybody's: a link, or a folder of another user, is not touched. */
async function removeOwn(folder: string, beforeMs: number): Promise<void> {
  const found = await lstat(folder)
  if (found.mtimeMs >= beforeMs) return
  if (!found.isDirectory() || found.uid !== process.getuid?.()) return
  await rm(folder, { recursive: true, force: true })
}
