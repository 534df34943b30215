import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { isRoot, ordinaryUid } from '../process.ts'
import { type Cleanup, cleanLater, giveTo, makeTempDir } from '../temp.ts'
import { until } from '../until.ts'
import { asServer, freePort, type Postgres, superuser } from './postgres.ts'
import { endWithUs } from './watchdog.ts'

const binary = ['/usr/sbin/pgbouncer', '/usr/local/bin/pgbouncer', '/usr/bin/pgbouncer'].find((path) =>
  existsSync(path),
)

/** Why tests that need PgBouncer are skipped; false when they run. Give it as `skip`. */
export const noPgbouncer: string | false = binary === undefined ? 'no PgBouncer is installed on this machine' : false

/** What it is started with. */
export interface PgbouncerOptions {
  /** Lines for the section `[pgbouncer]`; they win. */
  readonly settings?: readonly string[]
}

/** A private PgBouncer in transaction mode before a private PostgreSQL: no statement is prepared across transactions. */
export interface Pgbouncer {
  readonly port: number
  /** Any database of the server, through it. */
  url(database?: string): string
  /** A command of its console (`show pools`). */
  console(text: string): Promise<readonly Record<string, unknown>[]>
  /** SIGKILL; resolves when it is gone. Safe to call twice. */
  kill(): Promise<void>
  /** Starts it again where it was; resolves when it takes connections. */
  start(): Promise<void>
  /** At once, as by SIGTERM. */
  stop(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  pause(): void
  resume(): void
  /** What it logged so far. */
  output(): string
}

/** Makes and starts one, which ends with the test, suite or file `t`. */
export async function startPgbouncer(
  t: Cleanup,
  server: Pick<Postgres, 'port'>,
  options: PgbouncerOptions = {},
): Promise<Pgbouncer> {
  if (binary === undefined) throw new Error('unreachable: tests that need PgBouncer are skipped by `noPgbouncer`')
  const dir = await makeTempDir(t, 'pgbouncer')
  const port = await freePort()
  const { user, password } = superuser
  await writeFile(join(dir, 'users'), `"${user}" "${password}"\n`, { mode: 0o600 })
  const lines = [
    ...['[databases]', `* = host=127.0.0.1 port=${server.port}`],
    ...['[pgbouncer]', 'listen_addr = 127.0.0.1', `listen_port = ${port}`, 'unix_socket_dir ='],
    ...['auth_type = scram-sha-256', `auth_file = ${join(dir, 'users')}`, `admin_users = ${user}`],
    // Each test has a database of its own: what it leaves idle must not use up the server's connections.
    ...['pool_mode = transaction', 'default_pool_size = 6', 'max_client_conn = 100', 'server_idle_timeout = 1'],
    ...(options.settings ?? []),
  ]
  await writeFile(join(dir, 'pgbouncer.ini'), `${lines.join('\n')}\n`)
  if (isRoot) await giveTo(dir, ordinaryUid, ordinaryUid)
  const pooler = new Pooler(binary, dir, port)
  cleanLater(t, () => pooler.kill())
  await pooler.start()
  return pooler
}

class Pooler implements Pgbouncer {
  readonly port: number
  readonly #binary: string
  readonly #dir: string
  #child: ChildProcess | null = null
  #said = ''

  constructor(path: string, dir: string, port: number) {
    this.#binary = path
    this.#dir = dir
    this.port = port
  }

  url(database = 'postgres'): string {
    return `postgres://${superuser.user}:${encodeURIComponent(superuser.password)}@127.0.0.1:${this.port}/${database}`
  }

  async console(text: string): Promise<readonly Record<string, unknown>[]> {
    const client = new Client({ host: '127.0.0.1', port: this.port, database: 'pgbouncer', ...superuser })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end()
    }
  }

  async start(): Promise<void> {
    const stdio: ['ignore', 'ignore', 'pipe'] = ['ignore', 'ignore', 'pipe']
    const child = spawn(this.#binary, [join(this.#dir, 'pgbouncer.ini')], { stdio, ...asServer(), cwd: '/' })
    this.#child = child
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-100_000)
    })
    endWithUs(child, this.#dir)
    const answers = () => this.console('show version').then(() => true)
    await until(answers, { withinMs: 10_000, everyMs: 20, what: 'PgBouncer' }).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#said}`, { cause: error })
    })
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  output(): string {
    return this.#said
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}
