import { copyFile, readFile } from 'node:fs/promises'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { imageTableOf } from '../../../src/collection/table/image-table.ts'
import { never, pathIn, Scene, type Server } from '../../journal/bench.ts'
import { noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { startPostgres } from '../../support/servers/postgres.ts'
import type { Cleanup } from '../../support/temp.ts'
import { withCleanup } from '../options.ts'
import type { Part } from '../part.ts'
import { cpuMs } from '../process-meter.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import { judge, refuseUnsteady } from '../verdict.ts'
import { columns, drawRow, type FeedbackRow, feedback, fill, type Shape } from './fallback-rows.ts'
import type { JournalBenchOptions } from './journal-options.ts'

/** Entries per second that a local PostgreSQL is to take. */
const limit = { atLeast: 15_000 } as const

/** Rows of one statement written by hand. */
const handRows = 500

/** A kind of primary. */
interface Kind {
  readonly name: string
  readonly isJudged: boolean
  start(t: Cleanup): Promise<Server>
  /** The processes of the server that work for a database. */
  pids(server: Server, database: string): Promise<readonly number[]>
  /** Inserts rows as many at once as is usual, each statement committed. */
  byHand(url: string, rows: readonly FeedbackRow[]): Promise<void>
}

const settings = ['fsync = on', 'shared_buffers = 128MB', 'max_connections = 100']

const postgresql: Kind = {
  name: 'PostgreSQL',
  isJudged: true,
  start: (t) => startPostgres(t, { settings }),
  pids: async (server, database) => {
    const rows = await server.query(`select pid from pg_stat_activity where datname = '${database}'`)
    return rows.map(({ pid }) => Number(pid))
  },
  async byHand(url, rows) {
    const client = new Client(url)
    await client.connect()
    const text = 'insert into feedback select * from json_populate_recordset(null::feedback, $1)'
    for (let at = 0; at < rows.length; at += handRows) {
      const list = rows.slice(at, at + handRows).map((row) => ({ ...row, meta: JSON.parse(row.meta), ...timesOf(row) }))
      await client.query(text, [JSON.stringify(list)])
    }
    await client.end()
  },
}

const mariadb: Kind = {
  name: 'MariaDB',
  isJudged: false,
  start: (t) => startMariadb(t, { settings: ['--innodb-buffer-pool-size=128M'] }),
  pids: async (server) => {
    const [row] = await server.query('select @@pid_file as file')
    return [Number.parseInt(await readFile(String(row?.file), 'utf8'), 10)]
  },
  async byHand(url, rows) {
    const client = await createConnection(url)
    const text = `insert into feedback (${columns.map((name) => `\`${name}\``).join(', ')}) values ?`
    for (let at = 0; at < rows.length; at += handRows) {
      const list = rows.slice(at, at + handRows).map((row) => ({ ...row, ...timesOf(row) }))
      await client.query(text, [list.map((row) => columns.map((name) => row[name]))])
    }
    await client.end()
  },
}

function timesOf({ createdAt, updatedAt }: FeedbackRow): { readonly createdAt: string; readonly updatedAt: string } {
  const text = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace('Z', '')
  return { createdAt: text(createdAt), updatedAt: text(updatedAt) }
}

/** Carries a journal to each kind of primary, next to inserts of as many rows by hand. */
export async function measureReplay(t: Cleanup, options: JournalBenchOptions): Promise<readonly Part[]> {
  const parts: Part[] = []
  for (const kind of noMariadb === false ? [postgresql, mariadb] : [postgresql]) {
    const server = await kind.start(t)
    for (const shape of ['inserts', 'mix'] as const) parts.push(await measureShape(t, kind, server, shape, options))
  }
  return parts
}

interface Carried {
  readonly perSecond: number
  readonly handPerSecond: number
  /** Processor time of one entry in the service, and in the server, in microseconds. */
  readonly ownUs: number
  readonly serverUs: number
}

async function measureShape(
  t: Cleanup,
  kind: Kind,
  server: Server,
  shape: Shape,
  { repeat, entries }: JournalBenchOptions,
): Promise<Part> {
  const scene = await Scene.make(t, server)
  const filled = await scene.fallback('filled.db', [feedback])
  await fill(filled, shape, entries)
  await filled.close(1_000)
  const all: Carried[] = []
  // One more than is counted: V8 compiles what it needs.
  for (let at = 0; at <= repeat; at += 1) {
    const carried = await withCleanup((scope) => carryOnce(scope, scene.dir, kind, server, entries))
    if (at > 0) all.push(carried)
  }
  const valuesOf = (key: keyof Carried): readonly number[] => all.map((one) => one[key])
  const [perSecond, hand] = [valuesOf('perSecond'), valuesOf('handPerSecond')]
  const verdicts = kind.isJudged ? [judge('entries/s', perSecond, limit)] : []
  return {
    name: `replay to ${kind.name}, ${shape}, ${entries} entries`,
    figures: [
      { what: 'entries/s', is: spreadOf(perSecond) },
      { what: 'inserts by hand, rows/s', is: spreadOf(hand) },
      { what: 'replay to inserts by hand', is: spreadOf(ratiosOf(perSecond, hand)) },
      { what: 'processor time of an entry, µs', is: spreadOf(valuesOf('ownUs')) },
      { what: 'the same in the server, µs', is: spreadOf(valuesOf('serverUs')) },
    ],
    verdicts: refuseUnsteady(verdicts, spreadOf(hand)),
  }
}

async function carryOnce(t: Cleanup, dir: string, kind: Kind, server: Server, entries: number): Promise<Carried> {
  const handPerSecond = await byHandOnce(t, dir, kind, server, entries)
  const scene = new Scene(t, server, await server.createDatabase(), dir, undefined)
  await copyFile(pathIn(scene, 'filled.db'), pathIn(scene, 'copy.db'))
  const [primary, fallback] = [await scene.primary([feedback]), await scene.fallback('copy.db', [feedback])]
  const replayer = scene.replayer([imageTableOf(feedback)])
  await replayer.opened(fallback, primary)
  const pids = await kind.pids(server, scene.database)
  const serverMs = (): number => pids.reduce((sum, pid) => sum + cpuMs(pid), 0)
  const before = { at: performance.now(), own: process.cpuUsage(), server: serverMs() }
  await replayer.carry(fallback, primary, 0, never)
  const seconds = (performance.now() - before.at) / 1_000
  const { user, system } = process.cpuUsage(before.own)
  const used = serverMs() - before.server
  const left = fallback.journal.counts().entries + (await scene.reasons()).length
  if (left > 0) throw new Error(`${left} of ${entries} entries were not applied.`)
  return {
    perSecond: entries / seconds,
    handPerSecond,
    ownUs: (user + system) / entries,
    serverUs: (used * 1_000) / entries,
  }
}

async function byHandOnce(t: Cleanup, dir: string, kind: Kind, server: Server, count: number): Promise<number> {
  const scene = new Scene(t, server, await server.createDatabase(), dir, undefined)
  await (await scene.primary([feedback])).close(1_000)
  const rows = Array.from({ length: count }, drawRow)
  const startedMs = performance.now()
  await kind.byHand(server.url(scene.database), rows)
  return count / ((performance.now() - startedMs) / 1_000)
}
