import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, it } from 'node:test'
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose'
import type { Caller } from '../../../src/collection/access/caller.ts'
import { Secret } from '../../../src/config/secret.ts'
import type { Authenticator } from '../../../src/http/auth/authenticator.ts'
import { type JwtConfig, jwtConfigOf } from '../../../src/http/auth/jwt-settings.ts'
import { type Cleanup, cleanLater } from '../../support/temp.ts'
import { request } from './request.ts'
import { createAuthenticator, noCallers } from './support.ts'

const issuer = 'https://login.example.com/'
const audience = 'the-service'
const secret = 'a secret of more than thirty-two bytes'

interface Signing {
  readonly alg: string
  readonly kid?: string
  readonly key: CryptoKey | Uint8Array
}

function sign(payload: Readonly<Record<string, unknown>>, { alg, kid, key }: Signing): Promise<string> {
  const claims = { iss: issuer, aud: audience, sub: 'ann', exp: Math.floor(Date.now() / 1_000) + 300, ...payload }
  return new SignJWT(claims).setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) }).sign(key)
}

const bySecret: Signing = { alg: 'HS256', key: Buffer.from(secret) }

function authOf(given: Partial<(typeof noCallers)['auth']['jwt']>): (typeof noCallers)['auth'] {
  return { jwt: { ...noCallers.auth.jwt, issuer, audience, ...given } }
}

async function callerOf(known: Authenticator, token: string): Promise<Caller> {
  return await known.identify(request({ authorization: `Bearer ${token}` }))
}

describe('a JWT signed with a secret', () => {
  const auth = authOf({ secret: new Secret(secret) })
  const known = createAuthenticator('the admin token', () => ({ auth }))

  it('makes a user of its subject and claims', async () => {
    const caller = await callerOf(known, await sign({ team: 'red' }, bySecret))
    assert.ok(caller.is === 'user')
    assert.deepEqual([caller.subject, caller.claims.team], ['ann', 'red'])
  })

  it('is refused where a claim, the time or the signature is not right', async () => {
    const now = Math.floor(Date.now() / 1_000)
    const other: Signing = { alg: 'HS256', key: Buffer.from('another secret of thirty-two bytes....') }
    const none = `${encoded({ alg: 'none' })}.${encoded({ iss: issuer, aud: audience, sub: 'ann', exp: now + 300 })}.`
    const cases: readonly (readonly [string, string, RegExp])[] = [
      ['expired', await sign({ exp: now - 61 }, bySecret), /has expired/],
      ['not yet valid', await sign({ nbf: now + 120 }, bySecret), /"nbf"/],
      ['for another audience', await sign({ aud: 'elsewhere' }, bySecret), /"aud"/],
      ['without an end', await sign({ exp: undefined }, bySecret), /"exp"/],
      ['without a subject', await sign({ sub: undefined }, bySecret), /"sub"/],
      ['with an empty subject', await sign({ sub: '' }, bySecret), /"sub"/],
      ['with the subject of an API token', await sign({ sub: 'token:ingest' }, bySecret), /begins with "token:"/],
      ['with an endless subject', await sign({ sub: 'a'.repeat(256) }, bySecret), /1 to 255/],
      ['of another signer', await sign({}, other), /signature/],
      ['with another algorithm', await sign({}, { ...bySecret, alg: 'HS512' }), /algorithm/],
      ['alg: none', none, /algorithm|signature/],
      [
        'changed on the way',
        (await sign({}, bySecret)).replace(/\.[^.]*\./, `.${encoded({ iss: issuer, sub: 'bob' })}.`),
        /signature/,
      ],
    ]
    for (const [what, token, detail] of cases) {
      await assert.rejects(callerOf(known, token), { code: 'TOKEN_INVALID', status: 401, detail }, what)
    }
  })

  it('may be as late as clocks differ', async () => {
    const late = await sign({ exp: Math.floor(Date.now() / 1_000) - 30 }, bySecret)
    assert.equal((await callerOf(known, late)).is, 'user')
  })

  it('counts as none where it is of another issuer, is no JWT, or is longer than any', async () => {
    const foreign = await sign({ iss: 'https://huggingface.co' }, bySecret)
    const long = await sign({ more: 'x'.repeat(9_000) }, bySecret)
    for (const token of [foreign, long, 'a.b.c', 'a.b', `${'.'.repeat(5)}`, '..']) {
      assert.deepEqual(await callerOf(known, token), { is: 'public', hasUnknownToken: true })
    }
  })

  it('is taken from Holdfast-Token first, and does not stand in the way of the admin', async () => {
    const [ann, bob] = [await sign({}, bySecret), await sign({ sub: 'bob' }, bySecret)]
    const both = await known.identify(request({ authorization: `Bearer ${bob}`, 'holdfast-token': ann }))
    assert.ok(both.is === 'user' && both.subject === 'ann')
    const admin = await known.identify(request({ authorization: `Bearer ${bob}`, 'holdfast-token': 'the admin token' }))
    assert.equal(admin.is, 'admin')
  })
})

describe('a JWT signed with a private key', () => {
  it('is verified with the one public key, which is never taken as a secret', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
    const pem = await exportSPKI(publicKey)
    const auth = authOf({ publicKey: pem })
    const known = createAuthenticator('the admin token', () => ({ auth }))
    assert.equal((await callerOf(known, await sign({}, { alg: 'ES256', key: privateKey }))).is, 'user')
    const forged = await sign({}, { alg: 'HS256', key: Buffer.from(pem) })
    await assert.rejects(callerOf(known, forged), { code: 'TOKEN_INVALID', detail: /algorithm/ })
    for (const alg of ['RS256', 'ES384', 'PS256', 'EdDSA']) {
      const other = `${encoded({ alg })}.${encoded({ iss: issuer, aud: audience, sub: 'ann', exp: 4_000_000_000 })}.AAAA`
      await assert.rejects(callerOf(known, other), { code: 'TOKEN_INVALID', detail: /algorithm/ }, alg)
    }
  })

  it('is refused where its algorithm is for another kind of key', async () => {
    const { publicKey } = await generateKeyPair('RS256')
    const auth = authOf({ publicKey: await exportSPKI(publicKey) })
    const known = createAuthenticator('the admin token', () => ({ auth }))
    for (const alg of ['ES256', 'ES512', 'EdDSA']) {
      const { privateKey } = await generateKeyPair(alg)
      const token = await sign({}, { alg, key: privateKey })
      await assert.rejects(callerOf(known, token), { code: 'TOKEN_INVALID', detail: /algorithm/ }, alg)
    }
  })
})

describe('the keys of an issuer', () => {
  it('are fetched when first needed, again for an unknown key, and serve while the issuer is away', async (t) => {
    const [first, second] = [await rsaKey('one'), await rsaKey('two')]
    const provider = await startProvider(t, [first])
    let nowMs = 0
    const auth = authOf({ issuer: provider.issuer })
    const known = createAuthenticator(
      'the admin token',
      () => ({ auth }),
      () => nowMs,
    )
    const caller = async (by: Signing, payload: Readonly<Record<string, unknown>> = {}) =>
      callerOf(known, await sign({ iss: provider.issuer, ...payload }, by))
    assert.equal(provider.asked(), 0, 'no one has needed them')
    assert.equal((await caller(first)).is, 'user')
    await caller(first)
    assert.equal(provider.asked(), 1)
    await assert.rejects(caller(second), { code: 'TOKEN_INVALID', detail: /no key/ })
    assert.equal(provider.asked(), 1, 'a moment later no stranger makes us ask')
    provider.keys = [second]
    nowMs += 30_000
    assert.equal((await caller(second)).is, 'user')
    assert.equal(provider.asked(), 2)
    provider.isAway = true
    nowMs += 10_000_000
    assert.equal((await caller(second)).is, 'user', 'the last known keys serve')
    await assert.rejects(caller(first), { code: 'AUTH_UNAVAILABLE', status: 503, retryAfterS: 5 })
    assert.equal((await known.identify(request({}))) as Caller, await known.identify(request({})))
  })

  it('of an issuer that was never reached are missing for users alone, and it is not asked by each of them', async (t) => {
    const key = await rsaKey('one')
    const provider = await startProvider(t, [key])
    provider.isAway = true
    let nowMs = 0
    const auth = authOf({ issuer: provider.issuer })
    const known = createAuthenticator(
      'the admin token',
      () => ({ auth }),
      () => nowMs,
    )
    const token = await sign({ iss: provider.issuer }, key)
    await assert.rejects(callerOf(known, token), { code: 'AUTH_UNAVAILABLE' })
    await assert.rejects(callerOf(known, token), { code: 'AUTH_UNAVAILABLE' })
    assert.equal(provider.asked(), 1)
    assert.equal((await callerOf(known, 'the admin token')).is, 'admin')
    provider.isAway = false
    nowMs += 5_000
    assert.equal((await callerOf(known, token)).is, 'user')
  })

  it('survive a reload that changes something else', async (t) => {
    const key = await rsaKey('one')
    const provider = await startProvider(t, [key])
    let auth = authOf({ issuer: provider.issuer })
    const known = createAuthenticator('the admin token', () => ({ auth }))
    const token = await sign({ iss: provider.issuer }, key)
    await callerOf(known, token)
    provider.isAway = true
    auth = authOf({ issuer: provider.issuer })
    assert.equal((await callerOf(known, token)).is, 'user')
    auth = authOf({ issuer: provider.issuer, audience: 'another' })
    await assert.rejects(callerOf(known, token), { code: 'AUTH_UNAVAILABLE' })
  })

  it('are those of a Space with hf_oauth where nothing else is set', async (t) => {
    const key = await rsaKey('one')
    const provider = await startProvider(t, [key])
    const platform = { ...noCallers.platform, openidProviderUrl: provider.issuer, oauthClientId: 'the-space' }
    const known = createAuthenticator('the admin token', () => ({ platform }))
    const caller = await callerOf(known, await sign({ iss: provider.issuer, aud: 'the-space' }, key))
    assert.ok(caller.is === 'user')
    await assert.rejects(callerOf(known, await sign({ iss: provider.issuer }, key)), {
      code: 'TOKEN_INVALID',
      detail: /"aud"/,
    })
  })
})

describe('settings of JWTs', () => {
  it('that do not fit together accept none, and say why', () => {
    const jwt = noCallers.auth.jwt
    const key = new Secret(secret)
    const cases: readonly (readonly [Partial<typeof jwt>, RegExp | null, JwtConfig['key']['is'] | null])[] = [
      [{}, null, null],
      [{ issuer }, /JWT_AUDIENCE is not set/, null],
      [{ audience, secret: key }, /JWT_ISSUER is not set/, null],
      [{ issuer, audience, secret: key, jwksUrl: 'https://x.example/keys' }, /More than one/, null],
      [{ issuer, audience, secret: key, algorithms: ['HS256', 'RS256'] }, /RS256, which is not for a secret/, null],
      [{ issuer, audience, algorithms: ['HS256'] }, /HS256, which is not for a public key/, null],
      [{ issuer: 'our login', audience }, /Set JWT_JWKS_URL|not an address/, null],
      [{ issuer: 'our login', audience, jwksUrl: 'https://x.example/keys' }, null, 'remote'],
      [{ issuer, audience }, null, 'remote'],
      [{ issuer, audience, secret: key }, null, 'secret'],
    ]
    for (const [given, message, kind] of cases) {
      const { config, fault } = jwtConfigOf({ ...noCallers, auth: { jwt: { ...jwt, ...given } } })
      assert.equal(config?.key.is ?? null, kind, JSON.stringify(given))
      if (message === null) assert.equal(fault, null)
      else assert.match(fault?.message ?? '', message)
    }
  })
})

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

async function rsaKey(kid: string): Promise<Signing & { readonly jwk: object }> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true })
  return { alg: 'RS256', kid, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } }
}

/** An OpenID provider: its discovery document and its keys. */
async function startProvider(t: Cleanup, keys: readonly { readonly jwk: object }[]) {
  let asked = 0
  const provider = { issuer: '', keys, isAway: false, asked: () => asked }
  const server = createServer((req, res) => {
    if (req.url === '/.well-known/openid-configuration') asked++
    if (provider.isAway) return res.writeHead(503).end()
    const isDiscovery = req.url === '/.well-known/openid-configuration'
    const body = isDiscovery
      ? { issuer: provider.issuer, jwks_uri: `${provider.issuer}/keys` }
      : { keys: provider.keys.map(({ jwk }) => jwk) }
    return res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanLater(t, () => void server.close())
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  provider.issuer = `http://127.0.0.1:${address.port}`
  return provider
}
