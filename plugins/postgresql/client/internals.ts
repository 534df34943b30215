import type { Socket } from 'node:net'
import type pg from 'pg'

/** How a stream sends several pieces in one write; Neon's lacks both methods, and does so by itself. */
export interface Corkable {
  cork?(): void
  uncork?(): void
}

/** Members of pg's client that its types leave out, as version 8.23 has them. */
export interface ClientInternals {
  readonly connection: {
    readonly stream: Socket
    emit(event: 'error', error: Error): void
    on(event: 'parameterStatus' | 'notice', listener: (said: never) => void): void
    once(event: 'readyForQuery', listener: () => void): void
    removeListener(event: 'readyForQuery', listener: () => void): void
  }
  readonly connectionParameters: { readonly user: string; readonly database: string; readonly application_name: string }
  readonly readyForQuery?: boolean
  readonly _connecting: boolean
  readonly _queryable: boolean
  readonly _ending: boolean
  readonly processID: number | null
  readonly secretKey: number | null
  getTransactionStatus(): 'I' | 'T' | 'E' | null
  readonly saslSession?: { readonly mechanism: string } | null
  _handleAuthSASL(message: { readonly mechanisms: readonly string[] }): void
  _handleAuthSASLFinal(message: object): void
  _handleAuthCleartextPassword(message: object): void
  _handleAuthMD5Password(message: object): void
}

/** The same client, with these members. */
export function internals(client: pg.Client): ClientInternals {
  return client as unknown as ClientInternals // See `ClientInternals`.
}
