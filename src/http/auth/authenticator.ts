import type { IncomingMessage } from 'node:http'
import { adminCaller, type Caller, callerName, publicCaller, strangerCaller } from '../../collection/access/caller.ts'
import type { Secret } from '../../config/secret.ts'
import type { Settings } from '../../config/settings.ts'
import { HoldfastError } from '../../errors.ts'
import { nameCaller } from '../server/caller-name.ts'
import { isAdminToken } from './admin.ts'
import { ApiTokens, isApiToken } from './api-tokens.ts'
import { sentTokens } from './sent-tokens.ts'

/** What callers are known by. Functions are called for each request, so that a reload takes effect. */
export interface AuthenticatorDeps {
  readonly adminToken: () => Secret
  readonly settings: () => Pick<Settings, 'tokens'>
}

/** Finds out who sent a request. */
export class Authenticator {
  readonly #deps: AuthenticatorDeps
  #tokens: { readonly of: Settings['tokens']; readonly known: ApiTokens } | null = null

  constructor(deps: AuthenticatorDeps) {
    this.#deps = deps
  }

  /**
   * The caller of a request, also for its log line. A token that is not ours counts as none: a private Space sends one of
   * its own. Throws TOKEN_INVALID for one that is ours and does not count. A promise only where keys must be fetched.
   */
  identify(req: IncomingMessage): Caller | Promise<Caller> {
    const sent = sentTokens(req)
    const caller = sent.length === 0 ? publicCaller : this.#callerOf(sent)
    nameCaller(req, callerName(caller))
    return caller
  }

  #callerOf(sent: readonly string[]): Caller {
    if (sent.some((given) => isAdminToken(given, this.#deps.adminToken()))) return adminCaller
    const ours = sent.find(isApiToken)
    return ours === undefined ? strangerCaller : this.#holderOf(ours)
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
