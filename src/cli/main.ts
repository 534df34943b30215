/** The command line's process. `holdfast.js` imports it in the right Node. */
import { run } from './run.ts'
import { paintFor } from './terminal.ts'

// A reader may stop early (`holdfast check | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

/** By then the output has been read, or never will be. */
const strayMs = 5_000

const code = await run(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  paint: paintFor(process.stdout),
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  start: () => import('../main.ts'),
})
// Not `process.exit`: what was printed into a pipe must arrive.
if (code !== null) {
  process.exitCode = code
  // Something that a driver left open would keep the process running.
  setTimeout(() => process.exit(), strayMs).unref()
}
