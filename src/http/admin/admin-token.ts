import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, link, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Problem } from '../../config/problem.ts'
import { Secret } from '../../config/secret.ts'
import { errorCodeOf } from '../../config/text-file.ts'
import { makeDirectory } from '../../disk/data-places.ts'
import type { TokenSource } from '../status/status-source.ts'

/** The token that is in force, and where whoever needs it finds it. */
export interface AdminToken {
  readonly token: Secret
  readonly source: TokenSource
  readonly problems: readonly Problem[]
}

const fileName = 'admin-token'
const maxBytes = 1_024
/** What people draw has at least this many characters; shorter ones are words. */
const strongLength = 16
/** How long a file may be empty or have a second link: another process may be between making and finishing it. */
const unfinishedLimitMs = 500

/**
 * The configured token, else the one in the data directory, else a fresh one that is written there, readable by its
 * owner only. Never rejects and never overwrites: what lies there and cannot be used is left, named in a problem, and
 * a token that nobody knows is in force. Two processes that start together end with the same token.
 */
export async function ensureAdminToken(dataDir: string, configured: Secret | null): Promise<AdminToken> {
  if (configured !== null) return { token: configured, source: { from: 'setting' }, problems: weakness(configured) }
  const path = join(dataDir, fileName)
  try {
    return (await readToken(path)) ?? (await createToken(dataDir, path))
  } catch (error) {
    return { token: new Secret(draw()), source: { from: 'memory' }, problems: [unusable(path, error)] }
  }
}

function draw(): string {
  return randomBytes(24).toString('base64url')
}

/** Null when there is no file. Throws when there is something else, or nothing that could be a token. */
async function readToken(path: string): Promise<AdminToken | null> {
  const limit = performance.now() + unfinishedLimitMs
  for (;;) {
    const found = await readFileOnce(path)
    if (found === null) return null
    const text = found.text.trim()
    if ((text === '' || found.links > 1) && performance.now() < limit) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      continue
    }
    if (found.links > 1) throw new Error('it has a second name (a hard link), through which others may change it')
    if (!/^[\x21-\x7e]{8,}$/.test(text)) throw new Error('it holds no token (at least 8 characters on one line)')
    const token = new Secret(text)
    const problems = [...(found.wasOpen ? [wasReadable(path)] : []), ...weakness(token)]
    return { token, source: { from: 'file', path, fresh: false }, problems }
  }
}

interface FoundFile {
  readonly text: string
  readonly wasOpen: boolean
  /** How many names it has. */
  readonly links: number
}

async function readFileOnce(path: string): Promise<FoundFile | null> {
  const handle = await openSafely(path)
  if (handle === null) return null
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new Error('it is no regular file')
    if (stat.size > maxBytes) throw new Error('it is too large')
    assertOurs(stat)
    const wasOpen = (stat.mode & 0o077) !== 0
    // Where modes mean nothing (some mounts) this fails, and the warning says what is the case.
    if (wasOpen) await handle.chmod(0o600).catch(() => {})
    return { text: await handle.readFile('latin1'), wasOpen, links: stat.nlink }
  } finally {
    await handle.close()
  }
}

/** Whoever may write the file chooses who is admin: a file that was planted is no token. Windows has no such owners. */
function assertOurs(stat: Stats): void {
  if (process.getuid === undefined) return
  if (stat.uid !== process.getuid() && stat.uid !== 0) throw new Error('it belongs to another user')
  if ((stat.mode & 0o022) !== 0) throw new Error('other users may write it')
}

/** Follows no symbolic link (it would read a file of somebody's choosing) and waits for no pipe. */
async function openSafely(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return null
    throw errorCodeOf(error) === 'ELOOP' ? new Error('it is a symbolic link') : error
  }
}

async function createToken(dataDir: string, path: string): Promise<AdminToken> {
  await makeDirectory(dataDir, 0o755)
  const token = draw()
  const created = await createWhole(path, token)
  if (created) return { token: new Secret(token), source: { from: 'file', path, fresh: true }, problems: [] }
  const rival = await readToken(path)
  if (rival === null) throw new Error('it was removed while it was read')
  return rival
}

/** True when the file is ours; false when another process was first. It appears whole, by a hard link, where there are such. */
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
  return {
    code: 'ADMIN_TOKEN_UNUSABLE',
    severity: 'warning',
    setting: 'admin.token',
    origin: null,
    part: null,
    message: `No admin token could be kept in ${path}: ${why}. Until there is one, nobody is admin.`,
    suggestion: 'Set ADMIN_TOKEN, or remove that file and make its directory writable.',
  }
}

/** A short token is used all the same: whoever chose it would be shut out. */
function weakness(token: Secret): readonly Problem[] {
  if (token.reveal().length >= strongLength) return []
  return [
    {
      code: 'ADMIN_TOKEN_WEAK',
      severity: 'warning',
      setting: 'admin.token',
      origin: null,
      part: null,
      message: `The admin token is shorter than ${strongLength} characters: it can be guessed.`,
      suggestion: 'Set ADMIN_TOKEN to a long random text, for example of "openssl rand -hex 24".',
    },
  ]
}

function wasReadable(path: string): Problem {
  return {
    code: 'ADMIN_TOKEN_READABLE',
    severity: 'warning',
    setting: 'admin.token',
    origin: null,
    part: null,
    message: `Other users of the machine could read ${path}; it was made readable for its owner only where that is possible.`,
    suggestion: 'Remove the file so that the next start draws a new token, or set ADMIN_TOKEN.',
  }
}
