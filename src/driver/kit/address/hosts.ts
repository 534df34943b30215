import { isIPv6 } from 'node:net'
import type { AddressCode } from './problems.ts'
import { decodePart } from './split.ts'

/** One server: a name, an IP address, or the path of a Unix socket (it begins with `/`). */
export interface Host {
  readonly host: string
  readonly port: number
  /** Of several that the name has; TLS still goes by the name. Absent: whatever the name leads to. */
  readonly address?: string
}

/** What is wrong with a list of hosts. The message holds nothing that may be a secret. */
export interface HostDefect {
  readonly code: Extract<AddressCode, 'ADDRESS_HOST_MISSING' | 'ADDRESS_HOST_INVALID' | 'ADDRESS_PORT_INVALID'>
  readonly part: 'host' | 'port'
  readonly message: string
  /** The corrected hosts. */
  readonly hosts: string
}

/** The hosts of an address, or what is wrong with them. `isDefault`: none was named. */
export type HostsReading =
  | { readonly hosts: readonly [Host, ...Host[]]; readonly isDefault: boolean }
  | { readonly defect: HostDefect }

/** What counts where an address names no port or no host; a host of null must be named. */
export interface HostDefaults {
  readonly port: number
  readonly host: string | null
}

/** More than any cluster has; each costs the time of an attempt. */
const hostsMax = 16

/**
 * Reads `host[:port],...` as libpq does, in the order to try. `names` and `ports`, the parameters `host` and `port`, win
 * over the list; a single port serves all hosts. Pure, total.
 */
export function readHosts(
  list: string,
  names: string | null,
  ports: string | null,
  defaults: HostDefaults,
): HostsReading {
  if (names === null && /\s/.test(list)) return invalid('host', 'The host contains a space.', 'host')
  const written = list.split(',')
  const texts = names === null ? written : names.split(',').map(bare)
  if (texts.length > hostsMax) return invalid('host', `The address names more than ${hostsMax} hosts.`, 'host')
  const given = ports?.split(',') ?? (names === null ? [] : written.map(portIn))
  const isDefault = texts.length === 1 && /^(?::[^:]*)?$/.test(texts[0] ?? '') && defaults.host !== null
  const read = texts.map((text, index) => {
    const own = isDefault ? `${bare(defaults.host ?? '')}${text}` : text
    return readHost(own, given.length === 1 ? given[0] : given[index], defaults.port)
  })
  const wrong = read.find((one) => 'defect' in one)
  if (wrong !== undefined) {
    const hosts = read.map((one) => ('defect' in one ? one.defect.hosts : formatHost(one, defaults.port))).join(',')
    return { defect: { ...wrong.defect, hosts } }
  }
  const [first, ...more] = read.flatMap((one) => ('defect' in one ? [] : [one]))
  return first === undefined ? missing : { hosts: [first, ...more], isDefault }
}

/** The port after a host; undefined where there is none. */
function portIn(text: string): string | undefined {
  return /^(?:\[[^\]]*\]|[^:]*):([^:]*)$/.exec(text)?.[1]
}

/** A name in the parameter `host` has neither brackets nor port. */
function bare(name: string): string {
  if (name.startsWith('/')) return encodeURIComponent(name.toWellFormed())
  return isIPv6(name) ? `[${name}]` : name
}

const missing: { readonly defect: HostDefect } = {
  defect: { code: 'ADDRESS_HOST_MISSING', part: 'host', message: 'The address names no host.', hosts: 'host' },
}

function readHost(
  text: string,
  portText: string | undefined,
  defaultPort: number,
): Host | { readonly defect: HostDefect } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  if (bracketed !== null) {
    const inside = bracketed[1] ?? ''
    if (!isIPv6(inside)) return invalid('host', 'The text in brackets is not a valid IPv6 address.', '[::1]')
    return withPort(inside, portText ?? bracketed[2], defaultPort)
  }
  const colons = text.split(':').length - 1
  if (colons > 1) return severalColons(text, defaultPort)
  const colon = text.indexOf(':')
  const name = decodePart(colon < 0 ? text : text.slice(0, colon)).text
  if (name === '') return missing
  const isSocket = name.startsWith('/')
  if (!isSocket && !/^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u.test(name)) {
    return invalid('host', 'The host contains a character that is not allowed in host names.', 'host')
  }
  if (name.length > 253 || name.includes('\0'))
    return invalid('host', 'The host is longer than 253 characters or contains a NUL character.', 'host')
  return withPort(name, portText ?? (colon < 0 ? undefined : text.slice(colon + 1)), defaultPort)
}

function severalColons(text: string, defaultPort: number): { readonly defect: HostDefect } {
  const message = 'An IPv6 address must be in brackets, which set its colons apart from that of the port.'
  // The last group may be the port that usually stands there.
  const port = text.endsWith(`:${defaultPort}`) ? text.slice(0, -`:${defaultPort}`.length) : ''
  if (isIPv6(port)) return invalid('host', message, `[${port}]:${defaultPort}`)
  if (isIPv6(text)) return invalid('host', message, `[${text}]`)
  const last = text.lastIndexOf(':')
  const before = text.slice(0, last)
  if (isIPv6(before)) return invalid('host', message, `[${before}]:${text.slice(last + 1).replace(/\D/g, '')}`)
  return invalid('host', 'The host has more than one colon and is not a valid IPv6 address.', `host:${defaultPort}`)
}

function withPort(host: string, text: string | undefined, defaultPort: number): Host | { readonly defect: HostDefect } {
  if (text === undefined || text === '') return { host, port: defaultPort }
  const isNumber = /^\d{1,5}$/.test(text)
  const port = Number(text)
  if (isNumber && port >= 1 && port <= 65_535) return { host, port }
  // Letters may be a password whose "@" was lost: they are not shown.
  const message = `The port${isNumber ? ` ${text}` : ''} is not a number from 1 to 65535.`
  const hosts = `${formatHost({ host, port: defaultPort }, defaultPort)}:${defaultPort}`
  return invalid('port', message, hosts, 'ADDRESS_PORT_INVALID')
}

function invalid(
  part: 'host' | 'port',
  message: string,
  hosts: string,
  code: HostDefect['code'] = 'ADDRESS_HOST_INVALID',
): { readonly defect: HostDefect } {
  return { defect: { code, part, message, hosts } }
}

/** `host:port` as an address has it, without the default port. */
export function formatHost({ host, port }: Host, defaultPort: number): string {
  const socket = (): string => encodeURIComponent(host.toWellFormed())
  const name = host.includes(':') ? `[${host}]` : host.startsWith('/') ? socket() : host
  return port === defaultPort ? name : `${name}:${port}`
}

/** The text of a host with the address that was chosen for it, for people. */
export function labelOfHost(text: string, { address }: Host): string {
  return address === undefined ? text : `${text} (${address})`
}

/** A separate host may be an IPv6 address without brackets or the path of a socket: it has no port of its own. */
export function hostList(host: string | null): string {
  const text = host?.trim() ?? ''
  if (text.startsWith('/')) return encodeURIComponent(text.toWellFormed())
  return text.split(':').length > 2 && !text.startsWith('[') ? `[${text}]` : text
}
