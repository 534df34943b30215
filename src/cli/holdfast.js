#!/usr/bin/env node
/** `holdfast`: the service when no command is given or the command is `start`, else the command line. */
import { importEntry } from './entry.js'
import { onRightNode } from './runtime.js'

const [command = 'start'] = process.argv.slice(2)
await onRightNode(() => importEntry(command === 'start' ? 'main' : 'cli'))
