import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { HoldfastError } from '../../errors.ts'

/** Where the keys of an issuer are. */
export interface KeySource {
  readonly issuer: string
  /** Null: OpenID Connect discovery tells. */
  readonly url: string | null
  /** Monotonic, milliseconds. */
  readonly now: () => number
}

/** Known keys are asked for again after this time, while they serve: a key that was withdrawn must not count for ever. */
const refreshMs = 600_000
/** A token with an unknown key may be of a new one; more often no one can make us ask. */
const cooldownMs = 30_000
/** After a failure. */
const retryMs = 5_000
const fetchTimeoutMs = 5_000
const documentMaxLength = 1_048_576

/** The public keys of an issuer, fetched when they are first needed. Those known last serve while the issuer is away. */
export class IssuerKeys {
  readonly #source: KeySource
  #known: ReturnType<typeof createLocalJWKSet> | null = null
  #loadedAt = Number.NEGATIVE_INFINITY
  #failedAt = Number.NEGATIVE_INFINITY
  #loading: Promise<void> | null = null

  constructor(source: KeySource) {
    this.#source = source
  }

  /** The key of a token. Rejects with AUTH_UNAVAILABLE where only the issuer could tell, and it is away; else with jose's errors. */
  readonly get: JWTVerifyGetKey = async (header, token) => {
    if (this.#known === null) await this.#load()
    else if (this.#isOlderThan(refreshMs)) this.#load().catch(() => {})
    try {
      return await this.#find(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#isOlderThan(cooldownMs)) throw error
      await this.#load()
      return await this.#find(header, token)
    }
  }

  async #find(...asked: Parameters<JWTVerifyGetKey>): Promise<Awaited<ReturnType<JWTVerifyGetKey>>> {
    if (this.#known === null) throw unavailable(undefined)
    return await this.#known(...asked)
  }

  #isOlderThan(ms: number): boolean {
    return this.#source.now() - this.#loadedAt >= ms
  }

  #load(): Promise<void> {
    if (this.#source.now() - this.#failedAt < retryMs) return Promise.reject(unavailable(undefined))
    this.#loading ??= this.#fetchKeys().finally(() => {
      this.#loading = null
    })
    return this.#loading
  }

  async #fetchKeys(): Promise<void> {
    try {
      const { url, issuer } = this.#source
      const keys = await readDocument(url ?? (await discover(issuer)))
      // Throws where it is not a set of keys.
      this.#known = createLocalJWKSet(keys as Parameters<typeof createLocalJWKSet>[0])
      this.#loadedAt = this.#source.now()
    } catch (cause) {
      this.#failedAt = this.#source.now()
      throw unavailable(cause)
    }
  }
}

function unavailable(cause: unknown): HoldfastError {
  return new HoldfastError('AUTH_UNAVAILABLE', { retryAfterS: retryMs / 1_000, cause })
}

async function discover(issuer: string): Promise<string> {
  const found = await readDocument(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  // Another issuer's keys would let it sign our users.
  if (Reflect.get(Object(found), 'issuer') !== issuer) throw new Error('The discovery document is of another issuer.')
  const url: unknown = Reflect.get(Object(found), 'jwks_uri')
  if (typeof url !== 'string') throw new Error('The discovery document has no "jwks_uri".')
  return url
}

async function readDocument(url: string): Promise<unknown> {
  const headers = { Accept: 'application/json' }
  const answer = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(fetchTimeoutMs) })
  if (answer.status !== 200) {
    await answer.body?.cancel()
    throw new Error(`The issuer answered with status ${answer.status}.`)
  }
  const text = await answer.text()
  if (text.length > documentMaxLength) throw new Error('The answer of the issuer is too large.')
  return JSON.parse(text)
}
