import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { appendFile, chmod, writeFile } from 'node:fs/promises'
import { createServer, Socket } from 'node:net'
import { join } from 'node:path'
import { Client } from 'pg'
import { isRoot, ordinaryUid } from './process.ts'
import { type Cleanup, cleanLater, giveTo, makeTempDir, removeDir } from './temp.ts'
import { until } from './until.ts'

/** Where the system keeps the binaries of PostgreSQL, the first that has them. */
const folders: readonly string[] = [
  ...[18, 17, 16, 15, 14].map((version) => `/usr/lib/postgresql/${version}/bin`),
  '/usr/local/bin',
  '/usr/bin',
]

const binaries: string | null =
  folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'))) ?? null

/** Why tests that need a real PostgreSQL are skipped; false when they run. Give it as `skip`. */
export const noPostgres: string | false =
  binaries === null ? 'no PostgreSQL binaries (initdb, postgres) are installed on this machine' : false

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
  /** Switches TLS on. */
  readonly tls?: Certificate
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
  /** A fast shutdown; resolves when it has ended. */
  stop(): Promise<void>
  /** SIGSTOP and SIGCONT to all of its processes. */
  pause(): void
  resume(): void
}

/** Makes and starts a server, which ends with the test, suite or file `t`. */
export async function startPostgres(t: Cleanup, options: PostgresOptions = {}): Promise<Postgres> {
  if (binaries === null) throw new Error('unreachable: tests that need PostgreSQL are skipped by `noPostgres`')
  const dir = await makeTempDir(t, 'postgres')
  const data = join(dir, 'data')
  await writeFile(join(dir, 'password'), superuser.password)
  // The folder that holds it may be closed to others: PostgreSQL refuses to run as root.
  if (isRoot) await giveTo(dir, ordinaryUid, ordinaryUid)
  await run(join(binaries, 'initdb'), [
    ...['-D', data, '-U', superuser.user, '--auth=scram-sha-256', `--pwfile=${join(dir, 'password')}`],
    ...['--no-sync', '--encoding=UTF8', '--no-locale'],
  ])
  const port = await freePort()
  await configure(data, dir, port, options)
  const server = new Server(join(binaries, 'postgres'), data, dir, port)
  cleanLater(t, async () => {
    await server.kill()
    await removeDir(dir)
  })
  await server.start()
  return server
}

async function configure(data: string, dir: string, port: number, { settings = [], tls }: PostgresOptions) {
  const lines = [
    `port = ${port}`,
    `listen_addresses = '127.0.0.1'`,
    `unix_socket_directories = '${dir}'`,
    // Tests of lost power are not held here: what is tested survives a SIGKILL without it.
    ...['fsync = off', 'shared_buffers = 16MB', 'max_connections = 40', 'log_min_messages = fatal'],
    ...settings,
  ]
  if (tls !== undefined) {
    await writeFile(join(data, 'server.crt'), tls.certificate)
    await writeFile(join(data, 'server.key'), tls.key)
    await chmod(join(data, 'server.key'), 0o600)
    if (isRoot) await giveTo(data, ordinaryUid, ordinaryUid)
    lines.push('ssl = on')
  }
  await appendFile(join(data, 'postgresql.conf'), `${lines.join('\n')}\n`)
}

class Server implements Postgres {
  readonly port: number
  readonly socketDir: string
  readonly #binary: string
  readonly #data: string
  #child: ChildProcess | null = null

  constructor(binary: string, data: string, socketDir: string, port: number) {
    this.#binary = binary
    this.#data = data
    this.port = port
    this.socketDir = socketDir
  }

  url(database = 'postgres', port: number = this.port): string {
    return `postgres://${superuser.user}:${encodeURIComponent(superuser.password)}@127.0.0.1:${port}/${database}`
  }

  async createDatabase(): Promise<string> {
    const name = `t_${randomUUID().replaceAll('-', '')}`
    await this.query(`create database ${name}`)
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
    const child = spawn(this.#binary, ['-D', this.#data], { stdio: 'ignore', detached: true, ...asServer() })
    this.#child = child
    living.add(child)
    const ended = watch(child.pid, this.socketDir)
    child.once('exit', () => {
      living.delete(child)
      ended()
    })
    await until(() => this.query('select 1').then(() => true), { withinMs: 20_000, everyMs: 30, what: 'PostgreSQL' })
  }

  async kill(): Promise<void> {
    await this.#end(() => this.#signal('SIGKILL'))
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

  /** Each backend leads a process group of its own (PostgreSQL calls `setsid`), so each is asked for by its parent. */
  #signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid
    if (pid === undefined || this.#child?.exitCode !== null || this.#child.signalCode !== null) return
    // The parent first: it must not fork more while its children are found.
    if (signal !== 'SIGCONT') process.kill(pid, 'SIGSTOP')
    for (const child of childrenOf(pid)) {
      try {
        process.kill(child, signal)
      } catch {
        // It has ended by itself.
      }
    }
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

const living = new Set<ChildProcess>()
process.on('exit', () => {
  for (const { pid } of living) {
    if (pid === undefined) continue
    for (const child of [...childrenOf(pid), pid]) {
      try {
        process.kill(child, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    }
  }
})

/** Reads a line when the server has ended by itself; the end of its input is the end of this process, however it came. */
const watchdog = `
read -r said && exit 0
grep -q -- "$2" "/proc/$1/cmdline" || exit 0
kill -STOP "$1"
kill -KILL $(cat "/proc/$1/task/$1/children") "$1"
rm -rf -- "$2"
`

/**
 * A process in a session of its own, which outlives this one by a moment: no hook runs at a SIGKILL, and a server would
 * go on. What it gives is to be called once the server has ended: its number may soon be that of another process.
 */
function watch(pid: number | undefined, dir: string): () => void {
  if (pid === undefined) return () => {}
  const args = ['-c', watchdog, 'watchdog', String(pid), dir]
  const child = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' })
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
  return () => child.stdin.end('ended\n')
}

function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return text.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function asServer(): { uid?: number; gid?: number } {
  return isRoot ? { uid: ordinaryUid, gid: ordinaryUid } : {}
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], ...asServer(), cwd: '/' })
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
