import { type ExportedTable, ExportRefused, exportTables } from '../../archive/export/exporter.ts'
import { archiveCredentials, openTarget, readArchiveConfig } from '../../archive/target/config.ts'
import { type ArchiveTarget, TargetError } from '../../archive/target/target.ts'
import { inspectTables, TableReports } from '../../collection/table/tables.ts'
import { formatBytes } from '../../config/quantity.ts'
import { faultOf } from '../../database/machine/faults.ts'
import { systemClock } from '../../database/store/clock.ts'
import type { Store } from '../../database/store/store.ts'
import type { RunWork, Session } from '../../database/work/session.ts'
import { FaultError } from '../../driver/fault.ts'
import { HoldfastError } from '../../errors.ts'
import { serveCollections } from '../../http/data/served-collection.ts'
import { exportedTables } from '../../service/archiving/exported-table.ts'
import type { Resolution } from '../../service/resolve.ts'
import type { CommandContext } from '../command.ts'
import { counted, line, type StoreCommandOptions, type StoreExit, withStores } from '../store/command.ts'
import { CommandFailure, type CommandStores } from '../store/open.ts'
import { ProgressLine } from '../store/progress.ts'

/** `holdfast archive export`: writes each collection as NDJSON below `tables/` of the archive. The service may go on meanwhile. */
export async function archiveExportCommand(context: CommandContext, options: StoreCommandOptions): Promise<StoreExit> {
  return await withStores(context, options, async (stores) => {
    const { json, signal } = options
    const target = archiveOf(stores.found)
    const store = await stores.served(signal)
    const progress = new ProgressLine({ json, out: context.out, terminal: context.terminal })
    const at = new Date()
    const source = store.localRows?.fileId ?? store.facts.identity ?? null
    const { tables, unavailable } = await tablesOf(stores, store)
    const summary = await exportTables(target, tables, {
      ...{ at, source, unavailable, signal },
      progress: (rows) => progress.update(rows, null),
    })
      .catch((error: unknown): never => {
        signal.throwIfAborted()
        throw failureOfExport(error)
      })
      .finally(() => progress.end())
    if (json) context.out(line({ event: 'exported', label: target.label, unavailable, ...summary }))
    else {
      const { collections, rows, bytes } = summary
      const of = `${counted(rows, 'row')} of ${counted(collections, 'collection')}`
      context.out(`Exported ${of} to ${target.label}/tables (${formatBytes(bytes)}).\n`)
      if (unavailable.length > 0)
        context.err(`holdfast: not exported, without a usable table: ${unavailable.join(', ')}.\n`)
    }
    return 0
  })
}

/** The target that ARCHIVE_URL declares. @throws CommandFailure. */
function archiveOf({ resolved }: Resolution): ArchiveTarget {
  const { place, problems } = readArchiveConfig(resolved)
  const wrong = problems.find(({ severity }) => severity === 'error')
  if (wrong !== undefined) throw new CommandFailure(2, wrong.message, wrong.suggestion)
  if (place === null) throw new CommandFailure(2, 'ARCHIVE_URL is not set.', 'Set it to a bucket or a folder.')
  return openTarget(place, () => archiveCredentials(resolved.settings), { clock: systemClock, random: Math.random })
}

async function tablesOf(
  { collections }: CommandStores,
  store: Store,
): Promise<{ readonly tables: readonly ExportedTable[]; readonly unavailable: readonly string[] }> {
  const tables = new TableReports()
  // Nothing is created here, so that a table that is missing has no rows to export.
  const report = await inspectTables(store, collections, 'none', null)
  tables.set(store, report)
  const shown = store.role === 'primary' ? 'primary' : 'local'
  const served = serveCollections(collections, { run: readingFrom(store, shown), tables, now: () => performance.now() })
  return exportedTables([...served.values()], report)
}

/** Runs work that reads the store. */
function readingFrom(store: Store, shown: 'primary' | 'local'): RunWork {
  const session: Session = {
    ...{ store, shown, attempt: '', claims: null, statements: store.statements },
    get em() {
      return store.orm.em.fork()
    },
  }
  const outcome = { store: shown, driver: store.driver.name, durability: shown } as const
  return async (work) => {
    try {
      return { ...outcome, value: await work(session) }
    } catch (error) {
      throw error instanceof HoldfastError ? error : new FaultError(faultOf(store.driver, error, 'statement'))
    }
  }
}

function failureOfExport(error: unknown): unknown {
  if (error instanceof ExportRefused) return new CommandFailure(2, error.message, error.hint)
  if (error instanceof TargetError) return new CommandFailure(3, error.message, error.hint)
  return error instanceof HoldfastError ? new CommandFailure(3, error.message, error.hint) : error
}
