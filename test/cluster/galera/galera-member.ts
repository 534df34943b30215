import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import type { Daemon } from '../member/daemon.ts'

/** One node of a Galera cluster. */
export class GaleraMember {
  readonly port: number
  readonly daemon: Daemon
  readonly #socket: string
  #kept: Connection | null = null

  constructor(port: number, socket: string, daemon: Daemon) {
    this.port = port
    this.#socket = socket
    this.daemon = daemon
  }

  /** A statement of the administrator, on a connection of its own. */
  async query(text: string): Promise<readonly Record<string, unknown>[]> {
    const connection = await this.#connect()
    try {
      const [rows] = await connection.query<RowDataPacket[]>({ sql: text, timeout: 5_000 })
      return rows
    } finally {
      connection.destroy()
    }
  }

  /** One write on a connection that is kept; rejects where the node accepts none. */
  async pulse(number: number): Promise<void> {
    try {
      this.#kept ??= await this.#connect()
      const sql = `insert into app.pulse values (${number}, 1) on duplicate key update n = n + 1`
      await this.#kept.query({ sql, timeout: 20_000 })
    } catch (error) {
      this.#kept?.destroy()
      this.#kept = null
      throw error
    }
  }

  /** Whether it belongs to a whole cluster of this size, and is as far as the others. */
  async isSynced(size: number): Promise<boolean> {
    const rows = await this.query("show global status like 'wsrep_%'").catch(() => [])
    const status = new Map(rows.map((row) => [String(row.Variable_name), String(row.Value)]))
    return (
      status.get('wsrep_local_state_comment') === 'Synced' &&
      status.get('wsrep_cluster_status') === 'Primary' &&
      status.get('wsrep_cluster_size') === String(size) &&
      status.get('wsrep_ready') === 'ON'
    )
  }

  /** How many connections of this user it has. */
  async connectionsOf(user: string): Promise<number> {
    const rows = await this.query(
      `select count(*) as n from information_schema.processlist where user = '${user}'`,
    ).catch(() => [])
    return Number(rows[0]?.n ?? 0)
  }

  async #connect(): Promise<Connection> {
    const connection = await createConnection({
      ...{ socketPath: this.#socket, user: 'root', connectTimeout: 1_000 },
      ...{ dateStrings: true, jsonStrings: true, supportBigNumbers: true },
    })
    connection.on('error', () => {})
    return connection
  }
}
