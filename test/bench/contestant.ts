import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cp, mkdir } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Running, repository, startOptions, startProcess, waitForPort } from '../support/process.ts'
import { type Cleanup, type Files, makeTempDir } from '../support/temp.ts'
import type { LoadOptions, LoadResult } from './load.ts'

/** The contestants of the comparison by hand. */
export const names = ['by hand', 'holdfast'] as const

/** One of them. */
export type Name = (typeof names)[number]

/** A running server that is measured. */
export interface Contestant {
  readonly name: string
  readonly running: Running
  readonly port: number
}

/** A comment as long as FACTS' rows: about 400 bytes with the rest. */
export const body: string = JSON.stringify({
  rating: 4,
  comment: 'A row of an ordinary length. '.repeat(9),
  model: 'bench-1',
  meta: { source: 'bench', tags: ['a', 'b'] },
})

/** Where one of them is started. */
export interface Place {
  readonly cwd?: string
  readonly port?: number
  /** The address of its PostgreSQL; absent: on SQLite. */
  readonly url?: string
}

/** How each of them is started; the same folder starts it again with the same rows. */
export async function start(t: Cleanup, name: Name, { cwd: dir, port: wanted = 0, url }: Place = {}): Promise<Running> {
  const port = String(wanted)
  const cwd = dir === undefined ? {} : { cwd: dir }
  if (name === 'by hand') {
    const args = url === undefined ? [byHand('by-hand'), 'by-hand.db', port] : [byHand('by-hand-postgresql'), url, port]
    return startProcess(t, { ...cwd, args })
  }
  return startProcess(t, {
    ...cwd,
    args: [join(repository, 'src/cli/start.js')],
    files: unlimited(repository),
    env: { ...environment(url), PORT: port },
  })
}

/**
 * Starts the build of a folder, with that folder's own configuration and packages, and waits until it listens. Both
 * builds run on the Node of this process, without their launchers: those would choose a Node of their own.
 */
export async function enterBuild(t: Cleanup, folder: string, url?: string): Promise<Contestant> {
  const cwd = await makeTempDir(t, 'bench')
  await cp(join(folder, 'config'), join(cwd, 'config'), { recursive: true })
  await mkdir(join(cwd, 'tmp'))
  const args = [join(folder, 'dist/main.js')]
  const running = await startProcess(t, { cwd, args, files: unlimited(folder), env: environment(url) })
  return { name: folder, running, port: await waitForPort(running, 20_000) }
}

/** The collection without its rate limit. */
function unlimited(folder: string): Files {
  const path = 'config/collections/feedback.json'
  const { rateLimit: _, ...rest } = JSON.parse(readFileSync(join(folder, path), 'utf8'))
  return { [path]: JSON.stringify(rest) }
}

function environment(url: string | undefined): Readonly<Record<string, string>> {
  return {
    ...{ NODE_ENV: 'production', NODE_OPTIONS: startOptions, RATE_LIMIT: '0', LOG_REQUESTS: 'false' },
    ...(url === undefined ? {} : { DRIVERS: 'sqlite,postgresql', DATABASE_URL: url }),
  }
}

/** The yardstick as plain JavaScript: to strip its types at each start would be counted against it. */
function byHand(name: 'by-hand' | 'by-hand-postgresql'): string {
  const script = join(repository, `dist/bench/${name}.js`)
  mkdirSync(join(repository, 'dist/bench'), { recursive: true })
  writeFileSync(script, stripTypeScriptTypes(readFileSync(join(repository, `test/bench/${name}.ts`), 'utf8')))
  return script
}

/** Starts one on any port and waits until it listens. */
export async function enter(t: Cleanup, name: Name, place: Place = {}): Promise<Contestant> {
  const running = await start(t, name, place)
  return { name, running, port: await waitForPort(running, 20_000) }
}

let generator: ChildProcess | null = null

/** Runs the load in a process of its own, the same one each time: its first thousand requests would be slow otherwise. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  generator ??= fork(join(repository, 'test/bench/load.ts'))
  const child = generator
  const answer = new Promise<LoadResult>((resolve, reject) => {
    child.once('message', (result) => resolve(result as LoadResult)) // load.ts sends nothing else.
    child.once('exit', (code) => reject(new Error(`The load generator ended with ${code}.`)))
  })
  child.send(options)
  return await answer.finally(() => child.removeAllListeners())
}

/** Ends what `load` keeps. */
export function endLoad(): void {
  generator?.disconnect()
  generator = null
}

/** Megabytes of memory that a process holds. */
export function residentMb(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? Number.NaN) / 1024
}

/** Milliseconds of processor time that the threads of a process have used, to the microsecond. */
export function cpuMs(pid: number): number {
  const tasks = `/proc/${pid}/task`
  // Not `/proc/<pid>/stat`, which counts in steps of 10 ms: a hundredth of a short measurement.
  return readdirSync(tasks).reduce((sum, task) => sum + Number.parseInt(readSchedule(join(tasks, task)), 10) / 1e6, 0)
}

function readSchedule(task: string): string {
  try {
    return readFileSync(join(task, 'schedstat'), 'latin1')
  } catch {
    return '0' // The thread has just ended.
  }
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('No port is free.')
  return address.port
}
