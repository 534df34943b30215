import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Hosted, hostService } from '../../support/hosted.ts'
import { noStandby } from '../../support/servers/postgres.ts'
import { type PostgresCluster, startPostgresCluster } from '../../support/servers/postgres-cluster.ts'
import { type Cleanup, cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { admin, hurriedEnv, reach } from '../serving.ts'

const primary = 'primary; driver=postgresql'
const fallback = 'fallback; driver=sqlite'

/** Only a server that stands still is met by a limit here. */
const patience = { QUERY_TIMEOUT: '3s', CONNECTION_TIMEOUT: '15s', FALLBACK_TIMEOUT: '15s' }

interface Problem {
  readonly code: string
  readonly message: string
}

describe('a PostgreSQL whose standby is promoted', { skip: noStandby }, () => {
  const cleanup = cleanupOf(after)
  let cluster: PostgresCluster
  before(async () => {
    cluster = await startPostgresCluster(cleanup)
  })

  const serve = async (t: Cleanup, database: string, more: { readonly cwd?: string } = {}): Promise<Hosted> => {
    // Whichever of the two accepts writes.
    const url = cluster.url(database, undefined, '?target_session_attrs=read-write')
    const env = { DRIVERS: 'sqlite,postgresql', DATABASE_URL: url, ...hurriedEnv, ...patience }
    const service = await hostService(t, { env, ...more })
    await reach(service, primary)
    return service
  }
  const create = async (service: Hosted, comment: string, store = primary): Promise<string> => {
    const answer = await service.send('POST', '/api/feedback', { rating: 3, comment }, admin)
    assert.deepEqual([answer.status, answer.headers.get('holdfast-store')], [201, store])
    return ((await answer.json()) as { id: string }).id // A row of ours.
  }
  const problems = async (service: Hosted): Promise<readonly Problem[]> => {
    const answer = await service.fetch('/status', { headers: { authorization: `Bearer ${admin}` } })
    const { problems } = (await answer.json()) as { problems: readonly Problem[] } // As /status has it.
    return problems.filter(({ code }) => code === 'PRIMARY_WENT_BACK')
  }
  const metric = async (service: Hosted, name: string): Promise<string | undefined> => {
    const answer = await service.fetch('/metrics', { headers: { authorization: `Bearer ${admin}` } })
    return new RegExp(`^${name}.*$`, 'm').exec(await answer.text())?.[0]
  }
  /** Resolves when a write was made on the primary. */
  const writes = async (service: Hosted): Promise<void> => {
    const isWritten = async (): Promise<boolean> => {
      const answer = await service.send('POST', '/api/feedback', { rating: 1, comment: 'again' }, admin)
      return answer.status === 201 && answer.headers.get('holdfast-store') === primary
    }
    await until(isWritten, { withinMs: 60_000, everyMs: 50, what: 'a write on the primary' })
  }
  /** Kills the primary and promotes the other one; resolves when the service writes there. */
  const failOver = async (service: Hosted): Promise<void> => {
    await cluster.primary.kill()
    await cluster.promote()
    await writes(service)
  }

  test('names what it had acknowledged and the new one lacks, copies again, and names nothing at a planned switchover', async (t) => {
    const database = await cluster.createDatabase()
    const service = await serve(t, database)
    const [kept, changed, deleted] = [
      await create(service, 'kept'),
      await create(service, 'changed'),
      await create(service, 'deleted'),
    ]
    await cluster.caughtUp()
    await cluster.cutOff()
    const lost = await create(service, 'lost')
    assert.equal((await service.send('PATCH', `/api/feedback/${changed}`, { rating: 5 }, admin)).status, 200)
    assert.equal((await service.send('DELETE', `/api/feedback/${deleted}`, undefined, admin)).status, 204)
    await failOver(service)
    const [problem, ...others] = await problems(service)
    assert.deepEqual(others, [])
    assert.match(problem?.message ?? '', /lacks 3 writes that it had acknowledged/)
    for (const id of [lost, changed, deleted]) assert.ok(problem?.message.includes(`feedback/${id}`), id)
    assert.ok(problem?.message.includes(kept) === false)
    assert.equal(
      await metric(service, 'holdfast_missing_writes_total'),
      'holdfast_missing_writes_total{collection="feedback"} 3',
    )
    assert.equal(service.log().filter(({ event }) => event === 'primary.went-back').length, 1)
    // Nothing of what was lost is shown by the copy.
    await until(() => service.log().some(({ event }) => event === 'copy.reset'), { what: 'the copy to begin again' })

    await cluster.rejoin()
    await cluster.caughtUp()
    // Somebody else deletes what was acknowledged a moment ago.
    const theirs = await create(service, 'of others')
    await create(service, 'the last one')
    await cluster.primary.query(`delete from feedback where id = '${theirs}'`, database)
    await cluster.switchover()
    await writes(service)
    assert.equal((await problems(service)).length, 1)
  })

  test('gets again what the journal still has of what was carried to the one that is lost', async (t) => {
    const database = await cluster.createDatabase()
    const service = await serve(t, database)
    await cluster.cutOff()
    await cluster.primary.pause()
    await until(
      async () => {
        const answer = await service.send('POST', '/api/feedback', { rating: 1, comment: 'in the outage' }, admin)
        return answer.headers.get('holdfast-store') === fallback
      },
      { withinMs: 60_000, what: 'a write in the fallback' },
    )
    cluster.primary.resume()
    await reach(service, primary, 60_000)
    const words = async (): Promise<readonly unknown[]> =>
      (await cluster.primary.query(`select comment from feedback where comment = 'in the outage'`, database)).map(
        ({ comment }) => comment,
      )
    assert.ok((await words()).length > 0)
    const count = (await words()).length
    await failOver(service)
    await until(async () => (await words()).length === count, {
      withinMs: 30_000,
      what: 'the rows to be carried again',
    })
    await cluster.rejoin()
  })

  test('is known by a service that was away meanwhile, from what its file has kept', async (t) => {
    const database = await cluster.createDatabase()
    const service = await serve(t, database)
    await service.end()
    await cluster.caughtUp()
    await cluster.cutOff()
    const large = 'create table large as select repeat(i::text, 100) from generate_series(1, 5000) i'
    await cluster.primary.query(large, database)
    const second = await serve(t, database, { cwd: service.dir })
    const isCopied = (): boolean => second.log().some(({ event }) => event === 'copy.began')
    await until(isCopied, { withinMs: 30_000, what: 'the journal to meet the primary' })
    await second.end()
    await cluster.primary.kill()
    await cluster.promote()
    const third = await serve(t, database, { cwd: service.dir })
    await until(async () => (await problems(third)).length > 0, { withinMs: 30_000, what: 'the problem' })
    assert.match((await problems(third))[0]?.message ?? '', /Its log ends before a position that it had reached\./)
  })
})
