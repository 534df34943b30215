import { accessSync, constants, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { chown, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** What this module needs of a test, a suite or a file: somewhere to hang the cleaning up. `TestContext` has it. */
export interface Cleanup {
  after(clean: () => void | Promise<void>): void
}

const stacks = new WeakMap<Cleanup, (() => void | Promise<void>)[]>()

/**
 * Cleans when the test ends, the last thing made first. `node:test` runs its hooks in the order in which they were
 * given, so that a folder would be removed while the process in it still writes.
 */
export function cleanLater(t: Cleanup, clean: () => void | Promise<void>): void {
  const stack = stacks.get(t)
  if (stack) stack.push(clean)
  else {
    const fresh = [clean]
    stacks.set(t, fresh)
    t.after(async () => {
      for (let next = fresh.pop(); next; next = fresh.pop()) await next()
    })
  }
}

/** Contents by path relative to a folder; folders are made. Null: the file is not there. */
export type Files = Readonly<Record<string, string | Uint8Array | null>>

/** An empty folder of this test's own (its real path), removed when the test ends. */
export async function makeTempDir(t: Cleanup, name = 'test', parent: string = tmpdir()): Promise<string> {
  const dir = await realpath(await mkdtemp(join(parent, `holdfast-${name}-`)))
  cleanLater(t, () => removeDir(dir))
  return dir
}

/** The same for code that cannot wait; the caller removes it. */
export function makeTempDirSync(name = 'test', parent: string = tmpdir()): string {
  return mkdtempSync(join(parent, `holdfast-${name}-`))
}

/**
 * Where database servers have their folders: in memory where there is enough of it, else among the temporary ones. Each new
 * database is 300 files, and on a disk's file system those took a third of the processor time of a run.
 */
export const serversDir: string = hasRoom('/dev/shm') ? '/dev/shm' : tmpdir()

/** Four gigabytes: some ten servers with fifty databases each are in use at once. */
function hasRoom(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK)
    const { bavail, bsize } = statfsSync(dir)
    return bavail * bsize > 4 * 1024 ** 3
  } catch {
    return false
  }
}

/** Removes a folder with all that is in it. Retried for a moment: a process that was just killed may still hold a file. */
export async function removeDir(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
}

/** The same, at the end of the process. */
export function removeDirSync(dir: string): void {
  rmSync(dir, { recursive: true, force: true })
}

/** Writes files below `dir`; null removes one. */
export async function writeFiles(dir: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const target = join(dir, path)
    if (content === null) await rm(target, { recursive: true, force: true })
    else {
      await mkdir(dirname(target), { recursive: true })
      await writeFile(target, content)
    }
  }
}

/** Gives a folder and all in it to a user. Only root can. */
export async function giveTo(dir: string, uid: number, gid: number): Promise<void> {
  await chown(dir, uid, gid)
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true })) {
    if (!entry.isSymbolicLink()) await chown(join(entry.parentPath, entry.name), uid, gid)
  }
}

/** For what a `before` hook makes: hooks given inside of a hook run at its end. Give the `after` of the suite or file. */
export function cleanupOf(after: (clean: () => Promise<void>) => void): Cleanup {
  const cleaners: (() => void | Promise<void>)[] = []
  after(async () => {
    for (let next = cleaners.pop(); next; next = cleaners.pop()) await next()
  })
  return { after: (clean) => void cleaners.push(clean) }
}
