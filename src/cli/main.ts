/** The command line's process. `holdfast.js` comes here once it has found the right Node. */
import { paintFor } from './paint.ts'
import { run } from './run.ts'

// A reader that has seen enough (`holdfast check | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

/** What is printed has arrived by then, or nobody reads it. */
const strayMs = 5_000

const code = await run(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  paint: paintFor(process.stdout),
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  start: () => import('../main.ts'),
})
// Set, not exited with: what was printed into a pipe must arrive.
if (code !== null) {
  process.exitCode = code
  // A driver may have left something open that would keep the process for ever.
  setTimeout(() => process.exit(), strayMs).unref()
}
