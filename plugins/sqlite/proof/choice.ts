import { stat } from 'node:fs/promises'
import type { Life, Problem } from '../../../src/driver/kit/driver-kit.ts'
import { whileBusy } from '../busy.ts'
import { isBusy } from '../faults.ts'
import { type Native, openNative } from '../handle.ts'
import { quote } from '../journal/quote.ts'
import { type FileLife, ownTablePattern, readLife } from '../journal/tables.ts'
import { besideOf, type FileLocation, maskPath, type SqliteTarget } from '../target.ts'
import { behindLink, leadsOut } from './links.ts'

/** What a file is for. `new`: it is not there, or has no rows. `unknown`: it cannot be read. */
interface FileState {
  readonly life: Life | 'new' | 'unknown'
  /** Rows of collections that no primary has, at most one more than `countMax`. */
  readonly rowsLeft: number
  /** Changes that a primary lacks. */
  readonly changesLeft: number
}

/** The files of a target that are to be used, one in each folder. */
export interface Choice {
  readonly locations: readonly FileLocation[]
  /** Rows of a local store next to a declared primary, or changes for a primary where none is declared. */
  readonly problems: readonly Problem[]
}

/** Rows are counted up to here. */
const countMax = 10_000

/**
 * Chooses in each folder between the configured file and the one next to it: no file of a local store ever stands next to a
 * primary, and none that did becomes the local store. Changes nothing.
 *
 * @throws FaultError when another process has a file locked for longer than `waitMs`.
 */
export async function chooseFiles(target: SqliteTarget, waitMs: number): Promise<Choice> {
  const { life } = target
  if (life === null) return { locations: await Promise.all(target.locations.map(behindLink)), problems: [] }
  const locations: FileLocation[] = []
  const problems: Problem[] = []
  for (const configured of target.locations) {
    const location = await behindLink(configured)
    const beside = await behindLink({ ...configured, file: besideOf(configured.file, life) })
    const [state, other] = [await stateOf(location, waitMs), await stateOf(beside, waitMs)]
    const isBeside = state.life !== life && (other.life === life || (state.life !== 'new' && state.life !== 'unknown'))
    locations.push(isBeside ? beside : location)
    if (life === 'local') {
      const fallback = await behindLink({ ...configured, file: besideOf(configured.file, 'fallback') })
      problems.push(...changesLeft(target, location, state))
      problems.push(...changesLeft(target, fallback, await stateOf(fallback, waitMs)))
      continue
    }
    const local = await behindLink({ ...configured, file: besideOf(configured.file, 'local') })
    problems.push(...rowsLeft(target, location, state), ...rowsLeft(target, local, await stateOf(local, waitMs)))
  }
  return { locations, problems }
}

function rowsLeft(target: SqliteTarget, { file }: FileLocation, { rowsLeft: count }: FileState): readonly Problem[] {
  if (count === 0) return []
  const rows = count > countMax ? `more than ${countMax} rows` : count === 1 ? '1 row' : `${count} rows`
  return [
    {
      code: 'ROWS_LOCAL',
      severity: 'warning',
      setting: target.setting,
      origin: target.origin,
      part: 'path',
      message: `${maskPath(file)} has ${rows} from a time without a primary. They are not in the primary, and are not served.`,
      suggestion: `To copy them to the primary, run: holdfast replay ${maskPath(file)} --all-rows`,
    },
  ]
}

function changesLeft(
  target: SqliteTarget,
  { file }: FileLocation,
  { changesLeft: count }: FileState,
): readonly Problem[] {
  if (count === 0) return []
  const shown = maskPath(file)
  return [
    {
      code: 'JOURNAL_LEFT',
      severity: 'warning',
      setting: target.setting,
      origin: target.origin,
      part: 'path',
      message: `${shown} has ${count === 1 ? '1 change' : `${count} changes`} for a primary, and no primary is configured.`,
      suggestion: `Set DATABASE_URL to that primary again. To carry them without the service: holdfast replay ${shown}`,
    },
  ]
}

/** What opening refuses is not read here either. */
async function stateOf(location: FileLocation, waitMs: number): Promise<FileState> {
  const { file } = location
  const isFile = (await stat(file).catch(() => null))?.isFile() ?? false
  if (!isFile || (await leadsOut(location))) return { life: 'new', rowsLeft: 0, changesLeft: 0 }
  // Without a WAL a connection that may write leaves nothing behind; one that may only read leaves an empty WAL. With one,
  // this must not be the connection that carries it into the file.
  const wal = await stat(`${file}-wal`).catch(() => null)
  const readonly = wal !== null && wal.size > 0
  return await whileBusy(() => read(file, readonly), waitMs)
}

/** Through SQLite, also where this process has the file open: a descriptor of our own would drop the locks on it. */
function read(file: string, readonly: boolean): FileState {
  let native: Native | null = null
  try {
    native = openNative(file, { readonly, mustExist: true })
    return stateIn(native, readLife(native))
  } catch (error) {
    if (isBusy(error)) throw error
    return { life: 'unknown', rowsLeft: 0, changesLeft: 0 }
  } finally {
    native?.close()
  }
}

function stateIn(native: Native, known: FileLife | null): FileState {
  if (known?.life === 'fallback') return { life: 'fallback', rowsLeft: 0, changesLeft: countChanges(native) }
  const life = known?.life ?? (hasRows(native) ? 'local' : 'new')
  return { life, rowsLeft: known?.carriedAt == null ? countRows(native) : 0, changesLeft: 0 }
}

function tablesOf(native: Native): readonly string[] {
  const sql = `select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'
    and name not like '${ownTablePattern}' escape '\\'`
  return native.prepare<unknown[], string>(sql).pluck().all()
}

function hasRows(native: Native): boolean {
  return tablesOf(native).some((name) => native.prepare(`select 1 from ${quote(name)} limit 1`).get() !== undefined)
}

function countChanges(native: Native): number {
  return native.prepare<unknown[], number>('select total(entries) from holdfast_address').pluck().get() ?? 0
}

/** Rows of collections, which have an attempt. */
function countRows(native: Native): number {
  const hasAttempt = native.prepare("select 1 from pragma_table_info(?) where name = 'holdfast_attempt'")
  let rows = 0
  for (const name of tablesOf(native)) {
    if (rows > countMax || hasAttempt.get(name) === undefined) continue
    const count = native.prepare<unknown[], number>(
      `select count(*) from (select 1 from ${quote(name)} limit ${countMax + 1 - rows})`,
    )
    rows += count.pluck().get() ?? 0
  }
  return rows
}
