import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Bench, type Harness, limits, Note, note, openStore, slackMs, within } from './bench.ts'
import { rejection, using } from './connection.ts'

const away = /^(lost|unreachable)$/

/** What a server's death or silence does. Skipped by name where the harness cannot bring it about. */
export function conformOutages(bench: () => Bench, harness: Harness): void {
  const noKill = harness.kill === undefined && 'the harness cannot kill a server'
  const noPause = (harness.pause === undefined || harness.resume === undefined) && 'the harness cannot pause a server'

  test('reports a killed server as lost within its limits', { skip: noKill }, async () => {
    await using(await openStore(bench()), async ({ orm, candidate }) => {
      await orm.em.fork().insert(Note, note('a'))
      await harness.kill?.()
      const error = await within(rejection(orm.em.fork().count(Note)), limits.queryMs + slackMs)
      assert.match(bench().driver.classify(error, 'statement').kind, away)
      const opening = rejection(candidate.open(AbortSignal.timeout(limits.connectMs)))
      assert.match(bench().driver.classify(await within(opening, limits.connectMs + slackMs), 'open').kind, away)
    })
  })

  test('frees the callers of a silent server within its limits', { skip: noPause }, async () => {
    await using(await openStore(bench()), async ({ orm, candidate }) => {
      await orm.em.fork().insert(Note, note('a'))
      await harness.pause?.()
      try {
        const error = await within(rejection(orm.em.fork().count(Note)), limits.queryMs + slackMs)
        assert.match(bench().driver.classify(error, 'statement').kind, away)
        const opening = rejection(candidate.open(AbortSignal.timeout(500)))
        assert.match(bench().driver.classify(await within(opening, 500 + slackMs), 'open').kind, away)
      } finally {
        await harness.resume?.()
      }
      assert.equal(await within(orm.em.fork().count(Note), 2 * limits.queryMs + slackMs), 1)
    })
  })
}
