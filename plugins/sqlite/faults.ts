import {
  codeOf,
  commonFaults,
  type Fault,
  type FaultError,
  type FaultMeaning,
  faultError,
  messageOf,
  type Phase,
  readError,
  type TableRule,
} from '../../src/driver/kit/driver-kit.ts'

const meanings = {
  unwritable: {
    kind: 'unwritable',
    summary: 'The SQLite file cannot be opened or written.',
    hint: 'Check that the folder exists and belongs to the user of this process.',
  },
  disk: {
    kind: 'disk-full',
    summary: 'The disk of the SQLite file is full.',
    hint: 'Free space; Holdfast then accepts writes again without a restart.',
  },
  corrupt: {
    kind: 'corrupt',
    summary: 'The file is damaged, or is not an SQLite database.',
    hint: 'Restore it from a backup, or move it away so that Holdfast creates a new one.',
  },
  busy: {
    kind: 'transient',
    summary: 'The SQLite file is locked by another writer.',
    hint: 'Try again; look for another process that has the file open.',
  },
  moved: {
    kind: 'lost',
    summary: 'The SQLite file was moved or removed while it was open.',
    hint: 'Holdfast opens it again; do not touch the file while the service runs.',
  },
  closed: { kind: 'lost', summary: 'The SQLite file is closed.', hint: 'Try again; Holdfast opens it again.' },
  aborted: commonFaults.aborted,
  io: {
    kind: 'unwritable',
    summary: 'The disk of the SQLite file reported an error.',
    hint: 'Look for disk errors in the log of the machine.',
  },
  memory: { kind: 'capacity', summary: 'SQLite ran out of memory.', hint: 'Give the process more memory.' },
  constraint: commonFaults.constraint,
  statement: commonFaults.statement,
} as const satisfies Record<string, FaultMeaning>

/** By the whole code, then by its first two words: extended codes refine the primary ones. */
const byCode: Readonly<Record<string, FaultMeaning>> = {
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
  SQLITE_CONSTRAINT_UNIQUE: commonFaults.unique,
  SQLITE_CONSTRAINT_PRIMARYKEY: commonFaults.unique,
  SQLITE_CONSTRAINT_ROWID: commonFaults.unique,
  SQLITE_CONSTRAINT_NOTNULL: commonFaults.required,
  SQLITE_CONSTRAINT_CHECK: commonFaults.check,
  SQLITE_CONSTRAINT_TRIGGER: commonFaults.check,
  SQLITE_CONSTRAINT_FOREIGNKEY: commonFaults.reference,
  SQLITE_CONSTRAINT_DATATYPE: commonFaults.value,
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

/** The client's messages that come without a code. */
const byMessage: readonly (readonly [RegExp, string, FaultMeaning])[] = [
  [/directory does not exist/, 'SQLITE_CANTOPEN', meanings.unwritable],
  [/connection is not open|driver has already been destroyed/, 'SQLITE_CLOSED', meanings.closed],
  [/aborted|timed out/i, 'ABORTED', meanings.aborted],
]

/** Reads any thrown value. Total; the same value becomes an equal fault. */
export function classify(error: unknown, phase: Phase): Fault {
  const fault = readError(error, (link) => faultOf(link, phase, error))
  return fault ?? { ...meanings.statement, code: 'ERROR_UNKNOWN', ambiguous: false, cause: error }
}

function faultOf(link: object, phase: Phase, cause: unknown): Fault | null {
  const code = codeOf(link)
  const meaning = code === null ? null : meaningOf(code)
  if (code !== null && meaning !== null) {
    const rule = meaning.rule === undefined ? {} : namesOf(meaning.rule, messageOf(link))
    return { ...meaning, ...rule, code, ambiguous: isAmbiguous(code, phase), cause }
  }
  const name = 'name' in link ? link.name : null
  const message = messageOf(link)
  if (name === 'AbortError' || name === 'TimeoutError') {
    return { ...meanings.aborted, code: 'ABORTED', ambiguous: false, cause }
  }
  const found = byMessage.find(([pattern]) => pattern.test(message))
  return found === undefined ? null : { ...found[2], code: found[1], ambiguous: false, cause }
}

/** What SQLite names behind the colon: `UNIQUE constraint failed: t.a, t.b` (or `index 'name'`), `CHECK ...: name`. */
function namesOf(rule: TableRule, message: string): Partial<Fault> {
  const named = /constraint failed: (.+)$/.exec(message)?.[1]
  if (named === undefined) return {}
  if (rule === 'check') return { constraint: named }
  const index = /^index '(.+)'$/.exec(named)?.[1]
  if (index !== undefined) return { constraint: index }
  return { columns: named.split(', ').map((column) => column.slice(column.lastIndexOf('.') + 1)) }
}

function meaningOf(code: string): FaultMeaning | null {
  if (Object.hasOwn(byCode, code)) return byCode[code] ?? null
  const primary = code.split('_').slice(0, 2).join('_')
  if (Object.hasOwn(byCode, primary)) return byCode[primary] ?? null
  return code.startsWith('SQLITE_') ? meanings.statement : null
}

/** Only a disk error leaves a COMMIT open: its frames may or may not have reached the disk. */
function isAmbiguous(code: string, phase: Phase): boolean {
  return phase === 'commit' && (code.startsWith('SQLITE_IOERR') || code === 'EIO')
}

/** Whether another row has a unique key of the one that was written. */
export function isTaken(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const code = codeOf(error)
  return code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY'
}

/** True when another writer has the lock: the one failure that waiting fixes. */
export function isBusy(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error) || typeof error.code !== 'string') return false
  return error.code.startsWith('SQLITE_BUSY') || error.code.startsWith('SQLITE_LOCKED')
}

/** The writer was not free within the limit. */
export function busyError(why: string, cause: unknown = null): FaultError {
  return faultError('transient', 'STORE_BUSY', why, 'Try again; long transactions hold the one writer.', { cause })
}

/** A write reached the store while it accepts none. */
export function readOnlyError(cause: unknown): FaultError {
  const summary = 'The store accepts no writes at the moment.'
  return faultError('read-only', 'STORE_READ_ONLY', summary, 'Reads still work; try the write again later.', { cause })
}

/** True for SQLite's plain code; its longer ones name other reasons. */
export function isReadOnlyRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'SQLITE_READONLY'
}

/** Of a file whose rows an archive has. Not `corrupt`: no other file is to be opened in its place. */
export function damagedError(cause: unknown): Error {
  const summary = 'The file was found damaged when it was opened.'
  return faultError('transient', 'SQLITE_DAMAGED', summary, 'It is checked again, and restored from the archive.', {
    cause,
  })
}

/** The file was closed under the caller. */
export function closedError(): FaultError {
  return faultError('lost', 'SQLITE_CLOSED', meanings.closed.summary, meanings.closed.hint)
}

/** The code that would wait holds the writer itself: it would wait forever. */
export function nestedError(): FaultError {
  return busyError('An open transaction asked for a second writer.')
}
