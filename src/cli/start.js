/** `npm start`: the service, on the right Node, from the build when it is newer than the sources; `holdfast start`. */
import { importEntry } from './entry.js'
import { onRightNode } from './runtime.js'

await onRightNode(() => importEntry(process.argv.length === 2 ? 'main' : 'cli'))
