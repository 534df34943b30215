import { join } from 'node:path'
import Database from 'better-sqlite3'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { longestDelayMs } from '../event-loop.ts'
import { withCleanup } from '../options.ts'
import type { Part } from '../part.ts'
import { cpuMs, residentMb } from '../process-meter.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import { judge, refuseUnsteady } from '../verdict.ts'
import { collectionNames, enterCopied, isPrimary, makeDatabase } from './copied-service.ts'
import type { CopyBenchOptions } from './copy-options.ts'
import { type BenchServer, meterServer, rowColumns, type ServerKind, serverKinds } from './kind.ts'

/** Rows that are read at once, and written in one transaction, by hand. */
const handRows = 5_000

interface Filled {
  readonly perSecond: number
  readonly handPerSecond: number
  /** Processor time of one row in the service, and in the server, in microseconds. */
  readonly ownUs: number
  readonly serverUs: number
  readonly delayMs: number
  readonly mb: number
}

/** How fast an empty copy takes the rows of one collection, and of three, in the process that serves. */
export async function measureFill(t: Cleanup, options: CopyBenchOptions): Promise<readonly Part[]> {
  const kind = serverKinds[options.on]
  const server = await kind.start(t)
  const parts: Part[] = []
  for (const tables of [collectionNames.slice(0, 1), collectionNames]) {
    parts.push(await measureTables(kind, server, tables, options))
  }
  return parts
}

async function measureTables(
  kind: ServerKind,
  server: BenchServer,
  tables: readonly string[],
  { repeat, rows }: CopyBenchOptions,
): Promise<Part> {
  const rowsOf = Object.fromEntries(tables.map((name) => [name, rows]))
  const database = await makeDatabase(kind, server, rowsOf)
  const all: Filled[] = []
  for (let at = 0; at < repeat; at += 1) {
    const handPerSecond = await withCleanup((scope) => byHandOnce(scope, kind, server.url(database), tables))
    const filled = await withCleanup((scope) => fillOnce(scope, kind, server, database, rowsOf))
    all.push({ ...filled, handPerSecond })
  }
  const valuesOf = (key: keyof Filled): readonly number[] => all.map((one) => one[key])
  const hand = valuesOf('handPerSecond')
  const perSecond = valuesOf('perSecond')
  return {
    name: `an empty copy of ${tables.length} × ${rows.toLocaleString('en')} rows, ${kind.name}`,
    figures: [
      { what: 'rows/s', is: spreadOf(perSecond) },
      { what: 'by hand, rows/s', is: spreadOf(hand) },
      { what: 'copy to by hand', is: spreadOf(ratiosOf(perSecond, hand)) },
      { what: 'processor time of a row, µs', is: spreadOf(valuesOf('ownUs')) },
      { what: 'the same in the server, µs', is: spreadOf(valuesOf('serverUs')) },
      { what: 'longest delay of the event loop, ms', is: spreadOf(valuesOf('delayMs')) },
      { what: 'memory at the end, MB', is: spreadOf(valuesOf('mb')) },
    ],
    verdicts: refuseUnsteady([judge('rows/s', perSecond, { atLeast: kind.fillGoal })], spreadOf(hand)),
  }
}

async function fillOnce(
  t: Cleanup,
  kind: ServerKind,
  server: BenchServer,
  database: string,
  rowsOf: Readonly<Record<string, number>>,
): Promise<Omit<Filled, 'handPerSecond'>> {
  const tables = Object.keys(rowsOf)
  const one = await enterCopied(t, server.url(database), {}, tables)
  // The first one loads the library of the metrics.
  await longestDelayMs(one)
  const begun = await until(() => isPrimary(one), { withinMs: 20_000, everyMs: 2, what: 'the primary' }).then(() =>
    until(() => openBegun(one), { withinMs: 20_000, everyMs: 2, what: 'the copy to begin' }),
  )
  await longestDelayMs(one)
  const serverMs = await meterServer(kind, server)
  const before = { at: performance.now(), own: cpuMs(one.running.pid), rows: begun.rows.get() ?? 0 }
  const isDone = () => begun.isSwept.get() === 1
  await until(isDone, { withinMs: 600_000, everyMs: 5, what: `the copy\n${one.running.output()}` })
  const seconds = (performance.now() - before.at) / 1_000
  const [own, used] = [cpuMs(one.running.pid) - before.own, await serverMs()]
  const wanted = Object.values(rowsOf).reduce((sum, count) => sum + count, 0)
  const copied = begun.rows.get() ?? 0
  if (copied !== wanted) throw new Error(`${copied} of ${wanted} rows were copied.\n${one.running.output()}`)
  const counted = copied - before.rows
  return {
    perSecond: counted / seconds,
    ownUs: (own * 1_000) / counted,
    serverUs: (used * 1_000) / counted,
    delayMs: await longestDelayMs(one),
    mb: residentMb(one.running.pid),
  }
}

interface Begun {
  readonly rows: Database.Statement<unknown[], number>
  readonly isSwept: Database.Statement<unknown[], number>
}

/** Null: the copy has not begun. */
function openBegun({ file }: { file(): Database.Database }): Begun | null {
  const reader = file()
  const rows = reader.prepare<unknown[], number>('select total(rows) from holdfast_copy').pluck()
  if ((reader.prepare<unknown[], number>('select count(*) from holdfast_copy').pluck().get() ?? 0) === 0) return null
  return { rows, isSwept: reader.prepare<unknown[], number>('select min(is_swept) from holdfast_copy').pluck() }
}

/** The same rows, read by pages of the key and written into a file with prepared statements. */
async function byHandOnce(t: Cleanup, kind: ServerKind, url: string, tables: readonly string[]): Promise<number> {
  const read = await kind.reader(t, url)
  const native = new Database(join(await makeTempDir(t, 'hand'), 'hand.db'))
  t.after(() => void native.close())
  native.pragma('journal_mode = wal')
  native.pragma('synchronous = normal')
  const startedMs = performance.now()
  let count = 0
  for (const table of tables) {
    native.exec(`create table "${table}" (${rowColumns.map((name) => `"${name}"`).join(', ')}, primary key (id))`)
    const insert = native.prepare(`insert into "${table}" values (${rowColumns.map(() => '?').join(', ')})`)
    for (let after: string | null = '00000000-0000-0000-0000-000000000000'; after !== null; ) {
      const rows: readonly (readonly unknown[])[] = await read(table, after, handRows)
      native.exec('begin')
      for (const row of rows) insert.run(row)
      native.exec('commit')
      count += rows.length
      after = rows.length === 0 ? null : String(rows.at(-1)?.[0])
    }
  }
  return count / ((performance.now() - startedMs) / 1_000)
}
