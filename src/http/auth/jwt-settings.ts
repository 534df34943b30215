import { createProblem, type Problem } from '../../config/problem.ts'
import { expiryOf } from '../../config/schema/api-token.ts'
import type { Secret } from '../../config/secret.ts'
import type { ResolvedSettings, Settings } from '../../config/settings.ts'

/** Which signed tokens are users: all of it is demanded. */
export interface JwtConfig {
  readonly issuer: string
  readonly audience: string
  readonly algorithms: readonly string[]
  readonly key: JwtKey
}

/** What signatures are verified with. */
export type JwtKey =
  | { readonly is: 'secret'; readonly secret: Secret }
  | { readonly is: 'public'; readonly pem: string }
  /** `url` null: found by OpenID Connect discovery. */
  | { readonly is: 'remote'; readonly url: string | null }

/** Problems with the settings of tokens, by code. */
export const authProblems: Readonly<Record<string, string>> = {
  JWT_INCOMPLETE: 'Settings of JWTs do not fit together. No JWT is accepted.',
  JWT_ADDRESS_PLAIN: 'The keys of JWTs are fetched without TLS, so the network could replace them.',
  API_TOKEN_EXPIRED: 'An API token has expired. It is refused.',
}

const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const

/** What the settings say about JWTs; null: none is accepted. `fault` says why, where something was set. */
export function jwtConfigOf({ auth, platform }: Pick<Settings, 'auth' | 'platform'>): {
  readonly config: JwtConfig | null
  readonly fault: { readonly setting: string; readonly message: string; readonly suggestion: string } | null
} {
  const { issuer, audience, jwksUrl, publicKey, secret, algorithms } = auth.jwt
  const isUnset = [issuer, audience, jwksUrl, publicKey, secret].every((one) => one === null)
  const { openidProviderUrl, oauthClientId } = platform
  if (isUnset && openidProviderUrl !== null && oauthClientId !== null) {
    const key: JwtKey = { is: 'remote', url: null }
    return { config: { issuer: openidProviderUrl, audience: oauthClientId, algorithms: asymmetric, key }, fault: null }
  }
  if (isUnset) return { config: null, fault: null }
  const fault = (setting: string, message: string, suggestion: string) => ({
    config: null,
    fault: { setting: `auth.jwt.${setting}`, message: `${message} No JWT is accepted.`, suggestion },
  })
  if (issuer === null) return fault('issuer', 'JWT_ISSUER is not set.', 'Set it to the "iss" of the tokens.')
  if (audience === null) return fault('audience', 'JWT_AUDIENCE is not set.', 'Set it to the "aud" of the tokens.')
  const keys = [jwksUrl, publicKey, secret].filter((one) => one !== null)
  if (keys.length > 1) {
    return fault('secret', 'More than one of JWT_JWKS_URL, JWT_PUBLIC_KEY and JWT_SECRET is set.', 'Set one of them.')
  }
  // A public key is no secret: taken as one, anyone could sign with it.
  const unfit = algorithms.find((algorithm) => algorithm.startsWith('HS') !== (secret !== null))
  if (unfit !== undefined) {
    const kind = secret === null ? 'a public key' : 'a secret'
    return fault('algorithms', `JWT_ALGORITHMS has ${unfit}, which is not for ${kind}.`, `Remove ${unfit}.`)
  }
  const key = keyOf({ jwksUrl, publicKey, secret })
  if (key.is === 'remote' && key.url === null && URL.parse(issuer) === null) {
    return fault('jwksUrl', 'JWT_ISSUER is not an address at which its keys could be found.', 'Set JWT_JWKS_URL.')
  }
  const known = secret === null ? asymmetric : ['HS256']
  return { config: { issuer, audience, algorithms: algorithms.length === 0 ? known : algorithms, key }, fault: null }
}

function keyOf({
  jwksUrl,
  publicKey,
  secret,
}: Pick<Settings['auth']['jwt'], 'jwksUrl' | 'publicKey' | 'secret'>): JwtKey {
  if (secret !== null) return { is: 'secret', secret }
  return publicKey === null ? { is: 'remote', url: jwksUrl } : { is: 'public', pem: publicKey }
}

/** What is wrong with the settings of tokens. Opens nothing. */
export function findAuthProblems(resolved: ResolvedSettings, nowMs: number): readonly Problem[] {
  const { settings } = resolved
  const { config, fault } = jwtConfigOf(settings)
  const problems: Problem[] = []
  if (fault !== null) {
    const { setting, message, suggestion } = fault
    const origin = resolved.originOf(setting)
    problems.push(createProblem('JWT_INCOMPLETE', 'error', setting, { origin, message, suggestion }))
  }
  if (config?.key.is === 'remote' && isPlain(config.key.url ?? config.issuer)) {
    const setting = config.key.url === null ? 'auth.jwt.issuer' : 'auth.jwt.jwksUrl'
    const message = 'The keys of JWTs are fetched by http, so whoever is on the way could sign tokens.'
    const origin = resolved.originOf(setting)
    problems.push(createProblem('JWT_ADDRESS_PLAIN', 'warning', setting, { origin, message, suggestion: 'Use https.' }))
  }
  for (const { name, expires } of settings.tokens) {
    const at = expires === undefined ? null : expiryOf(expires)
    if (at === null || at > nowMs) continue
    const message = `The API token "${name}" has expired (${expires}).`
    const origin = resolved.originOf('tokens')
    const suggestion = 'Remove it, or print a new one with "holdfast token".'
    problems.push(createProblem('API_TOKEN_EXPIRED', 'warning', 'tokens', { origin, message, suggestion }))
  }
  return problems
}

/** Without TLS, and not on this machine. */
function isPlain(address: string): boolean {
  const url = URL.parse(address)
  return url?.protocol === 'http:' && !/^(?:localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname)
}
