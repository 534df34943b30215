import type { ClusterEvent, EventName } from '../cluster-kind.ts'
import type { GaleraCluster } from './galera-cluster.ts'
import type { GaleraMember } from './galera-member.ts'

/** Longer than `evs.suspect_timeout` (5 s) and `evs.inactive_timeout` (15 s) need to leave a node out. */
const evictedMs = 20_000

/** The faults of a Galera cluster, each of the node that serves the first service. */
export function galeraEvents(cluster: GaleraCluster): readonly ClusterEvent[] {
  const onNode = (
    name: EventName,
    what: string,
    lastsMs: number,
    begin: (node: GaleraMember) => unknown,
    end: (node: GaleraMember) => unknown,
  ): ClusterEvent => {
    let victim: GaleraMember | null = null
    return {
      ...{ name, what, lastsMs },
      async begin() {
        const number = await cluster.nodeOf(0)
        victim = cluster.member(number)
        await begin(victim)
        return number
      },
      async end() {
        if (victim !== null) await end(victim)
      },
    }
  }
  const set = (name: string, value: string) => (node: GaleraMember) => node.query(`set global ${name} = ${value}`)
  const isolate = (value: number) => set('wsrep_provider_options', `'gmcast.isolate=${value}'`)
  return [
    onNode(
      'shutdown',
      'orderly shutdown',
      8_000,
      (node) => void node.daemon.stop(),
      (node) => node.daemon.start(),
    ),
    onNode(
      'kill',
      'SIGKILL',
      12_000,
      (node) => node.daemon.kill(),
      (node) => node.daemon.start(),
    ),
    onNode(
      ...(['stop', 'SIGSTOP', evictedMs] as const),
      (node) => node.daemon.pause(),
      (node) => node.daemon.resume(),
    ),
    onNode('isolate', 'cut from the other nodes, not from the services', 15_000, isolate(1), isolate(0)),
    onNode(
      ...(['reject', '`wsrep_reject_queries=ALL`', 6_000] as const),
      set('wsrep_reject_queries', 'ALL'),
      set('wsrep_reject_queries', 'NONE'),
    ),
    onNode('read-only', '`read_only=1`', 6_000, set('read_only', '1'), set('read_only', '0')),
    onNode('desync', '`wsrep_desync=ON`, as of a donor', 6_000, set('wsrep_desync', 'ON'), set('wsrep_desync', 'OFF')),
    {
      ...{ name: 'contended', what: 'no fault: all services change the same rows', lastsMs: 10_000 },
      isContended: true,
      async begin() {
        return null
      },
      async end() {},
    },
  ]
}
