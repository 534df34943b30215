import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { appendFile, chmod, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Client } from 'pg'
import { isRoot, ordinaryUid } from '../process.ts'
import { makeOnce } from '../run.ts'
import { type Cleanup, cleanLater, giveTo, makeTempDir, removeDir, serversDir } from '../temp.ts'
import { until } from '../until.ts'
import { type Binaries, binariesOf, noBinaries } from './postgres-binaries.ts'
import { childrenOf, endWithUs, signalTo } from './watchdog.ts'

/** Why tests that need a real PostgreSQL are skipped; false when they run. Give it as `skip`. */
export const noPostgres: string | false = noBinaries()

/** The superuser of the private server, and its password. */
export const superuser = { user: 'holdfast', password: 'pa ss/w@rd#1' } as const

/** A certificate for `localhost` and its key, as text. */
export interface Certificate {
  readonly certificate: string
  readonly key: string
}

/** What a server is started with. */
export interface PostgresOptions {
  /** Lines for `postgresql.conf`. */
  readonly settings?: readonly string[]
  /** Switches TLS on; clients may show certificates of this authority. */
  readonly tls?: Certificate & { readonly authority?: string }
  /** Whose binaries; the system's, else the embedded ones, unless told. Skip by `noBinaries` of the same. */
  readonly binaries?: Binaries
  /** Lines before those of `pg_hba.conf`: the first that fits counts. */
  readonly hba?: readonly string[]
  /** True: made anew. Others of one run of `npm test` are copies of one cluster and share its system identifier. */
  readonly isNew?: boolean
}

/** A private PostgreSQL on a free port of the loopback address and on a Unix socket. */
export interface Postgres {
  readonly port: number
  /** The folder of its Unix socket. */
  readonly socketDir: string
  /** Its address, with the password encoded; `database` is `postgres` unless told, `port` that of a proxy. */
  url(database?: string, port?: number): string
  /** An empty database; its name. */
  createDatabase(): Promise<string>
  /** Runs statements as the superuser. */
  query(text: string, database?: string): Promise<readonly Record<string, unknown>[]>
  /** SIGKILL to all of its processes; resolves when the port is free. Safe to call twice. */
  kill(): Promise<void>
  /** Starts it again where it was; resolves when it answers. */
  start(): Promise<void>
  /** Runs statements while it does not run, in a process that listens to nobody. */
  alone(text: string): Promise<void>
  /** A fast shutdown; resolves when it has ended. */
  stop(): Promise<void>
  /** SIGSTOP and SIGCONT to all of its processes. */
  pause(): void
  resume(): void
  /** From its next start on it is a standby of that one, which has all that this one has written. */
  follow(primary: Postgres): Promise<void>
  /**
   * Its files, while it does not run, become a copy of those of a running primary: from its next start on it is a standby, or
   * as much a primary as that one.
   */
  copy(primary: Postgres, as?: 'standby' | 'primary'): Promise<void>
}

/** Makes and starts a server, which ends with the test, suite or file `t`. */
export async function startPostgres(t: Cleanup, options: PostgresOptions = {}): Promise<Postgres> {
  const binaries = binariesOf(options.binaries)
  if (binaries === null) throw new Error('unreachable: tests that need PostgreSQL are skipped by `noPostgres`')
  const dir = await makeTempDir(t, 'postgres', serversDir)
  const data = join(dir, 'data')
  await writeFile(join(dir, 'password'), superuser.password)
  // The folder that holds it may be closed to others: PostgreSQL refuses to run as root.
  if (isRoot) await giveTo(dir, ordinaryUid, ordinaryUid)
  const make = () =>
    run(join(binaries, 'initdb'), [
      ...['-D', data, '-U', superuser.user, '--auth=scram-sha-256', `--pwfile=${join(dir, 'password')}`],
      ...['--no-sync', '--encoding=UTF8', '--no-locale'],
    ])
  await (options.isNew === true ? make() : makeOnce(`data${binaries.replaceAll('/', '-')}`, data, make))
  return await launch(t, binaries, dir, options)
}

/** Why tests that need a standby are skipped; false when they run. */
export const noStandby: string | false =
  noPostgres || (existsSync(join(binariesOf() ?? '', 'pg_basebackup')) ? false : 'pg_basebackup is not installed')

/** A hot standby of a server that `startPostgres` made without choosing binaries: it answers, takes no writes and follows. */
export async function startStandby(t: Cleanup, primary: Postgres): Promise<Postgres> {
  const binaries = binariesOf()
  if (binaries === null) throw new Error('unreachable: tests that need a standby are skipped by `noStandby`')
  const dir = await makeTempDir(t, 'standby', serversDir)
  if (isRoot) await giveTo(dir, ordinaryUid, ordinaryUid)
  await backUp(primary, binaries, join(dir, 'data'))
  return await launch(t, binaries, dir, {})
}

/** A copy of a running server, as the files of a standby. */
async function backUp(primary: Postgres, binaries: string, data: string): Promise<void> {
  const from = ['-h', '127.0.0.1', '-p', String(primary.port), '-U', superuser.user, '--no-sync', '--checkpoint=fast']
  const env = { PGPASSWORD: superuser.password }
  await run(join(binaries, 'pg_basebackup'), [...from, '-D', data, '-R'], env)
}

async function launch(t: Cleanup, binaries: string, dir: string, options: PostgresOptions): Promise<Postgres> {
  const data = join(dir, 'data')
  const port = await freePort()
  await configure(data, dir, port, options)
  const server = new Server(binaries, data, dir, port)
  cleanLater(t, async () => {
    await server.kill()
    await removeDir(dir)
  })
  await server.start()
  return server
}

async function configure(data: string, dir: string, port: number, { settings = [], tls, hba = [] }: PostgresOptions) {
  const lines = [
    `port = ${port}`,
    `listen_addresses = '127.0.0.1'`,
    `unix_socket_directories = '${dir}'`,
    // Tests of lost power are not held here: what is tested survives a SIGKILL without it.
    ...['fsync = off', 'shared_buffers = 16MB', 'max_connections = 40', 'log_min_messages = fatal'],
    // In its own folder: what a killed server had in the machine's would stay there.
    'dynamic_shared_memory_type = mmap',
    ...settings,
  ]
  if (tls !== undefined) {
    await writeFile(join(data, 'server.crt'), tls.certificate)
    await writeFile(join(data, 'server.key'), tls.key)
    await chmod(join(data, 'server.key'), 0o600)
    if (tls.authority !== undefined) {
      await writeFile(join(data, 'root.crt'), tls.authority)
      lines.push(`ssl_ca_file = 'root.crt'`)
    }
    if (isRoot) await giveTo(data, ordinaryUid, ordinaryUid)
    lines.push('ssl = on')
  }
  if (hba.length > 0) {
    const file = join(data, 'pg_hba.conf')
    await writeFile(file, `${hba.join('\n')}\n${readFileSync(file, 'utf8')}`)
  }
  await appendFile(join(data, 'postgresql.conf'), `${lines.join('\n')}\n`)
}

class Server implements Postgres {
  readonly port: number
  readonly socketDir: string
  readonly #binaries: string
  readonly #data: string
  #child: ChildProcess | null = null
  /** How databases are made: without their pages in the log of writes, which takes half as long; from 15 on that is a choice. */
  #strategy = ''

  constructor(binaries: string, data: string, socketDir: string, port: number) {
    this.#binaries = binaries
    this.#data = data
    this.port = port
    this.socketDir = socketDir
  }

  url(database = 'postgres', port: number = this.port): string {
    return `postgres://${superuser.user}:${encodeURIComponent(superuser.password)}@127.0.0.1:${port}/${database}`
  }

  async createDatabase(): Promise<string> {
    const name = `t_${randomUUID().replaceAll('-', '')}`
    await this.query(`create database ${name}${this.#strategy}`)
    return name
  }

  async query(text: string, database = 'postgres'): Promise<readonly Record<string, unknown>[]> {
    const client = new Client({ host: '127.0.0.1', port: this.port, database, ...superuser })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end()
    }
  }

  async start(): Promise<void> {
    const child = spawn(join(this.#binaries, 'postgres'), ['-D', this.#data], {
      stdio: 'ignore',
      detached: true,
      ...asServer(),
    })
    this.#child = child
    endWithUs(child, this.socketDir)
    const ask = () => this.query("select current_setting('server_version_num')::int as version")
    const [answer] = await until(ask, { withinMs: 20_000, everyMs: 30, what: 'PostgreSQL' })
    this.#strategy = Number(answer?.version) < 150_000 ? '' : ' strategy file_copy'
  }

  async kill(): Promise<void> {
    const segment = this.#segment()
    await this.#end(() => this.#signal('SIGKILL'))
    if (segment === null) return
    // The kernel keeps 4,096 of them, and the one of a killed server for good; where it cannot be removed, it stays.
    const removing = spawn('ipcrm', ['-m', segment], { stdio: 'ignore', ...asServer() })
    await once(removing, 'close').catch(() => {})
  }

  /** The shared memory by which a server knows that another one runs on its files: in the seventh line. Null: none runs. */
  #segment(): string | null {
    try {
      return readFileSync(join(this.#data, 'postmaster.pid'), 'utf8').split('\n')[6]?.trim().split(/\s+/)[1] ?? null
    } catch {
      return null
    }
  }

  async alone(text: string): Promise<void> {
    await run(join(this.#binaries, 'postgres'), ['--single', '-D', this.#data, 'postgres'], {}, `${text}\n`)
  }

  async stop(): Promise<void> {
    await this.#end(() => this.#child?.kill('SIGINT'))
  }

  pause(): void {
    this.#signal('SIGSTOP')
  }

  resume(): void {
    this.#signal('SIGCONT')
  }

  async follow(primary: Postgres): Promise<void> {
    const { user, password } = superuser
    const from = `host=127.0.0.1 port=${primary.port} user=${user} password=''${password}''`
    await appendFile(join(this.#data, 'postgresql.auto.conf'), `\nprimary_conninfo = '${from}'\n`)
    await writeFile(join(this.#data, 'standby.signal'), '')
    if (isRoot) await giveTo(this.#data, ordinaryUid, ordinaryUid)
  }

  async copy(primary: Postgres, as: 'standby' | 'primary' = 'standby'): Promise<void> {
    await removeDir(this.#data)
    await backUp(primary, this.#binaries, this.#data)
    if (as === 'primary') await rm(join(this.#data, 'standby.signal'))
    await configure(this.#data, this.socketDir, this.port, {})
  }

  /** Each backend leads a process group of its own (PostgreSQL calls `setsid`), so each is asked for by its parent. */
  #signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid
    if (pid === undefined || this.#child?.exitCode !== null || this.#child.signalCode !== null) return
    // The parent first: it must not fork more while its children are found.
    if (signal !== 'SIGCONT') process.kill(pid, 'SIGSTOP')
    for (const child of childrenOf(pid)) signalTo(child, signal)
    process.kill(pid, signal)
  }

  async #end(end: () => void): Promise<void> {
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    end()
    await ended
  }
}

/** Servers refuse to run as root. */
export function asServer(): { uid?: number; gid?: number } {
  return isRoot ? { uid: ordinaryUid, gid: ordinaryUid } : {}
}

async function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  input: string = '',
): Promise<void> {
  const options = { env: { ...process.env, ...env }, ...asServer(), cwd: '/' }
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'], ...options })
  child.stdin.end(input)
  let said = ''
  child.stderr.on('data', (text) => {
    said += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${said}`)
}

/** A port of the loopback address that was free just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('unreachable: it listens on a port')
  return address.port
}
