import { FaultError, faultError, type Problem } from '../../src/driver/driver.ts'
import type { PostgresqlTarget } from './target.ts'

/** A part of a driver that needs packages which may not be installed. */
export interface ClientPart<T> {
  readonly load: () => Promise<T>
  /** With their versions, as npm takes them. */
  readonly packages: string
  /** One sentence for when one of them is not there. */
  readonly summary: string
}

/** The part of this driver that needs the client. */
export const clientPart: ClientPart<typeof import('./candidate.ts')> = {
  load: () => import('./candidate.ts'),
  packages: '@mikro-orm/postgresql@7.2.1 pg@8.23.0 pg-cursor@2.22.0',
  summary: 'The package of the PostgreSQL client is not installed.',
}

/** Imports it. @throws FaultError CLIENT_MISSING, with the line for npm. */
export async function loadClient<T>({ load, packages, summary }: ClientPart<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    if (!isMissing(cause)) throw cause
    throw faultError('configuration', 'CLIENT_MISSING', summary, `Run: npm install ${packages}`, { cause })
  }
}

/** The problem where the client is not there; it is only looked for when an address wants it. */
export async function missingClient<T>(
  part: ClientPart<T>,
  { setting, origin }: PostgresqlTarget,
): Promise<readonly Problem[]> {
  try {
    await loadClient(part)
    return []
  } catch (error) {
    if (!(error instanceof FaultError)) throw error
    const { summary: message, hint: suggestion } = error.fault
    return [{ code: 'CLIENT_MISSING', severity: 'error', setting, origin, part: null, message, suggestion }]
  }
}

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
}
