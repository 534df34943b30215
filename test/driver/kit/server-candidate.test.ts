import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ServerCandidate } from '../../../src/driver/kit/server-candidate.ts'

test('a host is reached at once by the way that was found, and by the others where that is closed', async () => {
  const tried: string[] = []
  let open = 'plain'
  const candidate = new ServerCandidate<string, { way: string; end(): Promise<void>; evict(): void }>({
    label: 'host',
    ways: async () => ['tls', 'plain'],
    createClient: (way) => ({ way, end: async () => {}, evict: () => {} }),
    connect: async ({ way }) => {
      tried.push(way)
      if (way !== open) throw new Error('closed')
    },
    mayTryNext: () => true,
    verify: () => Promise.reject(new Error('unreachable: nothing is proven here')),
    engine: () => {
      throw new Error('unreachable: nothing is served here')
    },
  })
  const { signal } = new AbortController()
  await candidate.open(signal)
  await candidate.open(signal)
  assert.deepEqual(tried, ['tls', 'plain', 'plain'])
  open = 'tls'
  await candidate.open(signal)
  assert.deepEqual(tried.slice(3), ['plain', 'tls'])
})
