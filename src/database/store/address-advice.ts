import type { Disk } from '../../disk/disk.ts'
import type { Target } from '../../driver/address.ts'
import type { Facts } from '../../driver/driver.ts'

/** A round trip from which on each request feels it. */
const slowRoundTripMs = 50

/** By what an address says of TLS without insisting on it: how it would. */
const insisting: Readonly<Record<string, string>> = {
  disable: 'sslmode=require',
  allow: 'sslmode=require',
  prefer: 'sslmode=require',
  disabled: 'ssl-mode=REQUIRED',
  preferred: 'ssl-mode=REQUIRED',
}

/**
 * What is worth considering about an address that can be used, one sentence each; nothing of it is wrong. `facts` are
 * what a connection found. Pure; holds no secret.
 */
export function addressAdvice(target: Target, facts: Facts): readonly string[] {
  const advice: string[] = []
  const encryption = encryptionAdvice(target, facts)
  if (encryption !== null) advice.push(encryption)
  if (facts.pooled) {
    advice.push('Connections go through a pooler: statements are not prepared, and long transactions hold its slots.')
  }
  const roundTripMs = Math.round(facts.insight?.roundTripMs ?? 0)
  if (roundTripMs >= slowRoundTripMs) {
    advice.push(`A round trip takes ${roundTripMs} ms, which each statement waits for: a database nearer by is faster.`)
  }
  return advice
}

/** On this machine nobody listens in. */
function encryptionAdvice({ host, tls }: Target, { insight }: Facts): string | null {
  const wish = tls !== null && Object.hasOwn(insisting, tls) ? insisting[tls] : undefined
  if (wish === undefined || tls === null || host === null || isOnThisMachine(host)) return null
  if (insight?.encryption === 'local') return null
  const isOpen = insight?.encryption === 'none' || tls.startsWith('disable')
  return isOpen
    ? `The connection is not encrypted: write ${wish}, if the server speaks TLS.`
    : `The address does not insist on TLS: with ${wish} it is never left out.`
}

function isOnThisMachine(host: string): boolean {
  return host.startsWith('/') || host === '::1' || /^(?:localhost|127\.[\d.]+)$/i.test(host)
}

/** What the disk of the store in this process means; null when it outlives the container. */
export function diskAdvice(kind: Disk['kind'], role: 'fallback' | 'local'): string | null {
  if (kind !== 'ephemeral') return null
  return role === 'local'
    ? 'The database lies on an ephemeral disk: its rows are lost with the container. Mount a volume at DATA_DIR, or declare a primary.'
    : 'The fallback lies on an ephemeral disk: rows written while the primary is away are lost with the container. Mount a volume at DATA_DIR.'
}
