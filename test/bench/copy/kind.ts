import { readFile } from 'node:fs/promises'
import { createPool } from 'mysql2/promise'
import { Client } from 'pg'
import type { Server } from '../../journal/bench.ts'
import { startMariadb } from '../../support/servers/mariadb.ts'
import { startPostgres } from '../../support/servers/postgres.ts'
import type { Cleanup } from '../../support/temp.ts'
import { cpuMs } from '../process-meter.ts'
import type { CopyBenchServer } from './copy-options.ts'

/** A server that can be lost. */
export interface BenchServer extends Server {
  kill(): Promise<void>
  start(): Promise<void>
}

/** A kind of server. */
export interface ServerKind {
  readonly name: string
  /** Rows per second that an empty copy is to take from it. */
  readonly fillGoal: number
  start(t: Cleanup): Promise<BenchServer>
  /** Its processes that live now. */
  pids(server: BenchServer): Promise<readonly number[]>
  /** Inserts rows of about 400 bytes into an empty table, all of them older than an hour, and tidies up after it. */
  insertText(table: string, rows: number): readonly string[]
  /** Reads the rows of a table behind a key, as arrays of texts. */
  reader(t: Cleanup, url: string): Promise<RowReader>
}

/** Reads the first so many rows of a table behind a key, by key, which is the first value of each. */
export type RowReader = (table: string, after: string, limit: number) => Promise<readonly (readonly unknown[])[]>

/** The columns of a collection, its key first. */
export const rowColumns: readonly string[] = [
  ...['id', 'rating', 'comment', 'model', 'meta', 'createdAt', 'updatedAt', 'version', 'holdfast_attempt'],
]

const comment = "repeat('A row of an ordinary length. ', 9)"
const meta = '\'{"source":"bench","tags":["a","b"]}\''

/** One millisecond of a UUIDv7 for each row. */
function firstMs(rows: number): number {
  return Date.now() - 3_600_000 - rows
}

const postgresql: ServerKind = {
  name: 'PostgreSQL',
  fillGoal: 60_000,
  start: (t) => startPostgres(t, { settings: ['fsync = on', 'shared_buffers = 128MB', 'max_connections = 100'] }),
  pids: async (server) => {
    const rows = await server.query('select pid from pg_stat_activity where pid <> pg_backend_pid()')
    return rows.map(({ pid }) => Number(pid))
  },
  insertText: (table, rows) => [
    `insert into "${table}" (${rowColumns.map((name) => `"${name}"`).join(', ')})
     select id, 4, ${comment}, 'bench-1', ${meta}, at, at, 1, id
     from (select to_timestamp((${firstMs(rows)} + n) / 1000.0) as at, (lpad(to_hex(${firstMs(rows)} + n), 12, '0')
       || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid as id
       from generate_series(1::bigint, ${rows}) as n) as drawn`,
    `vacuum analyze "${table}"`,
  ],
  async reader(t, url) {
    const client = new Client(url)
    await client.connect()
    t.after(() => client.end())
    const names = rowColumns.map((name) => `"${name}"::text`).join(', ')
    return async (table, after, limit) => {
      const text = `select ${names} from "${table}" where "${table}".id > $1 order by "${table}".id limit ${limit}`
      const { rows } = await client.query<unknown[]>({ text, values: [after], rowMode: 'array' })
      return rows
    }
  },
}

const mysql: ServerKind = {
  name: 'MariaDB',
  fillGoal: 30_000,
  start: (t) => startMariadb(t, { settings: ['--innodb-buffer-pool-size=1G', '--innodb-log-file-size=256M'] }),
  pids: async (server) => {
    const [row] = await server.query('select @@pid_file as file')
    return [Number.parseInt(await readFile(String(row?.file), 'utf8'), 10)]
  },
  insertText: (table, rows) => [
    `insert into \`${table}\` (${rowColumns.map((name) => `\`${name}\``).join(', ')})
     select id, 4, ${comment}, 'bench-1', ${meta}, utc_timestamp(), utc_timestamp(), 1, id
     from (select concat(left(made, 8), '-', right(made, 4), '-7', left(drawn, 3), '-8', substr(drawn, 4, 3), '-',
         substr(drawn, 7, 12)) as id
       from (select lower(lpad(hex(${firstMs(rows)} + seq), 12, '0')) as made, md5(seq) as drawn
         from seq_1_to_${rows}) as parts) as ids`,
    `analyze table \`${table}\``,
  ],
  async reader(t, url) {
    const pool = createPool({ uri: url, connectionLimit: 1 })
    t.after(() => pool.end())
    const names = rowColumns.map((name) => `cast(\`${name}\` as char)`).join(', ')
    return async (table, after, limit) => {
      const sql = `select ${names} from \`${table}\` where id > ? order by id limit ${limit}`
      const [rows] = await pool.query({ sql, values: [after], rowsAsArray: true })
      return rows as unknown[][] // By `rowsAsArray`.
    }
  },
}

/** The kind of server of this name. */
export const serverKinds: Readonly<Record<CopyBenchServer, ServerKind>> = { postgresql, mysql }

/** Measures the processor time of all processes of a server, in milliseconds since this call. */
export async function meterServer(kind: ServerKind, server: BenchServer): Promise<() => Promise<number>> {
  const read = async (): Promise<ReadonlyMap<number, number>> =>
    new Map((await kind.pids(server)).map((pid) => [pid, timeOf(pid)]))
  const before = await read()
  return async () => {
    let used = 0
    for (const [pid, ms] of await read()) used += Math.max(0, ms - (before.get(pid) ?? 0))
    return used
  }
}

function timeOf(pid: number): number {
  try {
    return cpuMs(pid)
  } catch {
    return 0 // It has just ended.
  }
}
