import type { IncomingMessage } from 'node:http'
import { adminCaller, type Caller, callerName, publicCaller, strangerCaller } from '../../collection/access/caller.ts'
import type { Secret } from '../../config/secret.ts'
import type { Settings } from '../../config/settings.ts'
import { HoldfastError } from '../../errors.ts'
import { nameCaller } from '../server/caller-name.ts'
import { isAdminToken } from './admin.ts'
import { ApiTokens, isApiToken } from './api-tokens.ts'
import { JwtVerifier } from './jwt.ts'
import { jwtConfigOf } from './jwt-settings.ts'
import { sentTokens } from './sent-tokens.ts'

/** What callers are known by. Functions are called for each request, so that a reload takes effect. */
export interface AuthenticatorDeps {
  readonly adminToken: () => Secret
  readonly settings: () => Pick<Settings, 'tokens' | 'auth' | 'platform'>
  /** Monotonic, milliseconds. */
  readonly now: () => number
}

/** Finds out who sent a request. */
export class Authenticator {
  readonly #deps: AuthenticatorDeps
  #tokens: { readonly of: Settings['tokens']; readonly known: ApiTokens } | null = null
  #jwt: KnownJwt | null = null

  constructor(deps: AuthenticatorDeps) {
    this.#deps = deps
  }

  /**
   * The caller of a request, also for its log line. A token that is not ours counts as none: a private Space sends one of
   * its own. Throws TOKEN_INVALID for one that is ours and does not count. A promise for a JWT
   * alone, whose signature is verified by threads; it may reject with AUTH_UNAVAILABLE, too.
   */
  identify(req: IncomingMessage): Caller | Promise<Caller> {
    const sent = sentTokens(req)
    const caller = sent.length === 0 ? publicCaller : this.#callerOf(sent)
    if (caller instanceof Promise) return caller.then((user) => named(req, user))
    return named(req, caller)
  }

  #callerOf(sent: readonly string[]): Caller | Promise<Caller> {
    if (sent.some((given) => isAdminToken(given, this.#deps.adminToken()))) return adminCaller
    const verifier = this.#verifier()
    for (const given of sent) {
      if (isApiToken(given)) return this.#holderOf(given)
      if (verifier?.isOurs(given)) return verifier.verify(given)
    }
    return strangerCaller
  }

  /** The same for as long as its settings are, whatever else a reload changes: it keeps the keys of the issuer. */
  #verifier(): JwtVerifier | null {
    const settings = this.#deps.settings()
    if (this.#jwt?.of === settings.auth) return this.#jwt.verifier
    const { config } = jwtConfigOf(settings)
    const mark = JSON.stringify([config, settings.auth.jwt.secret?.reveal()])
    const kept = this.#jwt?.mark === mark ? this.#jwt.verifier : null
    const verifier = kept ?? (config === null ? null : new JwtVerifier(config, this.#deps.now))
    this.#jwt = { of: settings.auth, mark, verifier }
    return verifier
  }

  #holderOf(given: string): Caller {
    const { tokens } = this.#deps.settings()
    if (this.#tokens?.of !== tokens) this.#tokens = { of: tokens, known: new ApiTokens(tokens) }
    const found = this.#tokens.known.find(given, Date.now())
    if (found === null) throw new HoldfastError('TOKEN_INVALID', { detail: 'API_TOKENS does not have this token.' })
    if (found === 'expired') throw new HoldfastError('TOKEN_INVALID', { detail: 'The token has expired.' })
    return found
  }
}

/** A verifier, and the settings that it was made of. */
interface KnownJwt {
  readonly of: Settings['auth']
  readonly mark: string
  readonly verifier: JwtVerifier | null
}

function named(req: IncomingMessage, caller: Caller): Caller {
  nameCaller(req, callerName(caller))
  return caller
}
