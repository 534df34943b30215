import { parseArgs } from 'node:util'

/** How long, how hard and with which chance the soak is run. */
export interface SoakOptions {
  readonly minutes: number
  /** Seconds between two faults. */
  readonly everyS: number
  /** Requests per second of all connections together. */
  readonly rate: number
  readonly connections: number
  readonly seed: number
  /** Limits of the service, in milliseconds. */
  readonly queryMs: number
  readonly fallbackMs: number
  /** What an answer may take beyond these two. */
  readonly marginMs: number
  /** Names of faults; empty: all. */
  readonly only: readonly string[]
  /** A file that gets a JSON line for each fault. Null: one in the temporary folder. */
  readonly log: string | null
}

/** Reads `--minutes 60 --every 5 --rate 200 --connections 32 --seed 1 --only "a,b" --log FILE`, and the limits. */
export function readOptions(): SoakOptions {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      every: { type: 'string', default: '5' },
      rate: { type: 'string', default: '200' },
      connections: { type: 'string', default: '32' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      'query-ms': { type: 'string', default: '1000' },
      'fallback-ms': { type: 'string', default: '1000' },
      'margin-ms': { type: 'string', default: '1000' },
      only: { type: 'string', default: '' },
      log: { type: 'string' },
    },
  })
  const number = (name: Exclude<keyof typeof values, 'only' | 'log'>): number => {
    const value = Number(values[name])
    if (!(value > 0)) throw new Error(`--${name} takes a number above 0.`)
    return value
  }
  return {
    ...{ minutes: number('minutes'), everyS: number('every'), rate: number('rate'), seed: number('seed') },
    ...{ connections: number('connections'), queryMs: number('query-ms'), fallbackMs: number('fallback-ms') },
    ...{ marginMs: number('margin-ms'), log: values.log ?? null },
    only: values.only.split(',').filter((name) => name !== ''),
  }
}
