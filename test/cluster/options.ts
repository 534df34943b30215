import { parseArgs } from 'node:util'
import { type ClusterKind, type EventName, eventNames, type Layout } from './cluster-kind.ts'

/** What `npm run cluster` does. */
export interface ClusterOptions {
  readonly kind: ClusterKind
  /** For each layout. All events come once; within this time those of the figures again, or those that are named. */
  readonly minutes: number
  /** Names of events; empty: all. */
  readonly events: readonly EventName[]
  readonly layouts: readonly Layout[]
  /** A file for the result; null: none. */
  readonly json: string | null
  /** True: the table of the example is written, too. */
  readonly readme: boolean
  /** A folder for the logs of the services; null: none. */
  readonly logs: string | null
}

/** The layouts in which each kind of cluster is run. */
export const layoutsOf: Readonly<Record<ClusterKind, readonly Layout[]>> = {
  patroni: ['hosts', 'haproxy', 'synchronous'],
  galera: ['hosts'],
}

/** What `--help` prints. */
export const usage: string = `npm run cluster -- patroni|galera [options]

Starts a real cluster of three members on this machine, and lets faults happen to it while three services are asked.

  --minutes N     how long faults follow each other in a layout; each comes once, those with figures as often as there is time (default 1)
  --events a,b    these faults alone
                  patroni: ${eventNames.patroni.join(', ')}
                  galera: ${eventNames.galera.join(', ')}
  --layouts a,b   these addresses alone
                  patroni: ${layoutsOf.patroni.join(', ')}
                  galera: ${layoutsOf.galera.join(', ')}
  --json FILE     writes the figures of every run
  --logs FOLDER   writes the logs of the services
  --readme        writes the tables into config/examples

test/README.md has more.`

/**
 * Reads `patroni|galera --minutes N --events a,b --layouts a,b --json FILE --readme --logs FOLDER`; null: help is wanted.
 * Throws a sentence.
 */
export function readClusterOptions(args: readonly string[]): ClusterOptions | null {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      minutes: { type: 'string', default: '1' },
      events: { type: 'string', default: '' },
      layouts: { type: 'string', default: '' },
      json: { type: 'string' },
      readme: { type: 'boolean', default: false },
      logs: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return null
  const [kind, ...others] = positionals
  if ((kind !== 'patroni' && kind !== 'galera') || others.length > 0) {
    throw new Error('Name one cluster: patroni or galera. --help shows the options.')
  }
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new Error('--minutes takes a number above 0.')
  const names = values.layouts.split(',').filter(Boolean)
  const layouts = layoutsOf[kind].filter((one) => names.length === 0 || names.includes(one))
  if (layouts.length < names.length) throw new Error(`--layouts takes names of ${layoutsOf[kind].join(', ')}.`)
  const known: readonly EventName[] = eventNames[kind]
  const wanted = values.events.split(',').filter(Boolean)
  const events = known.filter((one) => wanted.includes(one))
  if (events.length < wanted.length) throw new Error(`--events takes names of ${known.join(', ')}.`)
  return {
    ...{ kind, minutes, layouts, events },
    ...{ json: values.json ?? null, readme: values.readme, logs: values.logs ?? null },
  }
}
