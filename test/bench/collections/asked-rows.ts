import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { repository } from '../../support/process.ts'
import { startPostgres } from '../../support/servers/postgres.ts'
import type { Cleanup, Files } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { collectionPath } from '../cases.ts'
import { type Contestant, enter } from '../contestant.ts'
import type { Seeded } from '../measure.ts'
import { type On, withCleanup } from '../options.ts'
import { byHandIndex, seedText } from './seed-text.ts'

/** Both contestants, each with the same rows. */
export interface AskedRows {
  readonly own: Seeded
  readonly byHand: Seeded
  /** The SQLite file of the server by hand; null: on PostgreSQL. */
  readonly file: string | null
}

/** Databases with rows, on which contestants are started. */
export interface PreparedRows {
  /** New processes on the same rows. */
  enter(t: Cleanup): Promise<AskedRows>
}

/** What a body of many rows is sent with: without a token it could not be as long. */
export const adminHeaders: Readonly<Record<string, string>> = { Authorization: 'Bearer the-token-of-this-benchmark' }

const [, adminToken = ''] = adminHeaders.Authorization?.split(' ') ?? []

/** The copy of a primary has a benchmark of its own. */
const env = { ADMIN_TOKEN: adminToken, COPY: 'off' }

/** Writes the rows, by the databases themselves. */
export async function prepareRows(t: Cleanup, on: On, rows: number): Promise<PreparedRows> {
  return on === 'sqlite' ? await prepareFiles(t, rows) : await prepareServer(t, rows)
}

async function prepareFiles(t: Cleanup, rows: number): Promise<PreparedRows> {
  const files = declaration()
  const [own, byHand] = [await enter(t, 'holdfast', undefined, { env, files }), await enter(t, 'by hand')]
  await ready(own)
  const dirs = { own: own.running.dir, byHand: byHand.running.dir }
  for (const { running } of [own, byHand]) await running.end()
  const file = join(dirs.byHand, 'by-hand.db')
  fill(join(dirs.own, 'data/production.db'), [seedText.sqlite(rows, true)])
  fill(file, [seedText.sqlite(rows, false), byHandIndex])
  return {
    async enter(scope) {
      const one = await enter(scope, 'holdfast', undefined, { cwd: dirs.own, env, files })
      const other = await enter(scope, 'by hand', undefined, { cwd: dirs.byHand })
      return { own: await ready(one), byHand: await ready(other), file }
    },
  }
}

function fill(file: string, texts: readonly string[]): void {
  const database = new Database(file)
  for (const text of texts) database.exec(text)
  database.pragma('wal_checkpoint(truncate)')
  database.close()
}

async function prepareServer(t: Cleanup, rows: number): Promise<PreparedRows> {
  const settings = ['fsync = on', 'shared_buffers = 128MB', 'max_connections = 100']
  const server = await startPostgres(t, { settings })
  const files = declaration()
  const [own, byHand] = [await server.createDatabase(), await server.createDatabase()]
  await withCleanup(async (scope) => {
    await ready(await enter(scope, 'holdfast', server.url(own), { env, files }))
    await ready(await enter(scope, 'by hand', server.url(byHand)))
  })
  await server.query(seedText.postgresql(rows, true), own)
  await server.query(seedText.postgresql(rows, false), byHand)
  await server.query(byHandIndex, byHand)
  for (const database of [own, byHand]) await server.query('vacuum analyze feedback', database)
  return {
    async enter(scope) {
      const one = await enter(scope, 'holdfast', server.url(own), { env, files })
      const other = await enter(scope, 'by hand', server.url(byHand))
      return { own: await ready(one, 'primary'), byHand: await ready(other), file: null }
    },
  }
}

/** Waits until its store answers; `store`: until this one does. */
async function ready(one: Contestant, store = ''): Promise<Seeded> {
  const isAnswering = async (): Promise<boolean> => {
    const answer = await fetch(`http://127.0.0.1:${one.port}${collectionPath}?limit=1`)
    await answer.text()
    return answer.ok && (answer.headers.get('holdfast-store') ?? '').startsWith(store)
  }
  await until(isAnswering, { withinMs: 20_000, everyMs: 20, what: `${one.name}\n${one.running.output()}` })
  return { ...one, rowPaths: [], fresh: { paths: [], perSecond: 0 } }
}

/** The collection of all benchmarks with an index: open to everybody, without limits. */
function declaration(): Files {
  const path = 'config/collections/feedback.json'
  const { rateLimit: _, maxRows: __, access, ...rest } = JSON.parse(readFileSync(join(repository, path), 'utf8'))
  const open = { ...access, update: 'public', delete: 'public' }
  return { [path]: JSON.stringify({ ...rest, access: open, indexes: [{ fields: ['model'] }] }) }
}
