import { createPublicKey } from 'node:crypto'
import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import type { Caller } from '../../collection/access/caller.ts'
import { HoldfastError } from '../../errors.ts'
import { IssuerKeys } from './issuer-keys.ts'
import type { JwtConfig } from './jwt-settings.ts'

const tokenMaxLength = 8_192
const subjectMaxLength = 255
const clockSkewS = 60

/** Verifies the JWTs of one issuer. */
export class JwtVerifier {
  readonly #config: JwtConfig
  readonly #key: JWTVerifyGetKey

  constructor(config: JwtConfig, now: () => number) {
    this.#config = config
    this.#key = keyGetter(config, now)
  }

  /** True for a JWT that says it is of this issuer; whether that is true, its signature tells. */
  isOurs(token: string): boolean {
    if (token.length > tokenMaxLength || token.split('.').length !== 3) return false
    try {
      return decodeJwt(token).iss === this.#config.issuer
    } catch {
      return false
    }
  }

  /** The user with this token. Rejects with TOKEN_INVALID, and with AUTH_UNAVAILABLE while the keys cannot be had. */
  async verify(token: string): Promise<Caller> {
    const { issuer, audience, algorithms } = this.#config
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        ...{ issuer, audience, algorithms: [...algorithms], clockTolerance: clockSkewS },
        requiredClaims: ['exp', 'sub'],
      })
      return userOf(payload)
    } catch (error) {
      if (error instanceof HoldfastError) throw error
      throw new HoldfastError('TOKEN_INVALID', { detail: faultOf(error), cause: error })
    }
  }
}

function keyGetter({ key, issuer }: JwtConfig, now: () => number): JWTVerifyGetKey {
  switch (key.is) {
    case 'secret': {
      const secret = Buffer.from(key.secret.reveal(), 'utf8')
      return async () => secret
    }
    case 'public': {
      const made = createPublicKey(key.pem)
      return async () => made
    }
    case 'remote':
      return new IssuerKeys({ issuer, url: key.url, now }).get
  }
}

function userOf(payload: JWTPayload): Caller {
  const { sub } = payload
  if (typeof sub !== 'string' || sub === '' || sub.length > subjectMaxLength) {
    throw new HoldfastError('TOKEN_INVALID', {
      detail: `Its "sub" is not a text of 1 to ${subjectMaxLength} characters.`,
    })
  }
  // Rows are owned by `token:<name>`: a provider that lets people choose their names must not give these away.
  if (sub.startsWith('token:')) throw new HoldfastError('TOKEN_INVALID', { detail: 'Its "sub" begins with "token:".' })
  return { is: 'user', subject: sub, claims: payload }
}

/** One sentence, without a value of the token. */
function faultOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired.'
  if (error instanceof errors.JWTClaimValidationFailed)
    return `The claim "${error.claim}" of the token is not accepted.`
  // What jose does not name itself is from the platform, which cannot use the key for the algorithm of the token.
  if (error instanceof errors.JOSEAlgNotAllowed || !(error instanceof errors.JOSEError))
    return 'The token is signed with an algorithm that is not accepted.'
  if (error instanceof errors.JWKSNoMatchingKey) return 'The issuer has no key of this token.'
  return 'The signature of the token is not valid.'
}
