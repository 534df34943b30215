#!/usr/bin/env node
/** `holdfast`: the service when that is all that is asked for, else the command line, which judges what follows. */
import { importEntry } from './entry.js'
import { onRightNode } from './runtime.js'

// This signal makes Node open a debugger that asks nobody who he is; a listener takes its place.
process.on('SIGUSR1', () => undefined)

const [command = 'start', ...more] = process.argv.slice(2)
await onRightNode(() => importEntry(command === 'start' && more.length === 0 ? 'main' : 'cli'))
