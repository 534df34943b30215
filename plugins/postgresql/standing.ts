import type { Standing } from '../../src/driver/kit/driver-kit.ts'
import type { PostgresqlTarget } from './address/target.ts'
import type { SafeClient } from './client/client.ts'
import { isRefusal } from './faults.ts'

/** What the server answers; texts, since a log's position has 64 bits. */
interface Said {
  readonly writable: boolean
  readonly server: string
  readonly cluster: string | null
  readonly timeline: string | null
  readonly position: string | null
  readonly members: string | null
  readonly synchronous: boolean
}

const writable = `current_setting('synchronous_standby_names', true) <> '' as synchronous,
  not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off' as writable`

/** A server that is restarted has another one; two servers begin in different microseconds. */
const server = `pg_postmaster_start_time()::text || ' ' || current_setting('port') as server`

/**
 * The file name of the position has the timeline at once; the control file has it only after the checkpoint that ends a
 * promotion. On a standby that function fails. Only what is flushed counts: no crash takes it back.
 */
const log = `case when pg_is_in_recovery() then (pg_control_checkpoint()).timeline_id::text
    else ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::bigint::text end as timeline,
  (case when pg_is_in_recovery() then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
    else pg_current_wal_flush_lsn() end - '0/0')::text as position`

/**
 * Those that stream, this one, and on a standby the one that it follows. Logical subscribers are no members, and neither is
 * a base backup, as far as the user may see that. Neon's storage streams, too.
 */
const members = `case when current_setting('neon.timeline_id', true) is not null then '1'
    when pg_is_in_recovery() then (1 + (select count(*) from pg_stat_wal_receiver))::text
    else (1 + (select count(*) from pg_stat_replication r where coalesce(r.state, 'streaming') = 'streaming'
      and not exists (select from pg_replication_slots s where s.active_pid = r.pid and s.slot_type = 'logical')))::text
    end as members`

const cluster = '(pg_control_system()).system_identifier::text as cluster'

/** The whole, then what is left where a function is missing or not allowed. */
const questions: readonly string[] = [
  `select ${[writable, server, cluster, log, members].join(', ')}`,
  `select ${[writable, server, members].join(', ')}, null as cluster, null as timeline, null as position`,
  `select ${writable}, null as server, null as cluster, null as timeline, null as position, null as members`,
]

/** What is known of the servers of an address. */
interface Known {
  /** The question that they answer: a refused one is not asked again at each opening. */
  question: number
  isSynchronous: boolean
}

/** By a part of the address that all targets made of it share. */
type Shared = PostgresqlTarget['encryption']

const addresses = new WeakMap<Shared, Known>()

/** Whether a commit waits for a standby on the servers of this address, as far as they have been asked. */
export function isSynchronous(address: Shared): boolean {
  return addresses.get(address)?.isSynchronous === true
}

/** Asks a server of this address for its place in its cluster, in one statement. */
export async function standingOf(client: SafeClient, address: Shared): Promise<Standing> {
  const known = addresses.get(address) ?? { question: 0, isSynchronous: false }
  addresses.set(address, known)
  for (let index = known.question; ; index += 1) {
    const question = questions[index]
    if (question === undefined) throw new Error('unreachable: the last question is answered or fails')
    try {
      const { rows } = await client.run(question, [], { phase: 'open' })
      const said = rows[0] as Said // The one row of the question.
      known.question = index
      if (said.writable) known.isSynchronous = said.synchronous
      return standing(said)
    } catch (error) {
      if (!isRefusal(error) || index === questions.length - 1) throw error
    }
  }
}

function standing(said: Said): Standing {
  return {
    cluster: said.cluster,
    server: said.server,
    isWritable: said.writable,
    timeline: said.timeline === null ? null : Number(said.timeline),
    position: said.position === null ? null : BigInt(said.position),
    members: said.members === null ? null : Number(said.members),
  }
}
