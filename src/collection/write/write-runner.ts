import { faultOf } from '../../database/machine/faults.ts'
import { strongest } from '../../database/work/durability.ts'
import type { Outcome, Progress, RunWork, Session, WorkOptions } from '../../database/work/session.ts'
import { inTransaction } from '../../database/work/transaction.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import { HoldfastError } from '../../errors.ts'
import { fresh } from '../row/precondition.ts'
import type { RowReservation } from '../row/quota.ts'
import type { RowRequest } from '../row/table-access.ts'
import { pruneAnswers, RequestKnown } from './kept-answers.ts'
import { placedError } from './place-error.ts'
import { RoomNeeded, type StoredRow, WriteScope } from './write-scope.ts'
import type { WrittenTable } from './written-table.ts'

/** A transaction over rows of any number of tables. */
export interface WriteJob<T> {
  readonly tables: readonly WrittenTable[]
  /** How many rows it creates in each table, as far as that is known before it runs. */
  readonly creates: ReadonlyMap<WrittenTable, number>
  /** Does nothing but create rows: after an unknown COMMIT it may go on in another database. */
  readonly isNew: boolean
  /** What is read before the transaction begins, in each try: it holds no one up. */
  readonly before?: (session: Session) => Promise<void>
  readonly work: (scope: WriteScope) => Promise<T>
  /** Replaces rows or creates them: another writer may create one meanwhile, which it then finds. */
  readonly mayReplace?: boolean
  /** Of a request with a key, which is its own claim. */
  readonly keyed?: {
    readonly attempt: string
    /** What the request was answered with before; null: it was not carried out. */
    readonly known: (session: Session) => Promise<T | null>
    /** Does all of it in one statement with its claim, where that is possible; null: it is not. */
    readonly quick?: (session: Session) => Promise<T | null>
  }
}

/** A try of a transaction that reached its COMMIT. */
interface Computed<T> {
  readonly scope: WriteScope
  readonly value: T
}

/** A transaction is run again so often in one database, because rows were in its way or too few were reserved. */
const roundsMax = 5

/** Runs writes that are transactions: each is committed whole or not at all, in whichever store serves. */
export class WriteRunner {
  readonly run: RunWork

  constructor(run: RunWork) {
    this.run = run
  }

  /** Rejects with the errors of `RunWork` and of the work. */
  perform<T>(job: WriteJob<T>, { demand, age }: RowRequest): Promise<Outcome<T>> {
    const { keyed } = job
    const [attempt, now] = [keyed?.attempt ?? drawId(), new Date()]
    let computed: Computed<T> | null = null
    let reserved: ReadonlyMap<WrittenTable, number> = job.creates
    let scope: WriteScope | null = null
    let isQuick = false
    const { unit, progress } = inTransaction(async (session): Promise<Computed<T>> => {
      scope = new WriteScope(session, now, age, reserved)
      computed = { scope, value: await job.work(scope) }
      return computed
    }, undefined)
    const once = async (session: Session): Promise<T> => {
      for (let round = 1; ; round += 1) {
        try {
          isQuick = keyed?.quick !== undefined
          const quick = (await keyed?.quick?.(session)) ?? null
          if (keyed !== undefined) void pruneAnswers(session)
          if (quick !== null) return quick
          isQuick = false
          await job.before?.(session)
          return await this.#reserved(session, job, reserved, age, async () => copied(session, await unit(session)))
        } catch (error) {
          const known = keyed !== undefined && mayBeKnown(error) ? await keyed.known(session) : null
          if (known !== null) return known
          const isRoom = error instanceof RoomNeeded
          if (isRoom) reserved = new Map([...reserved, [error.table, error.rows]])
          if (round === roundsMax) throw error
          if (isRoom || (job.mayReplace === true && round === 1 && breaksKey(session, error))) continue
          if (scope === null || !(await makesWay(session, scope, error))) throw error
        }
      }
    }
    const find = async (session: Session): Promise<T | null> => {
      if (keyed !== undefined) return keyed.known(session)
      return computed !== null && (await isCommitted(session, computed.scope)) ? copied(session, computed) : null
    }
    const own = keyed === undefined ? ({ claims: true } as const) : ({ isKeyed: true } as const)
    const elsewhere = job.isNew ? ({ elsewhere: true } as const) : {}
    const phases: Readonly<Progress> = {
      get phase() {
        return isQuick ? 'commit' : progress.phase
      },
    }
    const placed = (error: unknown): never => {
      throw scope?.failedAt == null ? error : placedError(error, scope.failedAt)
    }
    const options: WorkOptions = { ...optionsOf(job.tables, attempt, demand), ...own, ...elsewhere, progress: phases }
    return this.run(once, options, find).catch(placed)
  }

  /** With the rows reserved that the work may create: before it begins, since the count of rows would wait for it. */
  async #reserved<T>(
    session: Session,
    { tables }: WriteJob<T>,
    reserved: ReadonlyMap<WrittenTable, number>,
    age: RowRequest['age'],
    work: () => Promise<T>,
  ): Promise<T> {
    const reservations: RowReservation[] = []
    let isDone = false
    try {
      for (const written of tables) {
        const count = reserved.get(written) ?? 0
        if (count === 0 || written.collection.maxRows === undefined) continue
        const rows = written.access.table(session, 'create')
        const quota = rows.quota(session, written.access.copies.viewForWrite(session, rows, age))
        if (quota !== null) reservations.push(await quota.reserve(count))
      }
      const value = await work()
      isDone = true
      return value
    } finally {
      for (const reservation of reservations) reservation.settle(isDone)
    }
  }
}

/** A repeat fails at its claim, or by what is looked at before: rows that are there already take room, others match by now. */
function mayBeKnown(error: unknown): boolean {
  if (error instanceof RequestKnown) return true
  return error instanceof HoldfastError && (error.code === 'COLLECTION_FULL' || error.code === 'TOO_MANY')
}

function optionsOf(tables: readonly WrittenTable[], attempt: string, wanted: RowRequest['demand']): WorkOptions {
  const [first, ...others] = tables.map(({ access }) => access.writeOptions(attempt, wanted))
  if (first === undefined) throw new Error('unreachable: a transaction has a table')
  const keys = new Map([first, ...others].flatMap((options) => [...(options.keys ?? [])]))
  const unnamed = new Set([first, ...others].flatMap((options) => [...(options.unnamed ?? [])]))
  const demand = [first, ...others].map((options) => options.demand).reduce(strongest)
  const { demand: _demand, claims: _claims, ...rest } = first
  return demand === undefined ? { ...rest, keys, unnamed } : { ...rest, keys, unnamed, demand }
}

/** The transaction has committed: the copy gets what it wrote. */
function copied<T>(session: Session, { scope, value }: Computed<T>): T {
  for (const note of scope.committed) note()
  for (const { table, id, row, version } of scope.touched) {
    const { copies } = table.access
    if (row === null) copies.removed(session, id)
    else if (version === undefined) copies.wrote(session, table.access.table(session, 'get'), id, row)
    else copies.wrote(session, table.access.table(session, 'get'), id, row, version)
  }
  return value
}

/** Whether the rows are as the transaction has left them: one of them, since it is all or nothing. Others may delete one, too. */
async function isCommitted(session: Session, { touched }: WriteScope): Promise<boolean> {
  const one = touched.findLast(({ row }) => row !== null) ?? touched[0]
  if (one === undefined) return false
  const table = one.table.access.table(session, 'get')
  const [found] = await table.read(session, one.id, table.plain, fresh)
  if (one.row === null) return found === undefined
  return found !== undefined && found.holdfast_attempt === one.row.holdfast_attempt
}

/**
 * On a fallback that shows only its own rows: removes copied ones that hold a unique key of a row that could not be written.
 * False: none were in the way.
 */
async function makesWay({ shown, store }: Session, { stored, session }: WriteScope, error: unknown): Promise<boolean> {
  const { copy } = store
  if (shown !== 'fallback' || copy === null || !breaksKey({ store }, error)) return false
  let isMade = false
  for (const { open, id, values, isNew } of stored.filter((row) => row.open.view.whole === null)) {
    const before = await hiddenRow(open, session, id)
    if (isNew && before !== undefined && before.holdfast_attempt !== session.attempt) return false
    isMade = (await copy.giveWay(open.rows.name, open.rows.image({ ...before, ...values }))) || isMade
  }
  return isMade
}

function breaksKey({ store }: Pick<Session, 'store'>, error: unknown): boolean {
  const { kind, rule = 'unique' } = faultOf(store.driver, error, 'statement')
  return kind === 'constraint' && rule === 'unique'
}

async function hiddenRow({ rows }: StoredRow['open'], session: Session, id: string) {
  const [row] = await rows.read(session, id)
  return row
}
