import type { DriverRegistry } from '../../driver/registry.ts'
import type { AddressProblemCode } from './url-codes.ts'
import { showAddress } from './url-show.ts'

/** What keeps an address with a known scheme from being read. The sentences hold no secret. */
export interface ShapeDefect {
  readonly code: AddressProblemCode
  readonly part: 'scheme' | 'address'
  readonly message: string
  readonly suggestion: string
}

/** Finds a scheme without its colon or slashes, and a second address behind the first; null where all is well. Pure and total. */
export function findShapeDefect(text: string, name: string, registry: DriverRegistry): ShapeDefect | null {
  const servers = registry.all.filter(({ embedded }) => embedded === undefined).flatMap(({ schemes }) => schemes)
  // The longest first: "postgres" begins "postgresql", too.
  const schemes = servers.sort((a, b) => b.length - a.length)
  return separatorDefect(text, name, schemes) ?? secondAddress(text, name, schemes)
}

function separatorDefect(text: string, name: string, schemes: readonly string[]): ShapeDefect | null {
  const lower = text.slice(0, 80).toLowerCase()
  const scheme = schemes.find((one) => lower.startsWith(one))
  if (scheme === undefined) return null
  const rest = text.slice(scheme.length)
  const [separator = '', blanks = ''] = /^(\s*)[:;]{0,3}\s*[/\\]{0,4}/.exec(rest) ?? []
  const after = rest.slice(separator.length)
  if (isRight(separator, after) || isOtherWord(separator, blanks, after)) return null
  const what = separator === '' ? 'neither colon nor slashes follow' : `what follows is "${separator}"`
  const message = `${name} begins with "${scheme}", after which "://" is to stand; ${what}.`
  return { code: 'ADDRESS_MALFORMED', part: 'scheme', message, suggestion: `Write ${shown(scheme, after)}` }
}

/** With three slashes the host is left out, which some clients take: then no user stands there. */
function isRight(separator: string, after: string): boolean {
  if (separator === '://') return true
  return separator === ':///' && !/^[^?#]*@/.test(after)
}

/** "postgresdb.example.com:5432/app" and "postgres-7" are names of hosts, "mysqldump -u u" is a command; whoever writes a user means an address. */
function isOtherWord(separator: string, blanks: string, after: string): boolean {
  if (separator === blanks) return blanks !== '' || !/^[^/?#\s]*@/.test(after) || /^[+.-]/.test(after)
  // "postgres:5432/app" is a host with its port.
  return separator === ':' && /^\d{1,5}(?:\/|$)/.test(after)
}

function shown(scheme: string, after: string): string {
  const at = Math.max(0, after.lastIndexOf('@'))
  const masked = showAddress(`${scheme}://${after.slice(0, at)}${after.slice(at).replaceAll('\\', '/')}`)
  // A colon without "@" may be the one before a password whose end was lost.
  return after.includes('@') ? masked : `${scheme}://user:***@host:port/name`
}

function secondAddress(text: string, name: string, schemes: readonly string[]): ShapeDefect | null {
  const lower = text.toLowerCase()
  const begins = schemes.find((scheme) => lower.startsWith(`${scheme}://`))
  if (begins === undefined) return null
  const found = schemes
    .map((scheme) => lower.indexOf(`${scheme}://`, begins.length + 3))
    // Behind an "@" it is the host that somebody pasted whole: its driver says so.
    .filter((at) => at > 0 && text[at - 1] !== '@' && !isInParameters(text, at))
  if (found.length === 0) return null
  const first = text.slice(0, Math.min(...found)).replace(/(?<![\s,;|])[\s,;|]+$/, '')
  const suggestion = first.includes('@') ? showAddress(first) : `${begins}://user:***@host:port/name`
  const message = `${name} holds two addresses: the second begins at character ${Math.min(...found) + 1}.`
  return { code: 'ADDRESS_TWO', part: 'address', message, suggestion: `Write one of them alone: ${suggestion}` }
}

/** `?redirect=postgres://...` is a value, however odd. */
function isInParameters(text: string, at: number): boolean {
  return text[at - 1] === '=' && text.slice(0, at).includes('?')
}
