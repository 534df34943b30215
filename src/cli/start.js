/** `npm start`: the service, on the right Node, from the build when it is newer than the sources; `holdfast start`. */
import { importEntry } from './entry.js'
import { onRightNode } from './runtime.js'

// This signal makes Node open a debugger that asks nobody who he is; a listener takes its place.
process.on('SIGUSR1', () => undefined)

await onRightNode(() => importEntry(process.argv.length === 2 ? 'main' : 'cli'))
