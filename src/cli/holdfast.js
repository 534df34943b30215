#!/usr/bin/env node
/** `holdfast`: starts the service when called without arguments, else the command line, which checks them. */
import { importEntry } from './entry.js'
import { onRightNode } from './runtime.js'

// This signal makes Node open a debugger without authentication; a listener replaces that.
process.on('SIGUSR1', () => undefined)

const [command = 'start', ...more] = process.argv.slice(2)
await onRightNode(() => importEntry(command === 'start' && more.length === 0 ? 'main' : 'cli'))
