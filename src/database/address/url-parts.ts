import type { DatabaseSettings } from '../../config/settings.ts'
import type { Target } from '../../driver/address.ts'
import { isBlank } from './url-clean.ts'

/** The parts of an address, blank words taken as absent. */
export interface AddressParts {
  readonly driver: string | null
  readonly host: string | null
  readonly port: number | null
  readonly username: string | null
  readonly password: string | null
  readonly name: string | null
}

/** Reads the parts out of the settings. */
export function readParts(settings: DatabaseSettings): AddressParts {
  const { driver, host, port, username, password, name } = settings
  return {
    driver: filled(driver),
    host: filled(host),
    port,
    username: filled(username),
    // Only nothing at all is blank here: "null" may be somebody's password.
    password: password?.reveal() || null,
    name: filled(name),
  }
}

/**
 * Whether the parts declare a primary. A lone port declares nothing: Kubernetes sets DATABASE_PORT for a Service that
 * is named `database`.
 */
export function declaresPrimary(parts: AddressParts): boolean {
  const { driver, host, username, password, name } = parts
  return [driver, host, username, password, name].some((part) => part !== null)
}

/** The keys of the parts that say something else than the address, which wins. Values are compared, never shown; one file has many names, so the caller compares names. */
export function differingParts(
  parts: AddressParts,
  target: Target,
  address: string,
  isSameName: (name: string) => boolean,
): readonly string[] {
  const url = URL.canParse(address) ? new URL(address) : null
  const password = url === null || url.password === '' ? null : decoded(url.password)
  const pairs: readonly [string, unknown, unknown][] = [
    ['host', parts.host?.toLowerCase() ?? null, target.host?.toLowerCase() ?? null],
    ['port', parts.port, target.port],
    ['username', parts.username, target.user],
    ['password', parts.password, password],
  ]
  const differing = pairs.filter(([, part, given]) => part !== null && part !== given).map(([key]) => key)
  return parts.name === null || isSameName(parts.name) ? differing : [...differing, 'name']
}

function filled(text: string | null): string | null {
  return text === null || isBlank(text) ? null : text
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
