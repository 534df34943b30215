#!/usr/bin/env node
/** `holdfast`: the service when that is all that is asked for, else the command line, which judges what follows. */
import { importEntry } from './entry.js'
import { onRightNode } from './runtime.js'

const [command = 'start', ...more] = process.argv.slice(2)
await onRightNode(() => importEntry(command === 'start' && more.length === 0 ? 'main' : 'cli'))
