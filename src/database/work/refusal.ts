import type { Fault } from '../../driver/driver.ts'
import { HoldfastError } from '../../errors.ts'

/** Seconds after which a caller may try again where nothing better is known. */
const retryAfterS = 1

/** The code that a driver gives to a statement that did not answer within its limit. */
export const statementTimeoutCode = 'QUERY_TIMEOUT'

/**
 * The answer to a fault that work could not be run again for; null when the fault says nothing of the database: then the
 * error is the work's own.
 */
export function refusalOf(fault: Fault, verdict: 'kept' | 'lost', cause: unknown): HoldfastError | null {
  if (fault.ambiguous) return new HoldfastError('COMMIT_UNKNOWN', { cause })
  switch (fault.kind) {
    case 'statement':
      return null
    case 'constraint':
      return new HoldfastError('CONFLICT', { cause })
    case 'disk-full':
      return new HoldfastError('DISK_FULL', { cause })
    case 'transient':
      return new HoldfastError('STORE_BUSY', { cause, retryAfterS })
    case 'read-only':
    case 'unwritable':
      return new HoldfastError('READ_ONLY', { cause, retryAfterS })
    case 'lost':
      if (fault.code === statementTimeoutCode && verdict === 'kept') {
        return new HoldfastError('QUERY_TIMEOUT', { cause, retryAfterS })
      }
      return new HoldfastError('STORE_LOST', { cause, retryAfterS: 0 })
    case 'unreachable':
    case 'auth':
    case 'configuration':
    case 'tls':
    case 'capacity':
    case 'corrupt':
      return new HoldfastError('STORE_UNAVAILABLE', { cause, retryAfterS })
  }
}
