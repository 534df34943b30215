import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { bundleProgram } from '../../support/bundle.ts'
import { type Cleanup, cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { LifeCell, occupations, poolSizes } from './cell.ts'
import { ask, assertClean, drive, wholePool } from './driver.ts'
import type { Driven, ServerUnderTest } from './server-under-test.ts'

/** One way for a server, or the way to it, to fail. */
interface Failure {
  readonly name: string
  /** False: it is there again at once, and need not be left. */
  readonly isAway: boolean
  /** Begins it, for all that are driven: the first thing happens before it returns. */
  act(server: ServerUnderTest, driven: readonly Driven[]): Promise<void>
  mend(server: ServerUnderTest, driven: readonly Driven[]): Promise<void>
}

const network = (behaviour: 'cut' | 'reset' | 'swallow' | 'mute', name: string): Failure => ({
  name,
  isAway: true,
  act: async (_server, driven) => {
    for (const { front } of driven) front.proxy.behave(behaviour)
  },
  mend: async (_server, driven) => {
    for (const { front } of driven) front.proxy.behave('pass')
  },
})

const failures: readonly Failure[] = [
  { name: 'SIGKILL', isAway: true, act: (server) => server.kill(), mend: (server) => server.start() },
  {
    name: 'SIGSTOP',
    isAway: true,
    act: async (server) => server.pause(),
    mend: async (server) => server.resume(),
  },
  {
    name: 'restart',
    isAway: false,
    act: async (server) => {
      await server.stop()
      await server.start()
    },
    mend: async () => {},
  },
  network('cut', 'cut'),
  network('reset', 'reset'),
  network('swallow', 'black hole'),
  network('mute', 'dropped replies'),
  {
    name: 'all sessions terminated',
    isAway: false,
    act: async (server, driven) => {
      await Promise.all(driven.map(({ database }) => server.terminateAll(database)))
    },
    mend: async () => {},
  },
]

/**
 * Registers the table: each failure at each moment, through the real process against a real server. In each cell every
 * request is answered in time, by success or by one clean 503; answers go on; the service comes back by itself; each slot
 * of the pool works, no session is left behind, and each row is where its answer said that it is.
 */
export function lifeTable(name: string, skip: string | false, start: (t: Cleanup) => Promise<ServerUnderTest>): void {
  describe(`failures of ${name}`, { skip }, () => {
    const cleanup = cleanupOf(after)
    let server: ServerUnderTest
    let entry: string
    before(async () => {
      entry = await bundleProgram(cleanup, 'test/process/life/service.ts')
      server = await start(cleanup)
    })

    for (const failure of failures) {
      test(`${failure.name} at BEGIN, inside, COMMIT, idle: answers go on, and then the pool is whole`, async (t) => {
        const cells = await Promise.all(
          occupations.map(async (one) => {
            return new LifeCell(server, await drive(t, server, { entry, poolSize: poolSizes[one] }), one)
          }),
        )
        await Promise.all(cells.map((cell) => cell.begin()))
        const actedAt = performance.now()
        const acting = failure.act(server, cells)
        const lost = failure.isAway ? cells.map((cell) => cell.loss(actedAt)) : []
        const hit = cells.map((cell) => cell.hit())
        const lossMs = await Promise.all(lost)
        await Promise.all(hit)
        await acting
        await Promise.all(failure.isAway ? cells.map((cell) => cell.writeOnFallback()) : [])
        await failure.mend(server, cells)
        const returnMs = await Promise.all(cells.map((cell) => cell.back()))
        const inWords = (figures: readonly number[]) =>
          figures.map((ms, at) => `${occupations[at]} ${Math.round(ms)}`).join(', ')
        if (failure.isAway) t.diagnostic(`loss to the first answer of the fallback, ms: ${inWords(lossMs)}`)
        t.diagnostic(`there again to the first answer of the primary, ms: ${inWords(returnMs)}`)
        await Promise.all(cells.map((cell) => cell.isWhole()))
      })
    }

    test('a pool of two that is used up makes others wait and lets the primary be; afterwards it is whole', async (t) => {
      const driven = await drive(t, server, { entry, poolSize: 2 })
      const { service } = driven
      const names = ['one', 'two']
      for (const each of names) await service.send('POST', `/hold/${each}`, undefined)
      const holding = names.map((each) => ask(service, 'POST', `/transaction/${each}`))
      for (const each of names)
        await until(async () => (await (await service.fetch(`/inside/${each}`)).text()) === 'true')
      const refused = await Promise.all([
        ask(service, 'GET', '/api/feedback'),
        ask(service, 'POST', '/api/feedback', { rating: 1 }),
      ])
      for (const answer of refused) {
        assert.equal(answer.status, 503, JSON.stringify(answer))
        assertClean(answer)
      }
      for (const each of names) await service.send('POST', `/go/${each}`, undefined)
      for (const answer of await Promise.all(holding)) assert.equal(answer.status, 200, JSON.stringify(answer))
      assert.deepEqual(
        service
          .log()
          .filter(({ event }) => event === 'connection.changed')
          .map(({ to }) => to),
        ['CONNECTING_PRIMARY', 'PRIMARY_CONNECTED'],
      )
      await wholePool(server, driven)
      assert.deepEqual(await service.end(), { code: 0, signal: null })
    })

    test("one caller's statement that takes too long is no outage: the others stay on the primary", async (t) => {
      const driven = await drive(t, server, { entry, poolSize: 2 })
      const { service } = driven
      const sleeping = ask(service, 'POST', '/sql', { sql: server.sleep(4) })
      const stores = new Set<string | null>()
      let isOver = false
      const others = (async () => {
        while (!isOver) {
          stores.add((await ask(service, 'GET', '/api/feedback')).store)
          await setTimeout(5)
        }
      })()
      const answer = await sleeping
      assert.deepEqual([answer.status, answer.code], [503, 'QUERY_TIMEOUT'])
      assertClean(answer)
      const written = await ask(service, 'POST', '/api/feedback', { rating: 2 })
      isOver = true
      await others
      assert.deepEqual(
        [...stores, written.store],
        [`primary; driver=${server.driver}`, `primary; driver=${server.driver}`],
      )
      await wholePool(server, driven)
      assert.deepEqual(await service.end(), { code: 0, signal: null })
    })
  })
}
