import type { Disk } from '../../disk/disk.ts'
import type { Target } from '../../driver/address.ts'
import type { Facts } from '../../driver/driver.ts'
import type { Shown } from './store.ts'

/** From this round trip on, every request feels it. */
const slowRoundTripMs = 50

/** How an address would insist on TLS, by what it says instead. */
const insisting: Readonly<Record<string, string>> = {
  disable: 'sslmode=require',
  allow: 'sslmode=require',
  prefer: 'sslmode=require',
  disabled: 'ssl-mode=REQUIRED',
  preferred: 'ssl-mode=REQUIRED',
}

/** Advice about a usable address, one sentence each. `facts` are what a connection found. Pure; holds no secret. */
export function addressAdvice(target: Target, facts: Facts): readonly string[] {
  const advice: string[] = []
  const encryption = encryptionAdvice(target, facts)
  if (encryption !== null) advice.push(encryption)
  if (facts.pooled) {
    advice.push('Connections go through a pooler: statements are not prepared, and long transactions occupy its slots.')
  }
  const roundTripMs = Math.round(facts.insight?.roundTripMs ?? 0)
  if (roundTripMs >= slowRoundTripMs) {
    advice.push(
      `A round trip takes ${roundTripMs} ms, and every statement waits for one: a database closer to this process is faster.`,
    )
  }
  return advice
}

/** Traffic that stays on this machine needs no TLS. */
function encryptionAdvice({ host, tls }: Target, { insight }: Facts): string | null {
  const wish = tls !== null && Object.hasOwn(insisting, tls) ? insisting[tls] : undefined
  if (wish === undefined || tls === null || host === null || isOnThisMachine(host)) return null
  if (insight?.encryption === 'local') return null
  const isOpen = insight?.encryption === 'none' || tls.startsWith('disable')
  return isOpen
    ? `The connection is not encrypted: use ${wish}, if the server supports TLS.`
    : `The address does not insist on TLS: with ${wish} every connection is encrypted.`
}

function isOnThisMachine(host: string): boolean {
  return host.startsWith('/') || host === '::1' || /^(?:localhost|127\.[\d.]+)$/i.test(host)
}

const onEphemeralDisk: Readonly<Record<Shown, string>> = {
  primary:
    'The primary is a file on an ephemeral disk: its rows are lost with the container. Put it on a volume, or use a database server.',
  fallback:
    'The fallback is on an ephemeral disk: rows written while the primary is away are lost with the container. Mount a volume at DATA_DIR.',
  local:
    'The database is on an ephemeral disk: its rows are lost with the container. Mount a volume at DATA_DIR, or declare a primary.',
}

/** With an archive behind it; one of a primary in a file is not archived. */
const archivedDisk: Readonly<Partial<Record<Shown, string>>> = {
  fallback:
    'The fallback is on an ephemeral disk: of the rows written while the primary is away, the next process has those that are in the archive by then. A write that demands "journal" waits for that.',
  local:
    'The database is on an ephemeral disk: the next start has the rows that are in the archive by then. A write that demands "archived" waits for that.',
}

/** Advice about the disk of a store in a file; null when it outlives the container. */
export function diskAdvice(kind: Disk['kind'], shown: Shown, isArchived: boolean): string | null {
  if (kind !== 'ephemeral') return null
  return (isArchived ? archivedDisk[shown] : undefined) ?? onEphemeralDisk[shown]
}
