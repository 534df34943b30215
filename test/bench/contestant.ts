import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { cp, mkdir } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import {
  type Running,
  repository,
  startArguments,
  startEnvironment,
  startProcess,
  waitForPort,
} from '../support/process.ts'
import { type Cleanup, type Files, makeTempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'

/** The contestants of `npm run bench`, the yardstick first. */
export const names = ['by hand', 'fastify + drizzle', 'holdfast', 'holdfast, log on'] as const

/** One of them. */
export type Name = (typeof names)[number]

/** A running server that is measured. */
export interface Contestant {
  readonly name: string
  readonly running: Running
  readonly port: number
}

/** Where one of them is started. */
export interface Place {
  readonly cwd?: string
  readonly port?: number
  /** The address of its server; absent: on SQLite. */
  readonly url?: string
  /** Settings of Holdfast beyond those of all contestants, and files in its folder. */
  readonly env?: Readonly<Record<string, string>>
  readonly files?: Files
}

/** How each of them is started; the same folder starts it again with the same rows. */
export async function start(
  t: Cleanup,
  name: Name,
  { cwd: dir, port: wanted = 0, url, env = {}, files = {} }: Place = {},
): Promise<Running> {
  const port = String(wanted)
  const cwd = dir === undefined ? {} : { cwd: dir }
  const script = servers[name]
  if (script !== undefined) {
    const args =
      url === undefined
        ? [await bundle(script), `${script}.db`, port]
        : [await bundle(`${script}-postgresql`), url, port]
    return startProcess(t, { ...cwd, args })
  }
  const isLogging = name === 'holdfast, log on'
  const args = [...startArguments, join(repository, 'src/cli/start.js')]
  return startProcess(t, {
    ...cwd,
    ...(isLogging ? { command: 'sh', args: ['-c', drained, process.execPath, ...args] } : { args }),
    files: { ...unlimited(repository), ...files },
    env: { ...environment(url), PORT: port, LOG_REQUESTS: String(isLogging), ...env },
  })
}

/**
 * A shell's command that runs another in its place, whose log goes through a pipe to a reader that throws it away. Read by
 * this process, the lines would cost the machine more than the service that writes them.
 */
const drained = 'rm -f log && mkfifo log && { cat log > /dev/null & } && exec "$0" "$@" > log'

const servers: Readonly<Partial<Record<Name, 'by-hand' | 'fastify-drizzle'>>> = {
  'by hand': 'by-hand',
  'fastify + drizzle': 'fastify-drizzle',
}

/** Starts one and waits until it listens. */
export async function enter(
  t: Cleanup,
  name: Name,
  url?: string,
  more: Pick<Place, 'cwd' | 'env' | 'files'> = {},
): Promise<Contestant> {
  const port = await freePort()
  const running = await start(t, name, { ...more, port, ...(url === undefined ? {} : { url }) })
  await until(() => isOpen(port), { withinMs: 20_000, what: `${name} to listen` }).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${running.output()}`)
  })
  return { name, running, port }
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

/** The collection without its rate limit, and open to everybody like that of the other servers. */
function unlimited(folder: string): Files {
  const path = 'config/collections/feedback.json'
  const { rateLimit: _, access, ...rest } = JSON.parse(readFileSync(join(folder, path), 'utf8'))
  return { [path]: JSON.stringify({ ...rest, access: { ...access, update: 'public', delete: 'public' } }) }
}

function environment(url: string | undefined): Readonly<Record<string, string>> {
  return {
    ...{ NODE_ENV: 'production', ...startEnvironment, RATE_LIMIT: '0', LOG_REQUESTS: 'false' },
    ...(url === undefined ? {} : { DRIVERS: `sqlite,${driverOf(url)}`, DATABASE_URL: url }),
  }
}

function driverOf(url: string): string {
  return url.startsWith('postgres') ? 'postgresql' : 'mysql'
}

/** Not Drizzle: for its modules, which import each other in circles, Node's loader takes a second and 200 MB. */
const unbundled = ['better-sqlite3', 'fastify', 'pg', 'polka', 'uuid']

const bundles = new Map<string, Promise<string>>()

/** A server as plain JavaScript: to strip its types at each start would be counted against it. */
function bundle(name: string): Promise<string> {
  const outfile = join(repository, `dist/bench/${name}.js`)
  const made =
    bundles.get(name) ??
    build({
      ...{ entryPoints: [join(repository, `test/bench/servers/${name}.ts`)], outfile, logLevel: 'error' },
      ...{ bundle: true, platform: 'node', format: 'esm', target: 'node22', external: unbundled },
    }).then(() => outfile)
  bundles.set(name, made)
  return made
}

async function isOpen(port: number): Promise<true | null> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return null
  } finally {
    socket.destroy()
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
