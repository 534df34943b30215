import { readLayers } from './config/layers.ts'
import { maskAddress } from './config/mask.ts'
import type { Problem } from './config/problem.ts'
import { exitCodeFor } from './config/problem.ts'
import type { Settings } from './config/settings.ts'
import { boot } from './database/supervisor/boot.ts'
import { chooseDataDirectory, dataPlaces, inspectDataDirectory } from './disk/data-places.ts'
import { type AdminToken, ensureAdminToken } from './http/admin/admin-token.ts'
import { ListenError } from './http/server/listen.ts'
import { createLog, type Log } from './observe/logs.ts'
import type { Observation } from './observe/observation.ts'
import { secretsIn } from './observe/redaction.ts'
import { createStandardOutput } from './observe/standard-output.ts'
import { readCollections } from './service/active-config.ts'
import { modulesEntry } from './service/bundle-entry.ts'
import { takeSignals } from './service/early-signals.ts'
import { oneAtATime } from './service/one-at-a-time.ts'
import { driversNamed, loadSettings, type Resolved, resolveLayers } from './service/resolve.ts'
import { Service } from './service/service.ts'
import { version } from './service/version.ts'

/** Nothing of ours should come to this: the service could not even start. */
const defect = 'The service could not be started, for a reason that is a defect of ours.'

// This signal makes Node open a debugger that asks nobody who he is; a listener takes its place.
process.on('SIGUSR1', () => undefined)

/** The process: load, listen, obey signals, end with a code. */
const cwd = process.cwd()
const layers = await readLayers({ env: process.env, cwd })
// Asked before a driver is imported: no plugin is imported, or waited for, twice.
const elsewhere = await modulesEntry(driversNamed(layers), cwd)
if (elsewhere !== null) await import(elsewhere)
else await start()

async function start(): Promise<void> {
  const tell = watchDefects()
  try {
    const found = await resolveLayers(layers, cwd)
    const { settings } = found.resolved
    const log = await createLog({
      settings: settings.log,
      secrets: secretsIn(settings),
      output: createStandardOutput(),
    })
    tell(log)
    await run(found, log).catch((error: unknown) => giveUp(defect, error, log))
  } catch (error) {
    // There is no log yet.
    process.stderr.write(`${defect} ${error instanceof Error ? maskAddress(error.message) : ''}\n`)
    process.exit(1)
  }
}

async function run(found: Resolved, log: Log): Promise<void> {
  const { settings } = found.resolved
  if (settings.config.strict && (await refuseErrors(found))) return
  const places = dataPlaces(settings, cwd)
  // Without a token of the deployer one is written there now; with one, nothing is made before it is needed.
  const find = settings.admin.token === null ? chooseDataDirectory : inspectDataDirectory
  const data = await find(places, found.resolved.originOf('data.dir'))
  const token = await ensureAdminToken(data.path ?? places[0] ?? cwd, settings.admin.token)
  log.hide([token.token])
  const service = createService(found, token, data.problems, log)
  const ready = Promise.withResolvers<void>() // What is read anew before the first reading is in force would be lost.
  const isClosing = obeySignals(service, log, ready.promise)
  if (isClosing()) return
  try {
    await service.listen()
    ready.resolve()
  } catch (error) {
    if (!(error instanceof ListenError)) throw error
    await service.close()
    return await giveUp(error.message, error, log)
  }
  announce(service, found, token, log)
  const { exit, why } = await boot(settings.database.boot, service.supervisor, service.databases)
  if (exit === undefined) return
  await service.close()
  await giveUp(why ?? 'The database was not reached.', null, log, exit)
}

function createService(found: Resolved, token: AdminToken, problems: readonly Problem[], log: Log): Service {
  const { settings } = found.resolved
  const observe = (seen: Observation): void => log.observe(seen)
  const inForce = (fresh: Settings): void => log.reconfigure(fresh.log, secretsIn(fresh))
  return new Service(
    { collections: settings.collections.dir, observe },
    { cwd, found, token, problems, reread: () => loadSettings({ env: process.env, cwd }), inForce },
  )
}

/** Strict mode: true when something is wrong; all of it is printed, and the process ends with 2. */
async function refuseErrors(found: Resolved): Promise<boolean> {
  const { resolved } = found
  const loaded = await readCollections(resolved.settings.collections.dir, cwd, resolved.isGiven('collections.dir'))
  const problems = [...found.problems, ...loaded.problems]
  const code = exitCodeFor(problems)
  if (code === 0) return false
  const errors = problems.filter((problem) => problem.severity === 'error')
  const lines = errors.map(({ code, setting, message, suggestion }) => `  ${code} ${setting}: ${message} ${suggestion}`)
  process.stderr.write(`CONFIG_STRICT is set, and these settings are wrong:\n${lines.join('\n')}\n`)
  process.exitCode = code
  return true
}

function announce(service: Service, { config }: Resolved, token: AdminToken, log: Log): void {
  const tookMs = performance.now()
  log.observe({ type: 'service.started', version, node: process.versions.node, pid: process.pid, tookMs })
  log.observe({ type: 'token.found', source: token.source })
  if (config.absence !== null) log.observe({ type: 'database.undeclared', why: config.absence })
  for (const problem of service.status().problems) log.observe({ type: 'problem.found', problem })
  for (const name of service.status().collections) {
    log.observe({ type: 'collection.loaded', name, path: `/api/${name}` })
  }
}

/**
 * SIGTERM and SIGINT close within the grace time, a second one ends at once; SIGHUP reads the settings anew, except from a
 * terminal, and many of them at once do it twice. Those that came during the start count. Returns whether the end has begun.
 */
function obeySignals(service: Service, log: Log, ready: Promise<unknown>): () => boolean {
  let closing = false
  const close = (signal: NodeJS.Signals): void => {
    if (closing) process.exit(1)
    closing = true
    void end(service, log, signal, 0)
  }
  process.on('SIGTERM', close)
  process.on('SIGINT', close)
  const reread = () => ready.then(() => loadSettings({ env: process.env, cwd })).then((read) => service.reload(read))
  // A terminal that is closed sends the same signal, and means the end.
  const hangUp = process.stdout.isTTY ? close : oneAtATime(reread)
  process.on('SIGHUP', hangUp)
  for (const signal of takeSignals()) signal === 'SIGHUP' ? hangUp(signal) : close(signal)
  return () => closing
}

/** The sentence is the last thing on the screen, whatever else the log had to say. */
async function giveUp(message: string, error: unknown, log: Log, code = 1): Promise<void> {
  log.observe({ type: 'service.failed', message, error })
  await log.flush()
  process.stderr.write(`${message}\n`)
  process.exit(code)
}

async function end(service: Service, log: Log, why: string, code: number): Promise<void> {
  const startedAt = performance.now()
  const withinMs = service.graceMs
  log.observe({ type: 'service.closing', why, withinMs })
  await service.close()
  log.observe({ type: 'service.closed', tookMs: performance.now() - startedAt })
  await log.flush()
  process.exit(code)
}

/**
 * A defect of ours must be seen, and must not take the service down with it: what is acknowledged is on the disk, and each
 * request stands for itself. A plugin's defect may come before there is a log: it is kept until the function gets one.
 */
function watchDefects(): (log: Log) => void {
  const kept: Observation[] = []
  let tell = (seen: Observation): void => void (kept.length < 100 && kept.push(seen))
  process.on('unhandledRejection', (error) => tell({ type: 'service.defect', where: 'a promise', error }))
  process.on('uncaughtException', (error) => tell({ type: 'service.defect', where: 'a callback', error }))
  return (log) => {
    tell = (seen) => log.observe(seen)
    for (const seen of kept) tell(seen)
  }
}
