import type { Target } from '../../driver/address.ts'
import type { Fault } from '../../driver/fault.ts'

/** What is known of the place where this process runs. */
export interface Surroundings {
  /** Runs in a Hugging Face Space. */
  readonly isSpace: boolean
}

/** A database that could not be opened, where it lies, and from where it was tried. */
interface Case extends Surroundings {
  readonly fault: Pick<Fault, 'kind' | 'code' | 'cause'>
  readonly target: Target
  readonly host: string
}

/** One sentence when it fits the case, else null. */
type Rule = (given: Case) => string | null

const openPorts: ReadonlySet<number> = new Set([80, 443, 8080])
const networkCodes =
  /^(?:ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL|ENOTFOUND|EAI_\w+|ETIMEDOUT|CONNECTION_TIMEOUT|ABORTED|FALLBACK_TIMEOUT)$/
const nameCodes = /^(?:ENOTFOUND|EAI_\w+)$/

const isUnknownName = ({ fault }: Case): boolean => nameCodes.test(fault.code)
const isOutOfReach = ({ fault }: Case): boolean => networkCodes.test(fault.code)

/**
 * In a Space a port that nothing leaves by; Neon answers on 443 as well, by another driver. A name that is not known
 * says nothing of ports.
 */
const spacePorts: Rule = (given) => {
  const { isSpace, host, target, fault } = given
  const isClosed = target.port !== null && !openPorts.has(target.port)
  if (!isSpace || !isClosed || fault.kind !== 'unreachable' || isUnknownName(given)) return null
  const known = `Spaces document that outbound ports other than 80, 443 and 8080 are blocked, and this is ${target.port}`
  if (!host.endsWith('.neon.tech')) return `${known}.`
  const user = encodeURIComponent((target.user ?? 'user').toWellFormed())
  const name = encodeURIComponent((target.database ?? 'name').toWellFormed())
  const address = `neon+https://${user}:***@${host}/${name}`
  return `${known}: set DATABASE_DRIVER=neon, or write ${address}, which goes over 443.`
}

const supabaseDirect: Rule = (given) => {
  const [, project] = /^db\.([a-z0-9]+)\.supabase\.co$/.exec(given.host) ?? []
  if (project === undefined || !isOutOfReach(given)) return null
  return `This host of Supabase has IPv6 only: take the session pooler, aws-0-REGION.pooler.supabase.com:5432, with the user postgres.${project}.`
}

/** The pooler finds the project by the user's name. */
const supabasePooler: Rule = ({ host, fault, target }) => {
  if (!host.endsWith('.pooler.supabase.com')) return null
  if (fault.kind === 'capacity')
    return "Supabase's session pooler has few connections: lower POOL_SIZE, or take port 6543."
  const isRefused = fault.kind === 'auth' || fault.code === 'XX000'
  if (!isRefused || target.user?.includes('.')) return null
  return "Supabase's pooler wants the user postgres.PROJECT, and the REGION of the project in its host."
}

const neonPooler: Rule = ({ host, fault }) => {
  if (!host.endsWith('.neon.tech') || host.includes('-pooler.') || fault.kind !== 'capacity') return null
  const [endpoint, ...rest] = host.split('.')
  return `Neon takes more connections through its pooler: ${[`${endpoint}-pooler`, ...rest].join('.')}.`
}

/** What is refused in the clear; the server's own words are looked at, never shown. */
const encryptionWanted: Rule = ({ fault, target }) => {
  if (target.tls === null || !/^(?:28000|08P01|3159|ER_SECURE_TRANSPORT_REQUIRED)$/.test(fault.code)) return null
  const said = messageOf(fault.cause)
  // MySQL and MariaDB have a number for it, and another word for the parameter.
  if (/^(?:3159|ER_)/.test(fault.code)) return 'The server takes encrypted connections only: write ssl-mode=REQUIRED.'
  const isMeant = /no encryption|SSL off|insecure|sslmode/i.test(said)
  return isMeant ? 'The server takes encrypted connections only: write sslmode=require.' : null
}

const ownHost: Rule = ({ host, fault }) => {
  const isOwn = host === 'localhost' || host === '::1' || /^127\./.test(host)
  if (!isOwn || fault.code !== 'ECONNREFUSED') return null
  return 'Inside a container, localhost is the container itself: name the host of the database.'
}

/** Names that only a private network knows, with where they are known and what to take elsewhere. */
const privateNames: readonly (readonly [RegExp, string])[] = [
  [
    /^dpg-[a-z0-9]+(?:-[a-z])?$/,
    "Render's internal host is known only inside of Render and of its region: elsewhere take the external address.",
  ],
  [
    /\.railway\.internal$/,
    "Railway's internal host is known only inside of the project: elsewhere take DATABASE_PUBLIC_URL.",
  ],
  [/\.(?:internal|flycast)$/, 'This host is known only inside of its private network.'],
  [/\.svc(?:\.cluster\.local)?$/, 'This host is known only inside of its Kubernetes cluster.'],
  [
    /^[^.]+$/,
    'A name without a dot is known only inside of its network (Docker Compose, Kubernetes): is this process in the same one, or is the name misspelt?',
  ],
]

const privateName: Rule = (given) => {
  if (!isUnknownName(given)) return null
  return privateNames.find(([pattern]) => pattern.test(given.host))?.[1] ?? null
}

const rules: readonly Rule[] = [
  spacePorts,
  supabaseDirect,
  supabasePooler,
  neonPooler,
  encryptionWanted,
  ownHost,
  privateName,
]

/** What platforms are known for, where it explains the fault; null when nothing does. Names the host, so it is for logs and the admin. Pure. */
export function adviceOn(
  fault: Pick<Fault, 'kind' | 'code' | 'cause'>,
  target: Target,
  surroundings: Surroundings,
): string | null {
  const host = target.host?.toLowerCase().replace(/\.$/, '') ?? ''
  if (host === '' || host.startsWith('/')) return null
  const found = rules.map((rule) => rule({ fault, target, host, ...surroundings })).filter((said) => said !== null)
  return found.length === 0 ? null : found.join(' ')
}

/** The fault with the advice behind its own hint; the same fault when there is none, or it has it already. */
export function advised<F extends Pick<Fault, 'kind' | 'code' | 'hint'>>(
  fault: F,
  target: Target | null,
  surroundings: Surroundings,
): F {
  const cause = 'cause' in fault ? fault.cause : null
  const advice = target === null ? null : adviceOn({ kind: fault.kind, code: fault.code, cause }, target, surroundings)
  if (advice === null || fault.hint.includes(advice)) return fault
  return { ...fault, hint: `${fault.hint} ${advice}` }
}

function messageOf(error: unknown): string {
  let link = error
  for (let depth = 0; depth < 8 && typeof link === 'object' && link !== null; depth++) {
    if ('message' in link && typeof link.message === 'string' && link.message !== '') return link.message
    link = 'cause' in link ? link.cause : null
  }
  return ''
}
