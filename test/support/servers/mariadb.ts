import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { isRoot, ordinaryUid } from '../process.ts'
import { makeOnce } from '../run.ts'
import { type Cleanup, cleanLater, giveTo, makeTempDir, removeDir, serversDir } from '../temp.ts'
import { until } from '../until.ts'
import { asServer, type Certificate, freePort } from './postgres.ts'
import { endWithUs } from './watchdog.ts'

/** Where the system keeps the binaries of MariaDB. */
const folders: readonly string[] = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin']

const server = find('mariadbd')
const installer = find('mariadb-install-db')

/** What `mariadb-install-db` calls; Debian packages it with the client, on which the server's package does not depend. */
const defaultsReader = find('my_print_defaults')

/** Why tests that need a real MariaDB are skipped; false when they run. Give it as `skip`. */
export const noMariadb: string | false =
  server === null || installer === null || defaultsReader === null
    ? 'no MariaDB binaries (mariadbd, mariadb-install-db, my_print_defaults) are installed on this machine'
    : false

/** Who may do everything on the private server, and the password. */
export const mariadbUser = { user: 'holdfast', password: 'pa ss/w@rd#1' } as const

/** What a server is started with. */
export interface MariadbOptions {
  /** Options of the command line: `--read-only`. */
  readonly settings?: readonly string[]
  /** Switches TLS on. */
  readonly tls?: Certificate & { readonly authority: string }
}

/** A private MariaDB on a free port of the loopback address and on a Unix socket. */
export interface Mariadb {
  readonly port: number
  /** The file of its Unix socket. */
  readonly socket: string
  /** Its address, with the password encoded; `database` is `test_home` unless told, `port` that of a proxy. */
  url(database?: string, port?: number): string
  /** An empty database; its name. */
  createDatabase(): Promise<string>
  /** Runs a statement as the one who may do everything. */
  query(text: string, database?: string): Promise<readonly Record<string, unknown>[]>
  /** SIGKILL; resolves when the port is free. Safe to call twice. */
  kill(): Promise<void>
  /** Starts it again where it was; resolves when it answers. */
  start(): Promise<void>
  /** An orderly shutdown; resolves when it has ended. */
  stop(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  pause(): void
  resume(): void
}

const home = 'test_home'

/** Makes and starts a server, which ends with the test, suite or file `t`. */
export async function startMariadb(t: Cleanup, options: MariadbOptions = {}): Promise<Mariadb> {
  if (server === null || installer === null) throw new Error('unreachable: these tests are skipped by `noMariadb`')
  const dir = await makeTempDir(t, 'mariadb', serversDir)
  const data = join(dir, 'data')
  const settings = [...(options.settings ?? []), ...(await tlsSettings(dir, options))]
  await writeFile(join(dir, 'init.sql'), initText)
  // The folder that holds it may be closed to others: MariaDB refuses to run as root.
  if (isRoot) await giveTo(dir, ordinaryUid, ordinaryUid)
  await makeOnce('data-mariadb', data, () => install(installer, data, dir))
  const made = new Server(server, dir, data, await freePort(), settings)
  cleanLater(t, async () => {
    await made.kill()
    await removeDir(dir)
  })
  await made.start()
  return made
}

const quotedUser = `'${mariadbUser.user}'@'%' identified by '${mariadbUser.password}'`

/** Each on a line of its own, as `--init-file` wants it; run at each start. */
const initText = [
  "drop user if exists ''@'localhost';",
  `create user if not exists ${quotedUser};`,
  `grant all on *.* to '${mariadbUser.user}'@'%' with grant option;`,
  `create database if not exists ${home};`,
  '',
].join('\n')

async function tlsSettings(dir: string, { tls }: MariadbOptions): Promise<readonly string[]> {
  if (tls === undefined) return []
  await writeFile(join(dir, 'server.crt'), tls.certificate)
  await writeFile(join(dir, 'server.key'), tls.key)
  await writeFile(join(dir, 'ca.crt'), tls.authority)
  await chmod(join(dir, 'server.key'), 0o600)
  return [
    `--ssl-cert=${join(dir, 'server.crt')}`,
    `--ssl-key=${join(dir, 'server.key')}`,
    `--ssl-ca=${join(dir, 'ca.crt')}`,
  ]
}

async function install(command: string, data: string, dir: string): Promise<void> {
  const args = ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db']
  const child = spawn(command, [...args, '--skip-name-resolve', `--tmpdir=${dir}`, '--innodb-log-file-size=8M'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
    ...asServer(),
  })
  let said = ''
  for (const pipe of [child.stdout, child.stderr]) {
    pipe.on('data', (text) => {
      said += text
    })
  }
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${said}`)
}

class Server implements Mariadb {
  readonly port: number
  readonly #binary: string
  readonly #dir: string
  readonly #data: string
  readonly #settings: readonly string[]
  #child: ChildProcess | null = null

  constructor(binary: string, dir: string, data: string, port: number, settings: readonly string[]) {
    this.#binary = binary
    this.#dir = dir
    this.#data = data
    this.port = port
    this.#settings = settings
  }

  get socket(): string {
    return join(this.#dir, 'mysqld.sock')
  }

  url(database: string = home, port: number = this.port): string {
    const { user, password } = mariadbUser
    return `mariadb://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`
  }

  async createDatabase(): Promise<string> {
    const name = `t_${randomUUID().replaceAll('-', '')}`
    await this.query(`create database ${name}`)
    return name
  }

  async query(text: string, database: string = home): Promise<readonly Record<string, unknown>[]> {
    const texts = { dateStrings: true, jsonStrings: true, supportBigNumbers: true }
    const where = { socketPath: this.socket, database, connectTimeout: 2_000 }
    const client = await createConnection({ ...where, ...mariadbUser, ...texts })
    client.on('error', () => {})
    try {
      const [rows] = await client.query<RowDataPacket[]>(text)
      return rows
    } finally {
      client.destroy()
    }
  }

  async start(): Promise<void> {
    const child = spawn(this.#binary, this.#args(), { stdio: 'ignore', detached: true, cwd: '/', ...asServer() })
    this.#child = child
    endWithUs(child, this.#dir)
    const isUp = async (): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`mariadbd ended with ${child.exitCode}`)
      await this.query('select 1')
      return true
    }
    await until(isUp, { withinMs: 20_000, everyMs: 30, what: 'MariaDB' })
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  pause(): void {
    const pid = this.#child?.pid
    this.#child?.kill('SIGSTOP')
    // Its threads stop one by one: one of them may answer meanwhile.
    const limit = performance.now() + 1_000
    while (pid !== undefined && !isStopped(pid) && performance.now() < limit);
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  #args(): readonly string[] {
    return [
      '--no-defaults',
      ...[`--datadir=${this.#data}`, `--tmpdir=${this.#dir}`, `--socket=${this.socket}`],
      ...[`--port=${this.port}`, '--bind-address=127.0.0.1', `--pid-file=${join(this.#dir, 'mysqld.pid')}`],
      ...['--skip-name-resolve', '--skip-log-bin', '--performance-schema=off', '--max-connections=40'],
      // Tests of lost power are not held here: what is tested survives a SIGKILL without it.
      ...[
        '--innodb-flush-log-at-trx-commit=2',
        '--innodb-flush-method=nosync',
        '--sync-frm=off',
        '--innodb-buffer-pool-size=16M',
        '--innodb-log-file-size=8M',
      ],
      // Another collation than the one that our tables get, and another zone: what leans on either shows.
      ...['--character-set-server=utf8mb4', '--collation-server=utf8mb4_general_ci', '--default-time-zone=+05:30'],
      ...[`--init-file=${join(this.#dir, 'init.sql')}`, ...this.#settings],
    ]
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}

function isStopped(pid: number): boolean {
  try {
    const tasks = `/proc/${pid}/task`
    return readdirSync(tasks).every((task) => /\) [TtZX] /.test(readFileSync(join(tasks, task, 'stat'), 'latin1')))
  } catch {
    return true
  }
}

function find(name: string): string | null {
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null
}
