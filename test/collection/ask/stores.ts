import { driver as mysql } from '../../../plugins/mysql/mysql.ts'
import { driver as postgresql } from '../../../plugins/postgresql/postgresql.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { type Mariadb, noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'
import { type House, openHouse } from '../support.ts'

/** A house on each kind of database that this machine has, SQLite first. */
export interface Houses {
  /** By the name of the driver. */
  readonly all: ReadonlyMap<string, House>
  readonly postgres: Postgres | null
  readonly mariadb: Mariadb | null
}

/** Opens houses with these collections, each in a database of its own. Closed when the test ends. */
export async function openHouses(t: Cleanup, collections: readonly Collection[]): Promise<Houses> {
  const all = new Map([['sqlite', openHouse(t, await makeTempDir(t), collections)]])
  const postgres = noPostgres === false ? await startPostgres(t) : null
  if (postgres !== null) {
    const url = postgres.url(await postgres.createDatabase())
    all.set('postgresql', openHouse(t, await makeTempDir(t), collections, { primary: { driver: postgresql, url } }))
  }
  const mariadb = noMariadb === false ? await startMariadb(t) : null
  if (mariadb !== null) {
    const url = mariadb.url(await mariadb.createDatabase())
    all.set('mysql', openHouse(t, await makeTempDir(t), collections, { primary: { driver: mysql, url } }))
  }
  return { all, postgres, mariadb }
}
