import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Host } from './hosts.ts'

/** Finds the addresses of a name, in the order to try them. */
export type FindAddresses = (name: string) => Promise<readonly { readonly address: string; readonly family: number }[]>

/** A name service that is slower is asked again by Node, for that host alone: it must not keep the others waiting. */
const withinMs = 250

/** More than any name of a cluster has; each costs a connection. */
const addressesMax = 8

const systemAddresses = oneAtATime((name) => lookup(name, { all: true, order: 'verbatim' }))

/** The same, with one question for a name on its way at most: those that hang would hold up the lookups of new connections. */
export function oneAtATime(find: FindAddresses): FindAddresses {
  const running = new Map<string, ReturnType<FindAddresses>>()
  return (name) => {
    const before = running.get(name)
    if (before !== undefined) return before
    const found = find(name).finally(() => running.delete(name))
    running.set(name, found)
    return found
  }
}

/**
 * The hosts, each of whose names has several addresses of one family as one host per address: Node alone would try them one
 * after the other. A name with one address per family, or none in time, is left to Node; the same array where all are. Never
 * rejects.
 */
export async function hostsByAddress(
  hosts: readonly [Host, ...Host[]],
  find: FindAddresses = systemAddresses,
): Promise<readonly [Host, ...Host[]]> {
  const [first, ...others] = hosts
  const [one, more] = await Promise.all([
    byAddress(first, find),
    Promise.all(others.map((host) => byAddress(host, find))),
  ])
  const [head = first, ...tail] = [...one, ...more.flat()]
  return [head, ...tail].every(({ address }) => address === undefined) ? hosts : [head, ...tail]
}

async function byAddress(host: Host, find: FindAddresses): Promise<readonly Host[]> {
  if (host.host.startsWith('/') || isIP(host.host) !== 0) return [host]
  const { promise: late, resolve } = Promise.withResolvers<readonly []>()
  const timer = setTimeout(() => resolve([]), withinMs)
  try {
    const found = await Promise.race([find(host.host).catch(() => []), late])
    const families = found.map(({ family }) => family)
    if (new Set(families).size === families.length) return [host]
    const addresses = new Set(found.map(({ address }) => address))
    return [...addresses].slice(0, addressesMax).map((address) => ({ ...host, address }))
  } finally {
    clearTimeout(timer)
  }
}
