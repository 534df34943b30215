import { readLayers } from './config/layers.ts'
import { maskAddress } from './config/mask.ts'
import { exitCodeFor } from './config/problem.ts'
import { resolveSettings } from './config/resolve.ts'
import { needsModules } from './driver/locate.ts'
import { ListenError } from './http/server/listen.ts'
import { createLog, type Log } from './observe/logs.ts'
import type { Observation } from './observe/observation.ts'
import { secretsIn } from './observe/redaction.ts'
import { createStandardOutput } from './observe/standard-output.ts'
import { takeSignals } from './service/early-signals.ts'
import { inspectResolution } from './service/preflight.ts'
import { announce, createProcessService } from './service/process-service.ts'
import { type Resolution, resolveLayers } from './service/resolve.ts'
import type { Service } from './service/service.ts'

const defect = 'The service could not start because of a defect in Holdfast.'

// By default this signal makes Node open a debugger without authentication; a listener replaces that.
process.on('SIGUSR1', () => undefined)

/** The process: loads settings, listens, obeys signals, ends with an exit code. */
const cwd = process.cwd()
const layers = await readLayers({ env: process.env, cwd })
const core = resolveSettings(layers)
if (await needsModules(core.settings.drivers, cwd)) await import(new URL('./lib/src/main.js', import.meta.url).href)
else await start()

async function start(): Promise<void> {
  const report = watchDefects()
  try {
    const found = await resolveLayers(layers, core, cwd)
    const { settings } = found.resolved
    const log = await createLog({
      settings: settings.log,
      secrets: secretsIn(settings),
      output: createStandardOutput(),
    })
    report(log)
    await run(found, log).catch((error: unknown) => giveUp(defect, error, log))
  } catch (error) {
    // There is no log yet.
    process.stderr.write(`${defect} ${error instanceof Error ? maskAddress(error.message) : ''}\n`)
    process.exit(1)
  }
}

async function run(found: Resolution, log: Log): Promise<void> {
  const { settings } = found.resolved
  if (settings.config.strict && (await refuseErrors(found))) return
  const { service, token } = await createProcessService(found, log, { env: process.env, cwd })
  const ready = Promise.withResolvers<void>() // A reload before the first settings are in force would be lost.
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
  const { exit, why } = await service.boot(settings.database.boot)
  if (exit === undefined) return
  await service.close()
  await giveUp(why ?? 'The database was not reached.', null, log, exit)
}

/** Strict mode: true when a setting has an error; all errors are printed, and the process exits with 2. */
async function refuseErrors(found: Resolution): Promise<boolean> {
  const { problems } = await inspectResolution(found, cwd)
  const code = exitCodeFor(problems)
  if (code === 0) return false
  const errors = problems.filter((problem) => problem.severity === 'error')
  const lines = errors.map(({ code, setting, message, suggestion }) => `  ${code} ${setting}: ${message} ${suggestion}`)
  process.stderr.write(`CONFIG_STRICT is set, and these settings have errors:\n${lines.join('\n')}\n`)
  process.exitCode = code
  return true
}

/**
 * SIGTERM and SIGINT close within the grace time, a second one ends the process at once. SIGHUP reloads, except on a
 * terminal. Signals that arrived during the start count. Returns whether closing has begun.
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
  const reload = async (): Promise<void> => {
    await ready
    await service.reread()
    // The new settings may declare a primary to which a journal is to be carried.
    await service.boot('lazy')
  }
  // A terminal that is closed sends the same signal to end its processes.
  const hangUp = process.stdout.isTTY ? close : () => void reload()
  process.on('SIGHUP', hangUp)
  for (const signal of takeSignals()) signal === 'SIGHUP' ? hangUp(signal) : close(signal)
  return () => closing
}

/** Ends the process; the message is the last line on the screen, after everything that the log prints. */
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
 * Logs uncaught errors and goes on: what was acknowledged is on the disk, and each request stands for itself. Those from
 * before there is a log, of a plugin that is imported, are kept until the returned function gets it.
 */
function watchDefects(): (log: Log) => void {
  const kept: Observation[] = []
  let report = (seen: Observation): void => void (kept.length < 100 && kept.push(seen))
  process.on('unhandledRejection', (error) => report({ type: 'service.defect', where: 'a promise', error }))
  process.on('uncaughtException', (error) => report({ type: 'service.defect', where: 'a callback', error }))
  return (log) => {
    report = (seen) => log.observe(seen)
    for (const seen of kept) report(seen)
  }
}
