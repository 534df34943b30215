import { commonFaults, FaultError, faultError, syncWaitCancelledCode } from '../../../src/driver/kit/driver-kit.ts'
import { standbyError } from '../faults.ts'

/** What a server sends besides answers. */
interface Reporting {
  on(event: 'parameterStatus', listener: (said: ParameterStatus) => void): void
  on(event: 'notice', listener: (said: { readonly routine?: string }) => void): void
}

interface ParameterStatus {
  readonly parameterName: string
  readonly parameterValue: string
}

/**
 * What the server of a connection says without being asked: settings at login and whenever they change, and warnings. The
 * two that concern writes are reported since PostgreSQL 14; a pooler reports those of whichever server it met first.
 */
export class ServerReports {
  readonly #settings = new Map<string, string>()
  #isUnsynced = false

  constructor(connection: Reporting) {
    connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
      this.#settings.set(parameterName, parameterValue)
    })
    connection.on('notice', ({ routine }) => {
      // By the function that warns: the text is translated.
      if (routine === 'SyncRepWaitForLSN') this.#isUnsynced = true
    })
  }

  /** As reported at login; null when it was not. */
  get version(): string | null {
    return this.#settings.get('server_version') ?? null
  }

  /** Whether the server is a standby; null: it does not say. */
  get isStandby(): boolean | null {
    return this.#flag('in_hot_standby')
  }

  /** Whether the wait of a commit for the synchronous standby was cancelled, since the last call. */
  takeUnsynced(): boolean {
    const isUnsynced = this.#isUnsynced
    this.#isUnsynced = false
    return isUnsynced
  }

  /** What a caller gets whose statement was refused with 25006. `isBegun`: its transaction was begun read-only. */
  refusal(cause: Error, isBegun: boolean): Error {
    if (isBegun) {
      const summary = 'The statement writes, and its transaction was begun read-only.'
      return faultError('statement', '25006', summary, 'Begin the transaction without "read only".', { cause })
    }
    // A server that does not say may be a standby; then the next connection may lead to another one.
    if (this.isStandby !== false) return standbyError(cause)
    return this.#flag('default_transaction_read_only') === true ? defaultReadOnlyError(cause) : cause
  }

  #flag(name: string): boolean | null {
    const value = this.#settings.get(name)
    return value === undefined ? null : value === 'on'
  }
}

/** The role or the database writes nothing by default, on whatever host. */
export function defaultReadOnlyError(cause: unknown = null): FaultError {
  const summary = 'New transactions are read-only here by default: default_transaction_read_only is on.'
  const hint = 'Reset it for the role and the database: "alter role ... reset", "alter database ... reset".'
  return new FaultError({
    ...{ kind: 'read-only', code: 'DEFAULT_READ_ONLY', summary, hint, ambiguous: false, cause, everywhere: true },
  })
}

/** A commit that did not wait for the synchronous standby to the end. */
export function unsyncedError(cause: unknown): FaultError {
  const summary = 'The change is committed on this server, but its wait for the synchronous standby was cancelled.'
  const hint = 'The change may be lost if the server fails before the standby has it; look at pg_stat_replication.'
  return faultError(commonFaults.lost.kind, syncWaitCancelledCode, summary, hint, { cause, ambiguous: true })
}
