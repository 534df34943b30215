import type { Standing } from '../../src/driver/kit/driver-kit.ts'
import type { SafeClient } from './client/client.ts'

/** Variables of a server, by their names; those that it does not know are left out. */
export type Variables = Readonly<Record<string, string>>

/** SHOW accepts names that a server does not know; each of these exists on some server. */
export const standingVariables = [
  'read_only',
  'super_read_only',
  'innodb_read_only',
  'server_uid',
  'server_uuid',
  'wsrep_on',
  'wsrep_reject_queries',
] as const

/** What a member of a Galera cluster says of the cluster and of itself. */
const statusVariables = [
  'wsrep_cluster_size',
  'wsrep_cluster_state_uuid',
  'wsrep_cluster_status',
  'wsrep_gcomm_uuid',
  'wsrep_last_committed',
  'wsrep_local_state_comment',
  'wsrep_ready',
] as const

/** How long a member may be silent before the others go on without it, where the server does not say. */
const defaultSuspectMs = 5_000

/** For a new membership to be agreed on, and the commits that waited for it to end. */
const agreementMs = 2_000

/** The cluster has not formed, or the member is not part of it. */
const noCluster = '00000000-0000-0000-0000-000000000000'

/** The values of these session variables. */
export function showVariables(client: SafeClient, names: readonly string[]): Promise<Variables> {
  return show(client, 'variables', names)
}

/** What a member of a Galera cluster says; null where the server is in none. */
export async function membershipOf(client: SafeClient, variables: Variables): Promise<Variables | null> {
  return isMember(variables) ? await show(client, 'global status', statusVariables) : null
}

/** The place of the server of this connection among the members of its cluster. */
export async function standingOf(client: SafeClient): Promise<Standing> {
  const variables = await showVariables(client, standingVariables)
  return standingIn(variables, await membershipOf(client, variables))
}

/** The same from what the server has said. All members of a Galera cluster accept writes: there are no timelines. */
export function standingIn(variables: Variables, membership: Variables | null): Standing {
  const isOpen = !isReadOnly(variables)
  if (membership === null) {
    const server = variables.server_uid ?? variables.server_uuid ?? null
    return { cluster: null, server, isWritable: isOpen, timeline: null, position: null, members: null }
  }
  const rejects = variables.wsrep_reject_queries ?? 'NONE'
  const isMemberReady = membership.wsrep_ready === 'ON' && membership.wsrep_cluster_status === 'Primary'
  const cluster = membership.wsrep_cluster_state_uuid ?? noCluster
  const position = membership.wsrep_last_committed ?? ''
  const members = Number(membership.wsrep_cluster_size)
  return {
    cluster: cluster === noCluster ? null : cluster,
    server: membership.wsrep_gcomm_uuid || null,
    isWritable: isOpen && isMemberReady && rejects === 'NONE',
    timeline: null,
    position: /^\d+$/.test(position) ? BigInt(position) : null,
    members: Number.isSafeInteger(members) && members > 0 ? members : null,
  }
}

/** How long a commit may wait for a member that is silent; 0 where the server is in no cluster. */
export function stallOf(variables: Variables): number {
  if (!isMember(variables)) return 0
  const silentMs = durationMs(providerOption(variables, 'evs.suspect_timeout') ?? '') ?? defaultSuspectMs
  return silentMs + agreementMs
}

/** What `check --connect` shows of the cluster, by the server's own names; null where it is in none. */
export function clusterWords(variables: Variables, membership: Variables | null): Variables | null {
  if (membership === null) return null
  const shown = ['wsrep_cluster_size', 'wsrep_cluster_status', 'wsrep_local_state_comment', 'wsrep_ready'] as const
  const options = ['evs.suspect_timeout', 'evs.inactive_timeout', 'repl.causal_read_timeout'] as const
  const found = [
    ...shown.map((name) => [name, membership[name]] as const),
    ...options.map((name) => [name, providerOption(variables, name)] as const),
  ]
  return Object.fromEntries(found.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

/** Whether the server is a member of a Galera cluster, or is to be one. */
export function isMember(variables: Variables): boolean {
  return isOn(variables, 'wsrep_on')
}

/** Whether the server as a whole accepts no writes. */
export function isReadOnly(variables: Variables): boolean {
  return ['read_only', 'super_read_only', 'innodb_read_only'].some((name) => isOn(variables, name))
}

/** Whether a switch is set to anything but off. */
export function isOn(variables: Variables, name: string): boolean {
  return !/^(?:off|0|)$/i.test(variables[name] ?? '')
}

/** One of `wsrep_provider_options`: `evs.suspect_timeout = PT5S; ...`. */
function providerOption({ wsrep_provider_options: all = '' }: Variables, name: string): string | undefined {
  const options = all.split(';').map((option) => option.split('=').map((part) => part.trim()))
  return options.find(([key]) => key === name)?.[1]
}

/** A period as ISO 8601 writes it, up to days; null where it is none. */
export function durationMs(text: string): number | null {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(text)
  if (match === null) return null
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0))
  return ((((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * 1_000
}

async function show(client: SafeClient, what: string, names: readonly string[]): Promise<Variables> {
  const list = names.map((name) => `'${name}'`).join(', ')
  const { rows } = await client.run(`show ${what} where variable_name in (${list})`, [], { phase: 'open' })
  return Object.fromEntries(rows.map(({ Variable_name, Value }) => [String(Variable_name), String(Value)]))
}
