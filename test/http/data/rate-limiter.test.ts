import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RateLimiter } from '../../../src/http/data/rate-limiter.ts'

describe('a rate limit', () => {
  it('allows each client its number of requests and no more', async () => {
    const limit = new RateLimiter('create', { requests: 2, windowS: 60 }, () => 0)
    const take = async (client: string) => (await limit.take(client)).isAllowed
    assert.deepEqual([await take('a'), await take('a'), await take('a'), await take('b')], [true, true, false, true])
  })

  it('reports what is left and when the window ends', async () => {
    const limit = new RateLimiter('create', { requests: 2, windowS: 60 }, () => 0)
    const state = await limit.take('a')
    assert.deepEqual(state, { isAllowed: true, remaining: 1, resetS: 60 })
    assert.deepEqual(limit.headers(state), { 'RateLimit-Policy': '"create";q=2;w=60', RateLimit: '"create";r=1;t=60' })
  })

  it('remembers a bounded number of clients; further ones share counters and are still limited', async () => {
    const limit = new RateLimiter('create', { requests: 1, windowS: 60 }, () => 0)
    for (let at = 0; at < 10_000; at++) assert.equal((await limit.take(`client ${at}`)).isAllowed, true)
    let allowed = 0
    for (let at = 0; at < 10_000; at++) if ((await limit.take(`stranger ${at}`)).isAllowed) allowed++
    assert.ok(allowed > 0 && allowed <= 1_024, String(allowed))
    assert.equal((await limit.take('client 5')).isAllowed, false)
  })

  it('does not let a client choose with whom it shares a counter', async () => {
    const limit = new RateLimiter('create', { requests: 1, windowS: 60 }, () => 0)
    for (let at = 0; at < 10_000; at++) await limit.take(`client ${at}`)
    // These have the same place under a hash that everybody can compute.
    const strangers = Array.from({ length: 40_000 }, (_, at) => `stranger ${at}`)
    const neighbours = strangers.filter((name) => textHash(name) % 1_024 === 7).slice(0, 20)
    assert.equal(neighbours.length, 20)
    const states = await Promise.all(neighbours.map((name) => limit.take(name)))
    assert.ok(states.filter(({ isAllowed }) => isAllowed).length > 10)
  })
})

/** A hash that anyone can compute. */
function textHash(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) >>> 0
  return hash
}
