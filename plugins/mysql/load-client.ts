import { FaultError, faultError, type Problem } from '../../src/driver/driver.ts'
import type { MysqlTarget } from './target.ts'

const packages = '@mikro-orm/mariadb@7.2.1 mysql2@3.24.4'
const summary = 'The package of the MySQL client is not installed.'

/** The part of this driver that needs the client. @throws FaultError CLIENT_MISSING, with the line for npm. */
export async function loadClient(): Promise<typeof import('./candidate.ts')> {
  try {
    return await import('./candidate.ts')
  } catch (cause) {
    if (!isMissing(cause)) throw cause
    throw faultError('configuration', 'CLIENT_MISSING', summary, `Run: npm install ${packages}`, { cause })
  }
}

/** The problem where the client is not there; it is only looked for when an address wants it. */
export async function missingClient({ setting, origin }: MysqlTarget): Promise<readonly Problem[]> {
  try {
    await loadClient()
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
