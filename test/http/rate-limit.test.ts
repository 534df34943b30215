import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RateLimit } from '../../src/http/rate-limit.ts'

describe('a rate limit', () => {
  it('lets each client make its requests and no more', async () => {
    const limit = new RateLimit({ requests: 2, windowS: 60 }, () => 0)
    const take = async (client: string) => (await limit.take(client)).isAllowed
    assert.deepEqual([await take('a'), await take('a'), await take('a'), await take('b')], [true, true, false, true])
  })

  it('says what is left and when it begins anew', async () => {
    const limit = new RateLimit({ requests: 2, windowS: 60 }, () => 0)
    const state = await limit.take('a')
    assert.deepEqual(state, { isAllowed: true, remaining: 1, resetS: 60 })
    assert.deepEqual(limit.headers(state), { 'RateLimit-Policy': '"create";q=2;w=60', RateLimit: '"create";r=1;t=60' })
  })

  it('remembers a bounded number of clients; those beyond share their places and are limited all the same', async () => {
    const limit = new RateLimit({ requests: 1, windowS: 60 }, () => 0)
    for (let at = 0; at < 10_000; at++) assert.equal((await limit.take(`client ${at}`)).isAllowed, true)
    let allowed = 0
    for (let at = 0; at < 10_000; at++) if ((await limit.take(`stranger ${at}`)).isAllowed) allowed++
    assert.ok(allowed > 0 && allowed <= 1_024, String(allowed))
    assert.equal((await limit.take('client 5')).isAllowed, false)
  })
})
