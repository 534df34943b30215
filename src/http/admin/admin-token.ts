import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, link, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createProblem, type Problem } from '../../config/problem.ts'
import { Secret } from '../../config/secret.ts'
import { errorCodeOf } from '../../config/text-file.ts'
import { folderRefusal, makeDirectory } from '../../disk/data-directory.ts'
import type { TokenSource } from '../status/status-source.ts'

/** The admin token and where it comes from. */
export interface AdminToken {
  readonly token: Secret
  readonly source: TokenSource
  readonly problems: readonly Problem[]
}

/** Problems with the admin token, by code. */
export const adminTokenProblems: Readonly<Record<string, string>> = {
  ADMIN_TOKEN_UNUSABLE:
    'No admin token could be read or saved. Admin endpoints stay locked until a token is available.',
  ADMIN_TOKEN_READABLE: 'Other users of this machine could read the admin token file.',
  ADMIN_TOKEN_WEAK: 'The admin token is shorter than 16 characters and could be guessed.',
}

const fileName = 'admin-token'
const maxBytes = 1_024
/** Random tokens have at least this many characters; shorter ones are words. */
const strongLength = 16
/** How long a file may be empty or have a second link: another process may still be writing it. */
const unfinishedLimitMs = 500

/**
 * Returns the configured token, else the one in the first of `folders` that has one, else a new one that it saves in
 * `dataDir`, readable by its owner only. Never rejects and never overwrites: a file, or a folder, that cannot be read is
 * left alone and reported as a problem, and a token that no one knows is used; a new one could be a second one, since the
 * folder that is usable today need not be that of the last start. Two processes that start at the same time get the same
 * token.
 */
export async function ensureAdminToken(
  dataDir: string,
  configured: Secret | null,
  folders: readonly string[] = [dataDir],
): Promise<AdminToken> {
  if (configured !== null) return { token: configured, source: { from: 'setting' }, problems: weakness(configured) }
  const found = await findToken(folders, true)
  if (found !== null) return found
  const path = join(dataDir, fileName)
  try {
    return await createToken(dataDir, path)
  } catch (error) {
    return locked(path, error)
  }
}

/** The problems that `ensureAdminToken` would find, without changing anything. Never rejects. */
export async function inspectAdminToken(
  configured: Secret | null,
  folders: readonly string[],
): Promise<readonly Problem[]> {
  if (configured !== null) return weakness(configured)
  return (await findToken(folders, false))?.problems ?? []
}

/** Null if none of the folders has a token. */
async function findToken(folders: readonly string[], mayTighten: boolean): Promise<AdminToken | null> {
  for (const folder of folders) {
    const path = join(folder, fileName)
    try {
      const found = (await folderRefusal(folder)) === null ? await readToken(path, mayTighten) : null
      if (found !== null) return found
    } catch (error) {
      return locked(path, error)
    }
  }
  return null
}

function locked(path: string, error: unknown): AdminToken {
  return { token: new Secret(draw()), source: { from: 'memory' }, problems: [unusable(path, error)] }
}

function draw(): string {
  return randomBytes(24).toString('base64url')
}

/** Null if the file does not exist. Throws if it is not a regular, safe file with a token. */
async function readToken(path: string, mayTighten = true): Promise<AdminToken | null> {
  const limit = performance.now() + unfinishedLimitMs
  for (;;) {
    const found = await readFileOnce(path, mayTighten)
    if (found === null) return null
    const text = found.text.trim()
    if ((text === '' || found.links > 1) && performance.now() < limit) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      continue
    }
    if (found.links > 1) throw new Error('it has a second name (hard link), through which other users may change it')
    if (!/^[\x21-\x7e]{8,}$/.test(text))
      throw new Error('it does not contain a token (at least 8 characters on one line)')
    const token = new Secret(text)
    const problems = [...(found.wasOpen ? [wasReadable(path)] : []), ...weakness(token)]
    return { token, source: { from: 'file', path, fresh: false }, problems }
  }
}

interface FoundFile {
  readonly text: string
  readonly wasOpen: boolean
  /** Its number of hard links. */
  readonly links: number
}

async function readFileOnce(path: string, mayTighten: boolean): Promise<FoundFile | null> {
  const handle = await openSafely(path)
  if (handle === null) return null
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new Error('it is not a regular file')
    if (stat.size > maxBytes) throw new Error('it is too large')
    assertOurs(stat)
    const wasOpen = (stat.mode & 0o077) !== 0
    // Fails on mounts without file modes; the warning then still holds.
    if (wasOpen && mayTighten) await handle.chmod(0o600).catch(() => {})
    return { text: await handle.readFile('latin1'), wasOpen, links: stat.nlink }
  } finally {
    await handle.close()
  }
}

/** Anyone who can write the file could choose the token, so a planted file is rejected. Windows has no such owners. */
function assertOurs(stat: Stats): void {
  if (process.getuid === undefined) return
  if (stat.uid !== process.getuid() && stat.uid !== 0) throw new Error('another user owns it')
  if ((stat.mode & 0o022) !== 0) throw new Error('other users can write to it')
}

/** Does not follow symbolic links, which could lead to a file of another user's choice, and does not block on pipes. */
async function openSafely(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const code = errorCodeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw code === 'ELOOP' ? new Error('it is a symbolic link') : error
  }
}

async function createToken(dataDir: string, path: string): Promise<AdminToken> {
  await makeDirectory(dataDir, 0o755)
  const token = draw()
  const created = await createWhole(path, token)
  if (created) return { token: new Secret(token), source: { from: 'file', path, fresh: true }, problems: [] }
  const rival = await readToken(path)
  if (rival === null) throw new Error('it was removed while Holdfast read it')
  return rival
}

/** True if this process created the file; false if another was first. Where hard links work, the file appears complete. */
async function createWhole(path: string, token: string): Promise<boolean> {
  const draft = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(draft, `${token}\n`, { flag: 'wx', mode: 0o600, flush: true })
    return await exclusively(() => link(draft, path))
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK', 'EOPNOTSUPP'].includes(errorCodeOf(error) ?? '')) throw error
    return await exclusively(() => writeFile(path, `${token}\n`, { flag: 'wx', mode: 0o600, flush: true }))
  } finally {
    await rm(draft, { force: true })
  }
}

async function exclusively(create: () => Promise<void>): Promise<boolean> {
  try {
    await create()
    return true
  } catch (error) {
    if (errorCodeOf(error) === 'EEXIST') return false
    throw error
  }
}

function unusable(path: string, error: unknown): Problem {
  const why = error instanceof Error ? (errorCodeOf(error) ?? error.message) : 'unknown'
  return createProblem('ADMIN_TOKEN_UNUSABLE', 'warning', 'admin.token', {
    message: `ADMIN_TOKEN is not set, and the token file ${path} cannot be used: ${why}. Admin endpoints stay locked until a token is available.`,
    suggestion: 'Set ADMIN_TOKEN. Or remove that file and make its directory writable.',
  })
}

/** A short token is still used: rejecting it would lock out its owner. */
function weakness(token: Secret): readonly Problem[] {
  if (token.reveal().length >= strongLength) return []
  return [
    createProblem('ADMIN_TOKEN_WEAK', 'warning', 'admin.token', {
      message: `ADMIN_TOKEN: shorter than ${strongLength} characters, so it could be guessed.`,
      suggestion: 'Set ADMIN_TOKEN to a long random value, for example the output of "openssl rand -hex 24".',
    }),
  ]
}

function wasReadable(path: string): Problem {
  return createProblem('ADMIN_TOKEN_READABLE', 'warning', 'admin.token', {
    message: `Other users of this machine could read ${path}. At its start Holdfast makes it readable by its owner only, where the file system allows that.`,
    suggestion: 'Remove the file and restart to get a new token, or set ADMIN_TOKEN.',
  })
}
