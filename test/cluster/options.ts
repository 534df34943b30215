import { parseArgs } from 'node:util'
import type { ClusterKind, Layout } from './cluster-kind.ts'

/** What `npm run cluster` does. */
export interface ClusterOptions {
  readonly kind: ClusterKind
  /** Rounds of all events begin within this time; each event is there at least once. */
  readonly minutes: number
  /** Names of events; empty: all. */
  readonly events: readonly string[]
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

/** Reads `patroni|galera --minutes N --events a,b --layouts a,b --json FILE --readme --logs FOLDER`. Throws a sentence. */
export function readClusterOptions(args: readonly string[]): ClusterOptions {
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
    },
  })
  const [kind, ...others] = positionals
  if ((kind !== 'patroni' && kind !== 'galera') || others.length > 0) {
    throw new Error('Name one cluster: patroni or galera.')
  }
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new Error('--minutes takes a number above 0.')
  const names = values.layouts.split(',').filter(Boolean)
  const layouts = layoutsOf[kind].filter((one) => names.length === 0 || names.includes(one))
  if (layouts.length < names.length) throw new Error(`--layouts takes names of ${layoutsOf[kind].join(', ')}.`)
  return {
    ...{ kind, minutes, layouts, events: values.events.split(',').filter(Boolean) },
    ...{ json: values.json ?? null, readme: values.readme, logs: values.logs ?? null },
  }
}
