import type { Problem } from '../../config/problem.ts'
import { FaultError } from '../fault.ts'
import { faultError } from './read-error.ts'

/** A part of a driver that needs packages which may not be installed. */
export interface ClientPart<T> {
  readonly load: () => Promise<T>
  /** With their versions, as `npm install` accepts them. */
  readonly packages: string
  /** One sentence for when one of them is missing. */
  readonly summary: string
}

/** Imports the client. @throws FaultError CLIENT_MISSING, with the npm command that installs it. */
export async function loadClient<T>({ load, packages, summary }: ClientPart<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    if (!isMissing(cause)) throw cause
    throw faultError('configuration', 'CLIENT_MISSING', summary, `Run: npm install ${packages}`, { cause })
  }
}

/** The problem when the client is not installed; it is only looked for when an address needs it. */
export async function missingClient<T>(
  part: ClientPart<T>,
  { driver, setting, origin }: { readonly driver: string } & Pick<Problem, 'setting' | 'origin'>,
): Promise<readonly Problem[]> {
  try {
    await loadClient(part)
    return []
  } catch (error) {
    if (!(error instanceof FaultError)) throw error
    const { summary: message, hint: suggestion } = error.fault
    return [{ code: 'CLIENT_MISSING', severity: 'error', driver, setting, origin, part: null, message, suggestion }]
  }
}

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
}
