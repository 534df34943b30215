import { faultError, type Problem } from '../../src/driver/driver.ts'
import type { PostgresqlTarget } from './target.ts'

const packages = '@mikro-orm/postgresql@7.2.1 pg@8.23.0 pg-cursor@2.22.0'
const summary = 'The package of the PostgreSQL client is not installed.'
const hint = `Run: npm install ${packages}`

/** The part of this driver that needs the client. @throws FaultError CLIENT_MISSING, with the line for npm. */
export async function loadClient(): Promise<typeof import('./candidate.ts')> {
  try {
    return await import('./candidate.ts')
  } catch (cause) {
    if (!isMissing(cause)) throw cause
    throw faultError('configuration', 'CLIENT_MISSING', summary, hint, { cause })
  }
}

/** The problem where the client is not there; it is only looked for when an address wants it. */
export async function missingClient({ setting, origin }: PostgresqlTarget): Promise<readonly Problem[]> {
  try {
    await loadClient()
    return []
  } catch {
    return [
      { code: 'CLIENT_MISSING', severity: 'error', setting, origin, part: null, message: summary, suggestion: hint },
    ]
  }
}

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
}
