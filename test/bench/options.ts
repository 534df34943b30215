import { parseArgs } from 'node:util'
import type { Cleanup } from '../support/temp.ts'

/** How long and how often is measured. */
export interface BenchOptions {
  readonly seconds: number
  readonly repeat: number
  /** Names of cases; empty: all. */
  readonly only: readonly string[]
  readonly rows: number
  /** The database behind both. */
  readonly on: 'sqlite' | 'postgresql'
}

/** Reads `--seconds 5 --repeat 5 --only get,list --rows 10000 --on postgresql`. */
export function readOptions(): BenchOptions {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '5' },
      repeat: { type: 'string', default: '5' },
      rows: { type: 'string', default: '10000' },
      only: { type: 'string', default: '' },
      on: { type: 'string', default: 'sqlite' },
    },
  })
  const numbers = { seconds: Number(values.seconds), repeat: Number(values.repeat), rows: Number(values.rows) }
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value > 0)) throw new Error(`--${name} takes a number above 0.`)
  }
  const { on } = values
  if (on !== 'sqlite' && on !== 'postgresql') throw new Error('--on takes sqlite or postgresql.')
  return { ...numbers, on, only: values.only.split(',').filter((name) => name !== '') }
}

/** Runs `work` with somewhere to hang the cleaning up, which is done whatever happens. */
export async function withCleanup(work: (t: Cleanup) => Promise<void>): Promise<void> {
  const cleaning: (() => void | Promise<void>)[] = []
  try {
    await work({ after: (clean) => void cleaning.push(clean) })
  } finally {
    for (const clean of cleaning) await clean()
  }
}
