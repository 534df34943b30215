import Database from 'better-sqlite3'
import { driver as mysql } from '../../../plugins/mysql/mysql.ts'
import { driver as postgresql } from '../../../plugins/postgresql/postgresql.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { noPostgres, startPostgres } from '../../support/servers/postgres.ts'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'
import { fileOf, type House, openHouse } from '../support.ts'

/** A house on each kind of database that this machine has, SQLite first. */
export interface Houses {
  /** By the name of the driver. */
  readonly all: ReadonlyMap<string, House>
  /** Runs a statement on a database, from outside of its house, by the name of the driver. */
  run(name: string, sql: string): Promise<void>
}

/** Opens houses with these collections, each in a database of its own. Closed when the test ends. */
export async function openHouses(t: Cleanup, collections: readonly Collection[]): Promise<Houses> {
  const dir = await makeTempDir(t)
  const all = new Map([['sqlite', openHouse(t, dir, collections)]])
  const runs = new Map<string, (sql: string) => Promise<unknown>>([
    ['sqlite', async (sql) => runInFile(fileOf(dir), sql)],
  ])
  if (noPostgres === false) {
    const server = await startPostgres(t)
    const database = await server.createDatabase()
    const primary = { driver: postgresql, url: server.url(database) }
    all.set('postgresql', openHouse(t, await makeTempDir(t), collections, { primary }))
    runs.set('postgresql', (sql) => server.query(sql, database))
  }
  if (noMariadb === false) {
    const server = await startMariadb(t)
    const database = await server.createDatabase()
    const primary = { driver: mysql, url: server.url(database) }
    all.set('mysql', openHouse(t, await makeTempDir(t), collections, { primary }))
    runs.set('mysql', (sql) => server.query(sql, database))
  }
  return { all, run: async (name, sql) => void (await runs.get(name)?.(sql)) }
}

function runInFile(path: string, sql: string): void {
  const file = new Database(path)
  file.exec(sql)
  file.close()
}
