import { faultError, type Life } from '../../../src/driver/kit/driver-kit.ts'
import { whileBusy } from '../busy.ts'
import { classify } from '../faults.ts'
import { applySettings, type Native, openNative } from '../handle.ts'
import { giveRequests, keepsRequests } from '../journal/requests.ts'
import { assertNoFallback, forgetCarried, readLife, settleLife } from '../journal/tables.ts'
import { applicationId, type JournalMode } from '../target.ts'
import { isForeignMark } from './inspect.ts'
import { assertWhole } from './integrity.ts'
import { isServed } from './open-files.ts'
import { hasCode } from './prepare-file.ts'

/** A file that was opened and looked through. */
export interface Checked {
  readonly native: Native
  /** What the file is in, which may be another mode than the wished one. */
  readonly journalMode: JournalMode
  /** The file belongs to another kind of application; it is used and reported. */
  readonly isForeign: boolean
  /** What the file is for; null: it is a primary. */
  readonly life: Life | null
  /** It keeps the answers of requests with a key. */
  readonly keepsRequests: boolean
}

/** How long foreign locks are waited for when no signal says otherwise. */
const waitMs = 60_000

/**
 * Opens the file whole: an empty or missing one becomes ours, a damaged one is refused. `life` is what it is for; null: it is
 * a primary, and `mayMakeTables` whether it gets tables of our own.
 *
 * @throws what `classify` reads; then nothing is open. `SQLITE_CORRUPT` also for what `quick_check` finds.
 */
export async function openChecked(
  file: string,
  wish: JournalMode,
  life: Life | null,
  signal: AbortSignal,
  mayMakeTables = true,
): Promise<Checked> {
  try {
    return await openWhole(file, wish, life, signal, mayMakeTables)
  } catch (error) {
    // A WAL needs some space next to the file, even to be read.
    if (!hasCode(error, 'SQLITE_IOERR_SHMSIZE') || isServed(file)) throw error
    leaveWal(file)
    return await openWhole(file, 'delete', life, signal, mayMakeTables)
  }
}

/**
 * Opens a file that a person named, as it is: nothing is made where there is none, and damage keeps nothing closed that can
 * still be read. A file without a life was local.
 *
 * @throws FaultError for a file of another application; what `classify` reads. Then nothing is open, and nothing was changed.
 */
export async function openNamed(file: string, wish: JournalMode, signal: AbortSignal): Promise<Checked> {
  const native = openNative(file, { mustExist: true })
  try {
    if (!(await whileBusy(() => isOurs(native), waitMs, signal))) {
      const summary = 'The file is not one of Holdfast.'
      throw faultError('unwritable', 'SQLITE_NOT_OURS', summary, 'Name a file of a fallback, or of a local store.')
    }
    const life = await whileBusy(() => readLife(native)?.life ?? 'local', waitMs, signal)
    return await whileBusy(() => settle(native, wish, life, false), waitMs, signal)
  } catch (error) {
    native.close()
    throw error
  }
}

/** A file that a person named by mistake is left as it is: a local store has our mark, a life, or tables of collections. */
function isOurs(native: Native): boolean {
  if (native.pragma('application_id', { simple: true }) === applicationId || readLife(native) !== null) return true
  const sql = `select 1 from sqlite_master as one, pragma_table_info(one.name) as of_one
    where one.type = 'table' and of_one.name = 'holdfast_attempt' and one.name <> 'holdfast_request' limit 1`
  return native.prepare(sql).get() !== undefined
}

async function openWhole(
  file: string,
  wish: JournalMode,
  life: Life | null,
  signal: AbortSignal,
  mayMakeTables: boolean,
): Promise<Checked> {
  const native = openNative(file)
  try {
    // A WAL of a process that was killed may be what an archive goes on from; closing carries it where nothing guards it.
    if (life === 'local') native.pragma('wal_autocheckpoint = 0')
    const isNew = await whileBusy(() => native.pragma('page_count', { simple: true }) === 0, waitMs, signal)
    // A file that this process has open was looked through when it was opened; a prober would do it each second.
    if (!isNew && !isServed(file)) await assertWhole(native, waitMs, signal)
    const checked = await whileBusy(() => settle(native, wish, life, isNew), waitMs, signal)
    if (life === 'local') await whileBusy(() => forgetCarried(native), waitMs, signal)
    if (!mayMakeTables) return checked
    return { ...checked, keepsRequests: await whileBusy(() => tryToKeepRequests(native, life), waitMs, signal) }
  } catch (error) {
    native.close()
    throw error
  }
}

function settle(native: Native, wish: JournalMode, life: Life | null, isNew: boolean): Checked {
  const journalMode = setJournalMode(native, wish)
  applySettings(native, { synchronous: 'full' })
  if (isNew) native.pragma(`application_id = ${applicationId}`)
  if (life !== null) giveLife(native, life)
  else assertNoFallback(native)
  const id = native.pragma('application_id', { simple: true })
  return { native, journalMode, isForeign: isForeignMark(id), life, keepsRequests: keepsRequests(native, life) }
}

/** A full disk still answers reads. */
function tryToKeepRequests(native: Native, life: Life | null): boolean {
  try {
    giveRequests(native, life)
    return true
  } catch (error) {
    if (classify(error, 'commit').kind !== 'disk-full') throw error
    return false
  }
}

/** A full disk still answers reads from a local store that has no mark yet: without one a file with rows counts as local. */
function giveLife(native: Native, life: Life): void {
  try {
    settleLife(native, life)
  } catch (error) {
    const isFull = classify(error, 'commit').kind === 'disk-full'
    if (!isFull || life !== 'local' || readLife(native) !== null) throw error
  }
}

/**
 * Makes a file on a full disk readable: in exclusive mode the WAL needs no shared memory, and with its journal in memory
 * the change of mode needs no space. Only the first sector of the file is rewritten.
 */
function leaveWal(file: string): void {
  const native = openNative(file)
  try {
    native.pragma('locking_mode = exclusive')
    native.pragma('journal_mode = memory')
  } finally {
    native.close()
  }
}

function setJournalMode(native: Native, wish: JournalMode): JournalMode {
  try {
    return modeOf(native.pragma(`journal_mode = ${wish}`, { simple: true }))
  } catch (error) {
    // On a full disk the mode cannot be changed, but the rows can be read as they are.
    if (!hasCode(error, 'SQLITE_FULL')) throw error
    return modeOf(native.pragma('journal_mode', { simple: true }))
  }
}

function modeOf(answer: unknown): JournalMode {
  return answer === 'wal' ? 'wal' : 'delete'
}
