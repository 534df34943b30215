import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Service, startService } from '../../support/process.ts'
import { S3Server } from '../../support/s3-server.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

type Environment = Readonly<Record<string, string>>

interface Answer {
  readonly status: number
  readonly durability: string | null
  readonly code: string | undefined
}

const places: readonly (readonly [string, (t: Cleanup) => Promise<Environment>])[] = [
  // As the one of Hugging Face, whose endpoint has a path.
  ['a bucket', async (t) => (await S3Server.start(t, { path: '/team' })).env()],
  ['a folder', async (t) => ({ ARCHIVE_URL: `file://${await makeTempDir(t)}/archive` })],
]

async function create(service: Service, rating: number, demand?: string): Promise<Answer> {
  const headers = { 'content-type': 'application/json', ...(demand ? { prefer: `durability=${demand}` } : {}) }
  const answer = await service.fetch('/api/feedback', { method: 'POST', headers, body: JSON.stringify({ rating }) })
  const { code } = (await answer.json()) as { code?: string } // An error has one.
  return { status: answer.status, durability: answer.headers.get('holdfast-durability'), code }
}

/** Creates a row as soon as it is as durable as that. */
async function created(service: Service, rating: number, durability: string, demand?: string): Promise<void> {
  await until(
    async () => {
      const answer = await create(service, rating, demand)
      if (answer.status === 201) assert.equal(answer.durability, durability)
      return answer.status === 201
    },
    { what: `a row that is "${durability}"`, withinMs: 30_000 },
  )
}

/** As an operator loses a container: at once, with its disk. */
async function lost(service: Service): Promise<void> {
  await service.end('SIGKILL')
  await rm(join(service.dir, 'data'), { recursive: true, force: true })
}

async function ratings(postgres: Postgres, database: string): Promise<unknown[]> {
  const rows = await postgres.query('select rating from feedback order by rating', database)
  return rows.map(({ rating }) => rating)
}

async function status(service: Service): Promise<string> {
  return ((await (await service.fetch('/health')).json()) as { status: string }).status
}

describe('what waited in a journal outlives the disk', { skip: noPostgres }, () => {
  for (const [name, make] of places) {
    test(`with an archive in ${name}: the rows of an outage are in PostgreSQL after the disk was lost twice`, async (t) => {
      const postgres = await startPostgres(t)
      const database = await postgres.createDatabase()
      const env = {
        ...{ DATABASE_URL: postgres.url(database), DATA_DURABLE: 'false', RATE_LIMIT: '0', FALLBACK_TIMEOUT: '2' },
        ...(await make(t)),
      }
      let service = await startService(t, { env })
      await created(service, 1, 'primary')
      assert.equal((await create(service, 1, 'archived')).code, 'DURABILITY_UNMET')

      await postgres.kill()
      await created(service, 2, 'journal', 'journal')
      await created(service, 3, 'journal-ephemeral')
      await created(service, 4, 'journal', 'journal')
      await lost(service)

      // The database is still away: nothing can be carried, and nothing may be forgotten.
      service = await startService(t, { cwd: service.dir, env })
      await created(service, 5, 'journal', 'journal')
      await lost(service)

      await postgres.start()
      service = await startService(t, { cwd: service.dir, env })
      await until(async () => (await ratings(postgres, database)).length >= 5, {
        what: 'the rows of both outages in the primary',
        withinMs: 30_000,
      })
      assert.deepEqual(await ratings(postgres, database), [1, 2, 3, 4, 5])
      await until(async () => (await status(service)) === 'pass', { what: 'health that passes', withinMs: 30_000 })
      assert.deepEqual(await service.end('SIGTERM', 15_000), { code: 0, signal: null })
      // What was carried is not carried again.
      await rm(join(service.dir, 'data'), { recursive: true, force: true })
      service = await startService(t, { cwd: service.dir, env })
      await created(service, 1, 'primary')
      assert.deepEqual(await ratings(postgres, database), [1, 1, 2, 3, 4, 5])
    })
  }
})
