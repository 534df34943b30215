import type { Target } from '../../driver/address.ts'
import type { Fault } from '../../driver/fault.ts'

/** Where this process runs. */
export interface Platform {
  /** Runs in a Hugging Face Space. */
  readonly isSpace: boolean
}

/** A database that could not be opened, its address, and from where it was tried. */
interface Case extends Platform {
  readonly fault: Pick<Fault, 'kind' | 'code' | 'cause'>
  readonly target: Target
  readonly host: string
}

/** One sentence when it fits the case, else null. */
type AdviceRule = (given: Case) => string | null

const openPorts: ReadonlySet<number> = new Set([80, 443, 8080])
const networkCodes =
  /^(?:ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL|ENOTFOUND|EAI_\w+|ETIMEDOUT|CONNECTION_TIMEOUT|ABORTED|FALLBACK_TIMEOUT)$/
const nameCodes = /^(?:ENOTFOUND|EAI_\w+)$/

const isUnknownName = ({ fault }: Case): boolean => nameCodes.test(fault.code)
const isOutOfReach = ({ fault }: Case): boolean => networkCodes.test(fault.code)

/** A port that a Space blocks; Neon answers on 443 as well, through another driver. An unknown name says nothing about ports. */
const spacePorts: AdviceRule = (given) => {
  const { isSpace, host, target, fault } = given
  const isClosed = target.port !== null && !openPorts.has(target.port)
  if (!isSpace || !isClosed || fault.kind !== 'unreachable' || isUnknownName(given)) return null
  const known = `Spaces document that outbound ports other than 80, 443 and 8080 are blocked, and this is ${target.port}`
  if (!host.endsWith('.neon.tech')) return `${known}.`
  const user = encodeURIComponent((target.user ?? 'user').toWellFormed())
  const name = encodeURIComponent((target.database ?? 'name').toWellFormed())
  const address = `neon+https://${user}:***@${host}/${name}`
  return `${known}: set DATABASE_DRIVER=neon, or use ${address}, which connects to port 443.`
}

const supabaseDirect: AdviceRule = (given) => {
  const [, project] = /^db\.([a-z0-9]+)\.supabase\.co$/.exec(given.host) ?? []
  if (project === undefined || !isOutOfReach(given)) return null
  return `This Supabase host has IPv6 only: use the session pooler, aws-0-REGION.pooler.supabase.com:5432, with the user postgres.${project}.`
}

/** The pooler finds the project by the user's name. */
const supabasePooler: AdviceRule = ({ host, fault, target }) => {
  if (!host.endsWith('.pooler.supabase.com')) return null
  if (fault.kind === 'capacity')
    return "Supabase's session pooler has few connections: lower POOL_SIZE, or use port 6543."
  const isRefused = fault.kind === 'auth' || fault.code === 'XX000'
  if (!isRefused || target.user?.includes('.')) return null
  return "Supabase's pooler needs the user postgres.PROJECT, and the project's REGION in its host."
}

const neonPooler: AdviceRule = ({ host, fault }) => {
  if (!host.endsWith('.neon.tech') || host.includes('-pooler.') || fault.kind !== 'capacity') return null
  const [endpoint, ...rest] = host.split('.')
  return `Neon accepts more connections through its pooler: ${[`${endpoint}-pooler`, ...rest].join('.')}.`
}

/** A server that rejects plain connections; its own message is read, never shown. */
const encryptionWanted: AdviceRule = ({ fault, target }) => {
  if (target.tls === null || !/^(?:28000|08P01|3159|ER_SECURE_TRANSPORT_REQUIRED)$/.test(fault.code)) return null
  const said = messageOf(fault.cause)
  // MySQL and MariaDB have a number for it, and another name for the parameter.
  if (/^(?:3159|ER_)/.test(fault.code)) return 'The server accepts encrypted connections only: use ssl-mode=REQUIRED.'
  const isMeant = /no encryption|SSL off|insecure|sslmode/i.test(said)
  return isMeant ? 'The server accepts encrypted connections only: use sslmode=require.' : null
}

const ownHost: AdviceRule = ({ host, fault }) => {
  const isOwn = host === 'localhost' || host === '::1' || /^127\./.test(host)
  if (!isOwn || fault.code !== 'ECONNREFUSED') return null
  return 'Inside a container, localhost is the container itself: use the host of the database.'
}

/** Names that resolve only in a private network, with which one and what to use elsewhere. */
const privateNames: readonly (readonly [RegExp, string])[] = [
  [
    /^dpg-[a-z0-9]+(?:-[a-z])?$/,
    "Render's internal host resolves only inside Render and its region: elsewhere use the external address.",
  ],
  [
    /\.railway\.internal$/,
    "Railway's internal host resolves only inside the project: elsewhere use DATABASE_PUBLIC_URL.",
  ],
  [/\.(?:internal|flycast)$/, 'This host resolves only inside its private network.'],
  [/\.svc(?:\.cluster\.local)?$/, 'This host resolves only inside its Kubernetes cluster.'],
  [
    /^[^.]+$/,
    'A name without a dot resolves only inside its network (Docker Compose, Kubernetes). Check that this process is in the same one, and the spelling of the name.',
  ],
]

const privateName: AdviceRule = (given) => {
  if (!isUnknownName(given)) return null
  return privateNames.find(([pattern]) => pattern.test(given.host))?.[1] ?? null
}

const rules: readonly AdviceRule[] = [
  spacePorts,
  supabaseDirect,
  supabasePooler,
  neonPooler,
  encryptionWanted,
  ownHost,
  privateName,
]

/** Known limits of platforms, where one explains the fault; null when none does. Names the host, so it is for logs and admins. Pure. */
export function adviceOn(
  fault: Pick<Fault, 'kind' | 'code' | 'cause'>,
  target: Target,
  platform: Platform,
): string | null {
  const host = target.host?.toLowerCase().replace(/\.$/, '') ?? ''
  if (host === '' || host.startsWith('/')) return null
  const found = rules.map((rule) => rule({ fault, target, host, ...platform })).filter((said) => said !== null)
  return found.length === 0 ? null : found.join(' ')
}

/** The fault with the advice after its own hint; the same fault when there is none, or it is there already. */
export function advised<F extends Pick<Fault, 'kind' | 'code' | 'hint'>>(
  fault: F,
  target: Target | null,
  platform: Platform,
): F {
  const cause = 'cause' in fault ? fault.cause : null
  const advice = target === null ? null : adviceOn({ kind: fault.kind, code: fault.code, cause }, target, platform)
  if (advice === null || fault.hint.includes(advice)) return fault
  return { ...fault, hint: `${fault.hint} ${advice}` }
}

/** Rules that need no fault where the platform is known, with the part of the address and the fault that is to be expected. */
const foreseeable: readonly (readonly [AdviceRule, 'host' | 'port' | 'user', Case['fault'], isInSpace: boolean])[] = [
  [spacePorts, 'port', { kind: 'unreachable', code: 'ETIMEDOUT', cause: null }, true],
  [ownHost, 'host', { kind: 'unreachable', code: 'ECONNREFUSED', cause: null }, true],
  [supabaseDirect, 'host', { kind: 'unreachable', code: 'ENETUNREACH', cause: null }, true],
  [supabasePooler, 'user', { kind: 'auth', code: 'XX000', cause: null }, false],
]

/** What is known about an address on this platform before a connection is attempted. Names the host. Pure. */
export function foreseenAdvice(
  target: Target,
  platform: Platform,
): readonly { readonly part: string; readonly advice: string }[] {
  const host = target.host?.toLowerCase().replace(/\.$/, '') ?? ''
  if (host === '' || host.startsWith('/')) return []
  return foreseeable.flatMap(([rule, part, fault, isInSpace]) => {
    const advice = isInSpace && !platform.isSpace ? null : rule({ fault, target, host, ...platform })
    return advice === null ? [] : [{ part, advice }]
  })
}

function messageOf(error: unknown): string {
  let link = error
  for (let depth = 0; depth < 8 && typeof link === 'object' && link !== null; depth++) {
    if ('message' in link && typeof link.message === 'string' && link.message !== '') return link.message
    link = 'cause' in link ? link.cause : null
  }
  return ''
}
