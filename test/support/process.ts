import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { cp, mkdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
// Plain JavaScript: the launcher that an old Node reads first.
import { isBuilt } from '../../src/cli/entry.js'
import { type LogLine, listeningPort, parseLog } from './log.ts'
import { type Cleanup, cleanLater, type Files, giveTo, makeTempDir, writeFiles } from './temp.ts'
import { until, within } from './until.ts'

/** The repository's root. */
export const repository: string = resolve(fileURLToPath(import.meta.url), '../../..')

const isFresh = isBuilt()

/**
 * The process that users run: the build, when it is newer than the sources (`npm test` makes it so), else the sources.
 * A test starts hundreds of them, and the build starts in a third of the time.
 */
export const mainEntry: string = join(repository, isFresh ? 'dist/main.js' : 'src/main.ts')

/** The command line that users run, likewise. */
export const cliEntry: string = join(repository, isFresh ? 'dist/cli.js' : 'src/cli/main.ts')

/** The environment that `npm start` gives to Node: it decides how much memory is held. */
export const startEnvironment: Readonly<Record<'NODE_OPTIONS' | 'MALLOC_ARENA_MAX', string>> = {
  NODE_OPTIONS: /NODE_OPTIONS="(.*?)\$/.exec(startScript())?.[1] ?? '',
  MALLOC_ARENA_MAX: /MALLOC_ARENA_MAX:-(\d+)/.exec(startScript())?.[1] ?? '',
}

/** The arguments that it gives to Node, since NODE_OPTIONS does not accept them. */
export const startArguments: readonly string[] = /^exec node (--.*?) "/m.exec(startScript())?.[1]?.split(' ') ?? []

function startScript(): string {
  return readFileSync(join(repository, 'src/cli/start.sh'), 'utf8')
}

/** The cache of the build's own launcher; where it cannot be written, Node goes on without. */
const compileCache = { NODE_COMPILE_CACHE: join(repository, 'dist/cache') }

/** True when tests may become another user. */
export const isRoot: boolean = process.getuid?.() === 0

/** True when another user may read the repository and run its Node: not so when root cloned it into its own home. */
const isOpen: boolean = [repository, process.execPath].every(isReachable)

/** The user of the image, and of an ordinary user's tests run as root. */
export const ordinaryUid = 1000

/** How a process of ours is started. */
export interface ProcessOptions {
  /** On top of a clean environment (see `cleanEnvironment`). Undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Files in its working directory, which is an empty temporary folder with a copy of `config/`. Null: not there. */
  readonly files?: Files
  /** The working directory itself, to start again where another process was. `files` are still written. */
  readonly cwd?: string
  /** Arguments of Node; the service (`mainEntry`) unless told. */
  readonly args?: readonly string[]
  /** The executable; the Node that runs the test unless told. */
  readonly command?: string
  /** Run as this user. Without root, or where that user cannot reach the repository: as the present user. */
  readonly uid?: number
  /** False: the working directory is not given to that user. */
  readonly give?: boolean
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A process under test. Killed with SIGKILL, and its folder removed, when the test ends. */
export interface Running {
  readonly pid: number
  /** Its working directory. */
  readonly dir: string
  readonly child: ChildProcess
  readonly exited: Promise<Exit>
  /** All that it printed so far, both streams, in the order in which it came. */
  output(): string
  stdout(): string
  stderr(): string
  /** The JSON lines of its log so far. */
  log(): readonly LogLine[]
  /** Sends a signal; resolves with how it ended, or rejects after the limit. */
  end(signal?: NodeJS.Signals, withinMs?: number): Promise<Exit>
}

/** A service that listens. */
export interface Service extends Running {
  readonly port: number
  readonly url: string
  /** `fetch` against it, by path. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** Sends JSON with the method given; `token` goes into `Authorization`. */
  send(method: string, path: string, body: unknown, token?: string): Promise<Response>
}

const living = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

/** Starts a process in a folder of its own; resolves as soon as it is spawned. */
export async function startProcess(t: Cleanup, options: ProcessOptions = {}): Promise<Running> {
  const dir = options.cwd ?? (await makeWorkingDir(t))
  await writeFiles(dir, { ...options.files })
  const asUser =
    isRoot && options.uid !== undefined && (isOpen || options.give === false)
      ? { uid: options.uid, gid: options.uid }
      : {}
  if (asUser.uid !== undefined && options.give !== false) await giveTo(dir, asUser.uid, asUser.gid)
  const child = spawn(options.command ?? process.execPath, options.args ?? [mainEntry], {
    cwd: dir,
    env: cleanEnvironment(dir, { ...(isOurs(options.args ?? [mainEntry]) ? compileCache : {}), ...options.env }),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...asUser,
  })
  living.add(child)
  const running = watch(child, dir)
  cleanLater(t, async () => {
    child.kill('SIGKILL')
    await running.exited
  })
  await once(child, 'spawn')
  return running
}

/** Starts the service on a port of its own choice; resolves when it listens, rejects with its output when it does not. */
export async function startService(
  t: Cleanup,
  options: ProcessOptions & { readonly withinMs?: number } = {},
): Promise<Service> {
  const running = await startProcess(t, options)
  const port = await waitForPort(running, options.withinMs ?? 20_000)
  return Object.assign(running, clientOf(port))
}

/** The client's side of a service at a port of this machine. */
export function clientOf(port: number): Pick<Service, 'port' | 'url' | 'fetch' | 'send'> {
  const url = `http://127.0.0.1:${port}`
  const call = (path: string, init?: RequestInit): Promise<Response> => fetch(new URL(path, url), init)
  return {
    port,
    url,
    fetch: call,
    send: (method, path, body, token) =>
      call(path, {
        method,
        headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
  }
}

/** Runs a process to its end. */
export async function runProcess(
  t: Cleanup,
  options: ProcessOptions & { readonly withinMs?: number } = {},
): Promise<Exit & { readonly stdout: string; readonly stderr: string; readonly dir: string }> {
  const running = await startProcess(t, options)
  const exit = await within(running.exited, options.withinMs ?? 20_000, 'the process').catch((error: Error) => {
    running.child.kill('SIGKILL')
    throw new Error(`${error.message}\n${running.output()}`)
  })
  return { ...exit, stdout: running.stdout(), stderr: running.stderr(), dir: running.dir }
}

/** What a variable is for the commands after a shown one that ends with "npm start &", which is not run. */
export async function exportedBy(t: Cleanup, command: string, name: string, cwd: string): Promise<string> {
  const line = `npm() { :; }\n${command}\nwait\nprintf %s "$${name}"`
  return (await runProcess(t, { command: '/bin/sh', args: ['-c', line], cwd })).stdout
}

/** The port that a process says it listens on (JSON log), within a limit. */
export async function waitForPort(running: Running, withinMs: number): Promise<number> {
  let ended: Exit | undefined
  running.exited.then(
    (exit) => {
      ended = exit
    },
    () => undefined,
  )
  try {
    return await until(
      () => {
        const port = listeningPort(running.log())
        if (port !== null) return port
        return ended ? { ended } : null
      },
      { withinMs, what: 'the service to listen' },
    ).then((seen) => {
      if (typeof seen === 'number') return seen
      throw new Error(`The process ended (code ${seen.ended.code}, signal ${seen.ended.signal}) before it listened.`)
    })
  } catch (error) {
    running.child.kill('SIGKILL')
    throw new Error(`${(error as Error).message}\n--- its output:\n${running.output()}`) // `until` and we throw Errors.
  }
}

/**
 * The environment of a process under test: nothing of the machine's but the way to programs; any port, the loopback
 * address, a JSON log, and home and temporary folders inside its own working directory.
 */
export function cleanEnvironment(
  dir: string,
  env: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  const all = {
    PATH: process.env.PATH,
    HOME: dir,
    TMPDIR: existsSync(join(dir, 'tmp')) ? join(dir, 'tmp') : undefined,
    PORT: '0',
    HOST: '127.0.0.1',
    LOG_FORMAT: 'json',
    ...env,
  }
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** The build itself, or sources; what goes through a launcher has the cache that the launcher gives it. */
function isOurs(args: readonly string[]): boolean {
  return args.some(
    (arg) => arg === mainEntry || arg === cliEntry || (arg.startsWith(repository) && arg.endsWith('.ts')),
  )
}

function isReachable(path: string): boolean {
  const isOpenToAll = (statSync(path).mode & 0o001) !== 0
  return isOpenToAll && (dirname(path) === path || isReachable(dirname(path)))
}

/** A temporary folder with a copy of `config/`, as the image has it. */
export async function makeWorkingDir(t: Cleanup): Promise<string> {
  const dir = await makeTempDir(t, 'process')
  await cp(join(repository, 'config'), join(dir, 'config'), {
    recursive: true,
    filter: (source) => !source.includes(join(repository, 'config', 'examples')),
  })
  await mkdir(join(dir, 'tmp'))
  return dir
}

function watch(child: ChildProcess, dir: string): Running {
  const printed = { all: '', stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.setEncoding('utf8').on('data', (text: string) => {
      printed[stream] += text
      printed.all += text
    })
  }
  // `close`, not `exit`: then all output has been read.
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  }).finally(() => living.delete(child))
  exited.catch(() => undefined)
  return {
    pid: child.pid ?? -1,
    dir,
    child,
    exited,
    output: () => printed.all,
    stdout: () => printed.stdout,
    stderr: () => printed.stderr,
    log: () => parseLog(printed.all),
    async end(signal = 'SIGTERM', withinMs = 15_000) {
      child.kill(signal)
      return within(exited, withinMs, `the process after ${signal}`)
    },
  }
}
