/** The command line's process. `holdfast.js` imports it in the right Node. */
import { readLayers } from '../config/layers.ts'
import { maskAddress } from '../config/mask.ts'
import { resolveSettings } from '../config/resolve.ts'
import { needsModules } from '../driver/locate.ts'
import { run } from './run.ts'
import { paintFor } from './terminal.ts'

// A reader may stop early (`holdfast check | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

/** By then the output has been read, or never will be. */
const strayMs = 5_000

const from = { env: process.env, cwd: process.cwd() }
const { drivers } = resolveSettings(await readLayers(from)).settings
// As the service does, so that both load the same drivers.
if (await needsModules(drivers, from.cwd)) await import(new URL('./lib/src/cli/main.js', import.meta.url).href)
else await runCommand()

async function runCommand(): Promise<void> {
  // As for the service, what a driver leaves running does not end the command when it fails.
  process.on('unhandledRejection', reportStray).on('uncaughtException', reportStray)
  const code = await run(process.argv.slice(2), {
    ...from,
    paint: paintFor(process.stdout),
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    terminal: process.stderr.isTTY ? (text) => process.stderr.write(text) : null,
    interrupted,
    start: () => {
      process.off('unhandledRejection', reportStray).off('uncaughtException', reportStray)
      return import('../main.ts')
    },
  }).catch((error: unknown) => {
    reportFailure('the command failed', error)
    return 3 as const
  })
  // Not `process.exit`: what was printed into a pipe must arrive.
  if (code === null) return
  process.exitCode = code
  // Something that a driver left open would keep the process running.
  setTimeout(() => process.exit(), strayMs).unref()
}

/** The second SIGINT ends the process as usual. */
function interrupted(): AbortSignal {
  const controller = new AbortController()
  process.once('SIGINT', () => controller.abort(new Error('interrupted')))
  return controller.signal
}

function reportStray(error: unknown): void {
  reportFailure('an error outside of the command', error)
}

function reportFailure(what: string, error: unknown): void {
  const why = error instanceof Error ? maskAddress(error.message) : `a ${typeof error} was thrown`
  process.stderr.write(`holdfast: ${what}: ${why}\n`)
}
