import type { Cleanup } from '../temp.ts'
import { until } from '../until.ts'
import { type Postgres, type PostgresOptions, startPostgres, startStandby } from './postgres.ts'

/** Two servers, one of which streams to the other, whose roles change as in a cluster that Patroni manages. */
export interface PostgresCluster {
  /** The one that accepts writes, and was promoted last. */
  readonly primary: Postgres
  readonly standby: Postgres
  /** Both hosts in one address, these first; `query` begins with "?". */
  url(database: string, hosts?: readonly { readonly port: number }[], query?: string): string
  /** An empty database that the standby has, too; its name. */
  createDatabase(): Promise<string>
  /** Resolves when the standby has all that the primary has written. */
  caughtUp(): Promise<void>
  /** A planned one: the primary is shut down, the standby has all of it and is promoted, the old one follows it. */
  switchover(): Promise<void>
  /** The standby is promoted; what was the primary is left as it is, also when it runs: an orphan. */
  promote(): Promise<void>
  /** The standby gets nothing more: what the primary writes from now on is lost when the standby is promoted. */
  cutOff(): Promise<void>
  /** The standby becomes a second primary on the same timeline: a split brain. */
  split(): Promise<void>
  /** The other server is made a standby again, on its own port; what it alone had is gone. */
  rejoin(): Promise<void>
  /** COMMIT waits for the standby, or no longer. */
  synchronous(on: boolean): Promise<void>
}

/** Makes and starts both, which end with the test, suite or file `t`. Skip by `noStandby`. */
export async function startPostgresCluster(t: Cleanup, options: PostgresOptions = {}): Promise<PostgresCluster> {
  // What a standby asks of a primary that is not there is asked again after 5 s by default.
  const settings = ['wal_retrieve_retry_interval = 100ms', 'wal_keep_size = 64MB', ...(options.settings ?? [])]
  const primary = await startPostgres(t, { ...options, settings })
  return new Pair(primary, await startStandby(t, primary))
}

class Pair implements PostgresCluster {
  primary: Postgres
  standby: Postgres

  constructor(primary: Postgres, standby: Postgres) {
    this.primary = primary
    this.standby = standby
  }

  url(
    database: string,
    hosts: readonly { readonly port: number }[] = [this.primary, this.standby],
    query: string = '',
  ): string {
    const names = hosts.map(({ port }) => `127.0.0.1:${port}`).join(',')
    return `${this.primary.url(database).replace(/127\.0\.0\.1:\d+/, names)}${query}`
  }

  async createDatabase(): Promise<string> {
    const name = await this.primary.createDatabase()
    await this.caughtUp()
    return name
  }

  async caughtUp(): Promise<void> {
    const [end] = await this.primary.query('select pg_current_wal_lsn()::text as lsn')
    const question = `select pg_last_wal_replay_lsn() >= '${String(end?.lsn)}' as is_there`
    await until(async () => (await this.standby.query(question))[0]?.is_there, {
      withinMs: 20_000,
      what: 'the standby to catch up',
    })
  }

  async switchover(): Promise<void> {
    // A fast shutdown waits until its standbys have everything.
    await this.primary.stop()
    await this.promote()
    await this.standby.follow(this.primary)
    await this.standby.start()
  }

  async promote(): Promise<void> {
    await this.standby.query('select pg_promote()')
    const { primary, standby } = this
    this.primary = standby
    this.standby = primary
  }

  async cutOff(): Promise<void> {
    await this.standby.query("alter system set primary_conninfo = ''")
    await this.standby.query('select pg_reload_conf()')
    await until(async () => (await this.standby.query('select 1 from pg_stat_wal_receiver')).length === 0, {
      withinMs: 20_000,
      what: 'the standby to be cut off',
    })
  }

  async split(): Promise<void> {
    await this.standby.kill()
    await this.standby.copy(this.primary, 'primary')
    await this.standby.start()
  }

  async rejoin(): Promise<void> {
    await this.standby.kill()
    await this.standby.copy(this.primary)
    await this.standby.start()
  }

  async synchronous(on: boolean): Promise<void> {
    await this.primary.query(`alter system set synchronous_standby_names = '${on ? '*' : ''}'`)
    await this.primary.query('select pg_reload_conf()')
    await until(
      async () =>
        (await this.primary.query("select 1 from pg_stat_replication where sync_state = 'sync'")).length > 0 === on,
      { withinMs: 20_000, what: `the standby to be ${on ? '' : 'a'}synchronous` },
    )
  }
}
