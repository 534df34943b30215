/** What `start.sh` runs: the service, on the right Node, from the build. */
import { importStart } from './entry.js'
import { onRightNode } from './runtime.js'

// This signal makes Node open a debugger without authentication; a listener replaces that.
process.on('SIGUSR1', () => undefined)

await onRightNode(() => importStart(process.argv.length === 2 ? 'main' : 'cli'))
