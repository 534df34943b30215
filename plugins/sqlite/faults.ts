import {
  type Fault,
  type FaultError,
  type FaultKind,
  faultError,
  type Phase,
  readError,
} from '../../src/driver/kit/driver-kit.ts'

interface Meaning {
  readonly kind: FaultKind
  readonly summary: string
  readonly hint: string
}

const meanings = {
  unwritable: {
    kind: 'unwritable',
    summary: 'The SQLite file cannot be opened or written.',
    hint: 'Check that the folder exists and belongs to the user of this process.',
  },
  disk: {
    kind: 'disk-full',
    summary: 'The disk of the SQLite file is full.',
    hint: 'Free space; writes are taken again without a restart.',
  },
  corrupt: {
    kind: 'corrupt',
    summary: 'The file is damaged, or is no SQLite database.',
    hint: 'Restore it from a copy, or move it away so that a new one is made.',
  },
  busy: {
    kind: 'transient',
    summary: 'The SQLite file is locked by another writer.',
    hint: 'Try again; look for another process that has the file open.',
  },
  moved: {
    kind: 'lost',
    summary: 'The SQLite file was moved or removed while it was open.',
    hint: 'It is opened anew; do not touch the file while the service runs.',
  },
  closed: { kind: 'lost', summary: 'The SQLite file is closed.', hint: 'Try again; it is opened anew.' },
  aborted: {
    kind: 'lost',
    summary: 'The operation was ended before it was done.',
    hint: 'Try again, or raise the limit that ended it.',
  },
  io: {
    kind: 'unwritable',
    summary: 'The disk of the SQLite file answered with an error.',
    hint: 'Look at the log of the machine for disk errors.',
  },
  memory: { kind: 'capacity', summary: 'SQLite ran out of memory.', hint: 'Give the process more memory.' },
  constraint: {
    kind: 'constraint',
    summary: 'The row breaks a rule of the table.',
    hint: 'Change the row, or the row that it collides with.',
  },
  statement: { kind: 'statement', summary: 'The statement failed.', hint: 'Look at the cause in the log.' },
} as const satisfies Record<string, Meaning>

/** Looked up by the whole code first, then by its first two words: extended codes refine the primary ones. */
const byCode: Readonly<Record<string, Meaning>> = {
  SQLITE_CANTOPEN: meanings.unwritable,
  SQLITE_READONLY: meanings.unwritable,
  SQLITE_READONLY_DBMOVED: meanings.moved,
  SQLITE_PERM: meanings.unwritable,
  SQLITE_AUTH: meanings.unwritable,
  SQLITE_FULL: meanings.disk,
  SQLITE_NOTADB: meanings.corrupt,
  SQLITE_CORRUPT: meanings.corrupt,
  SQLITE_BUSY: meanings.busy,
  SQLITE_LOCKED: meanings.busy,
  SQLITE_PROTOCOL: meanings.busy,
  SQLITE_INTERRUPT: meanings.aborted,
  SQLITE_IOERR: meanings.io,
  SQLITE_IOERR_CORRUPTFS: meanings.corrupt,
  // The shared-memory file could not grow: SQLite's only word for a full disk there.
  SQLITE_IOERR_SHMSIZE: meanings.disk,
  SQLITE_NOMEM: meanings.memory,
  SQLITE_CONSTRAINT: meanings.constraint,
  EACCES: meanings.unwritable,
  EPERM: meanings.unwritable,
  EROFS: meanings.unwritable,
  ENOENT: meanings.unwritable,
  ENOTDIR: meanings.unwritable,
  EISDIR: meanings.unwritable,
  EEXIST: meanings.unwritable,
  ELOOP: meanings.unwritable,
  ENAMETOOLONG: meanings.unwritable,
  EMFILE: meanings.memory,
  ENFILE: meanings.memory,
  ENOSPC: meanings.disk,
  EDQUOT: meanings.disk,
  EIO: meanings.io,
  ABORT_ERR: meanings.aborted,
}

/** Where the client gives no code, its message is all there is. */
const byMessage: readonly (readonly [RegExp, string, Meaning])[] = [
  [/directory does not exist/, 'SQLITE_CANTOPEN', meanings.unwritable],
  [/connection is not open|driver has already been destroyed/, 'SQLITE_CLOSED', meanings.closed],
  [/aborted|timed out/i, 'ABORTED', meanings.aborted],
]

/** Reads any thrown value. Total; the same value gives an equal fault. */
export function classify(error: unknown, phase: Phase): Fault {
  const fault = readError(error, (link) => faultOf(link, phase, error))
  return fault ?? { ...meanings.statement, code: 'SQLITE_UNKNOWN', ambiguous: false, cause: error }
}

function faultOf(link: object, phase: Phase, cause: unknown): Fault | null {
  const code = 'code' in link && typeof link.code === 'string' ? link.code : null
  const meaning = code === null ? null : meaningOf(code)
  if (code !== null && meaning !== null) return { ...meaning, code, ambiguous: isAmbiguous(code, phase), cause }
  const name = 'name' in link ? link.name : null
  const message = 'message' in link && typeof link.message === 'string' ? link.message : ''
  if (name === 'AbortError' || name === 'TimeoutError') {
    return { ...meanings.aborted, code: 'ABORTED', ambiguous: false, cause }
  }
  const found = byMessage.find(([pattern]) => pattern.test(message))
  return found === undefined ? null : { ...found[2], code: found[1], ambiguous: false, cause }
}

function meaningOf(code: string): Meaning | null {
  if (Object.hasOwn(byCode, code)) return byCode[code] ?? null
  const primary = code.split('_').slice(0, 2).join('_')
  if (Object.hasOwn(byCode, primary)) return byCode[primary] ?? null
  return code.startsWith('SQLITE_') ? meanings.statement : null
}

/** Only a disk error leaves a COMMIT open: its frames may or may not have reached the disk. */
function isAmbiguous(code: string, phase: Phase): boolean {
  return phase === 'commit' && (code.startsWith('SQLITE_IOERR') || code === 'EIO')
}

/** True for "another writer has the lock": the one failure that waiting mends. */
export function isBusy(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error) || typeof error.code !== 'string') return false
  return error.code.startsWith('SQLITE_BUSY') || error.code.startsWith('SQLITE_LOCKED')
}

/** The writer was not had within the limit. */
export function busyError(why: string, cause: unknown = null): FaultError {
  return faultError('transient', 'STORE_BUSY', why, 'Try again; long transactions hold the one writer.', { cause })
}

/** A change was met while the store takes none. */
export function readOnlyError(cause: unknown): FaultError {
  const summary = 'The store takes no changes now.'
  return faultError('read-only', 'STORE_READ_ONLY', summary, 'Reads go on; try the change again later.', { cause })
}

/** True for SQLite's plain word for "may not be changed"; its longer codes name other reasons. */
export function isReadOnlyRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'SQLITE_READONLY'
}

/** The file was closed under the caller. */
export function closedError(): FaultError {
  return faultError('lost', 'SQLITE_CLOSED', meanings.closed.summary, meanings.closed.hint)
}

/** Waiting would be for ever: the writer is held by the very code that waits. */
export function nestedError(): FaultError {
  return busyError('A second writer was asked for inside an open transaction.')
}
