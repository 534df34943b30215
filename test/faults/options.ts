import { parseArgs } from 'node:util'
import type { ArchiveKind } from './archive/place.ts'
import type { ServerKind } from './stage/stage.ts'

/** What `npm run faults` does. */
export interface FaultsOptions {
  readonly mode: 'history' | 'schedules' | 'mutants'
  readonly minutes: number
  readonly seed: number
  /** The server that is the primary, or the target of an archive without one. */
  readonly on: ServerKind | ArchiveKind
  /** Seconds between two faults. */
  readonly everyS: number
  /** Requests per second of all connections together. */
  readonly rate: number
  readonly connections: number
  /** Names of faults, rounds, schedules or mutants; empty: all. */
  readonly only: readonly string[]
  /** A file that gets a JSON line for each fault. */
  readonly log: string | null
  readonly json: boolean
}

const places = ['postgresql', 'mysql', 's3', 'folder'] as const

/** Reads `--minutes 60 --seed 1 --on mysql --every 5 --rate 200 --connections 24 --only NAME --log FILE --json`, `--schedules`, `--mutants`. */
export function readOptions(args: readonly string[]): FaultsOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '1' },
      every: { type: 'string', default: '5' },
      rate: { type: 'string', default: '200' },
      connections: { type: 'string', default: '24' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      on: { type: 'string', default: 'postgresql' },
      only: { type: 'string', multiple: true, default: [] },
      log: { type: 'string' },
      json: { type: 'boolean', default: false },
      schedules: { type: 'boolean', default: false },
      mutants: { type: 'boolean', default: false },
    },
  })
  const number = (name: 'minutes' | 'every' | 'rate' | 'connections' | 'seed'): number => {
    const value = Number(values[name])
    if (!(value > 0)) throw new Error(`--${name} takes a number above 0.`)
    return value
  }
  const on = places.find((place) => place === values.on)
  if (on === undefined) throw new Error(`--on takes one of ${places.join(', ')}.`)
  return {
    mode: values.mutants ? 'mutants' : values.schedules ? 'schedules' : 'history',
    ...{ minutes: number('minutes'), seed: number('seed'), everyS: number('every'), rate: number('rate') },
    ...{ connections: number('connections'), on, json: values.json, log: values.log ?? null },
    only: values.only,
  }
}
