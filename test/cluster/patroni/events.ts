import { until } from '../../support/until.ts'
import type { ClusterEvent, EventName } from '../cluster-kind.ts'
import type { PatroniCluster } from './patroni-cluster.ts'
import type { PatroniMember } from './patroni-member.ts'

/** Longer than `ttl` and one turn of the agents, so that another member leads by then. */
const failoverMs = 18_000

/** The faults of a Patroni cluster, each of the member that leads. */
export function patroniEvents(cluster: PatroniCluster): readonly ClusterEvent[] {
  const onLeader = (
    name: EventName,
    what: string,
    lastsMs: number,
    begin: (leader: PatroniMember) => void | Promise<void>,
    end: (leader: PatroniMember) => void | Promise<void>,
  ): ClusterEvent => {
    let victim: PatroniMember | null = null
    return {
      ...{ name, what, lastsMs },
      async begin() {
        victim = await until(() => cluster.leader(), { withinMs: 60_000, what: 'a leader' })
        await begin(victim)
        return cluster.numberOf(victim)
      },
      async end() {
        if (victim !== null) await end(victim)
      },
    }
  }
  const nothing = (): void => {}
  let switching: Promise<Response> | null = null
  return [
    onLeader(
      ...(['switchover', 'a planned switchover', 6_000] as const),
      (leader) => {
        switching = switchOver(leader)
        switching.catch(() => {})
      },
      async () => {
        if (switching !== null) await assertOver(switching)
      },
    ),
    onLeader('kill-server', 'SIGKILL of PostgreSQL', 8_000, (leader) => leader.killServer(), nothing),
    onLeader(
      ...(['stop-server', 'SIGSTOP of PostgreSQL', failoverMs] as const),
      (leader) => leader.pauseServer(),
      (leader) => leader.resumeServer(),
    ),
    onLeader(
      ...(['kill-agent', 'SIGKILL of Patroni; its PostgreSQL lives on', failoverMs] as const),
      (leader) => leader.agent.kill(),
      (leader) => leader.agent.start(),
    ),
    onLeader(
      ...(['stop-agent', 'SIGSTOP of Patroni; its PostgreSQL lives on', failoverMs] as const),
      (leader) => leader.agent.pause(),
      (leader) => leader.agent.resume(),
    ),
    onLeader('kill-both', 'SIGKILL of Patroni and PostgreSQL', failoverMs, killBoth, (leader) => leader.agent.start()),
    onLeader('stop-both', 'SIGSTOP of Patroni and PostgreSQL', failoverMs, stopBoth, resumeBoth),
    onLeader(
      ...(['isolate', 'the network of the leader is cut', failoverMs] as const),
      (leader) => leader.isolate(),
      (leader) => leader.join(),
    ),
    onLeader(
      ...(['etcd-gone', 'SIGKILL of etcd for 14 s: no member may lead', 14_000] as const),
      () => cluster.etcd.kill(),
      () => cluster.etcd.start(),
    ),
  ]
}

/** Asks the leader to hand over, to whichever member it chooses: in synchronous mode it accepts the synchronous standby alone. */
function switchOver(leader: PatroniMember): Promise<Response> {
  const body = JSON.stringify({ leader: leader.name })
  return fetch(`http://127.0.0.1:${leader.ports.agent}/switchover`, { method: 'POST', body })
}

/** Patroni answers when it is over. Rejects where it refused: nothing was seen then. */
async function assertOver(sent: Promise<Response>): Promise<void> {
  const response = await sent
  if (!response.ok) throw new Error(`The switchover was refused: ${response.status} ${await response.text()}`)
}

async function killBoth(leader: PatroniMember): Promise<void> {
  const killed = leader.agent.kill()
  leader.killServer()
  await killed
}

function stopBoth(leader: PatroniMember): void {
  leader.agent.pause()
  leader.pauseServer()
}

function resumeBoth(leader: PatroniMember): void {
  leader.resumeServer()
  leader.agent.resume()
}
