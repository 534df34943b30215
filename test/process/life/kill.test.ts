import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Service, startService } from '../../support/process.ts'
import { cleanLater, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const admin = 'an-admin-token-of-some-length'
const rounds = 10
const writers = 8

/** What the service said it has done: the rating and version of each row that must be there; null where it was deleted. */
type Acknowledged = Map<string, { readonly rating: number; readonly version: number } | null>

interface Row {
  readonly id: string
  readonly rating: number
  readonly version: number
  readonly comment: string
  readonly meta: { readonly rating: number }
}

test('ten SIGKILLs under load lose no acknowledged row and tear none, in both ways to sync', async (t) => {
  const cwd = await makeTempDir(t, 'kill')
  const acknowledged: Acknowledged = new Map()
  const open = new Set<string>()
  for (let round = 0; round < rounds; round++) {
    const service = await start(t, cwd, round % 2 === 0 ? 'async' : 'full')
    await check(service, acknowledged, open)
    const client = createClient(t, service)
    const load = Promise.all(Array.from({ length: writers }, (_, at) => write(client, acknowledged, open, at)))
    const enough = acknowledged.size + 20
    const isLoaded = until(() => acknowledged.size >= enough, { everyMs: 5, what: 'rows to be acknowledged' })
    await Promise.race([isLoaded, load])
    await pause(Math.random() * 120)
    assert.deepEqual(await service.end('SIGKILL'), { code: null, signal: 'SIGKILL' })
    await load
  }
  const service = await start(t, cwd, 'auto')
  await check(service, acknowledged, open)
  const states = [...acknowledged.values()]
  assert.ok(states.length >= 20 * rounds, `${states.length} rows were acknowledged`)
  assert.ok(states.includes(null) && states.some((state) => state !== null && state.version > 1), 'of every kind')
  assert.deepEqual(await service.end(), { code: 0, signal: null })
})

test('two processes on one file both write: nothing is lost, nothing is answered 5xx', async (t) => {
  const cwd = await makeTempDir(t, 'shared')
  const env = { RATE_LIMIT: '0', DATA_DIR: 'data', COLLECTIONS_DIR: 'config/collections' }
  const services = [await startService(t, { cwd, env, files }), await startService(t, { cwd, env })]
  const ids: string[] = []
  const statuses = new Set<number>()
  await Promise.all(
    services.flatMap((service) =>
      Array.from({ length: 4 }, async (_, writer) => {
        const client = createClient(t, service)
        for (let at = 0; at < 60; at++) {
          const { status, body } = await client('POST', '/api/feedback', rowOf((at + writer) % 5))
          statuses.add(status)
          if (status === 201) ids.push((JSON.parse(body) as Row).id) // A row of ours.
        }
      }),
    ),
  )
  assert.deepEqual([...statuses], [201])
  assert.equal(ids.length, 480)
  for (const service of services) {
    const found = new Set((await everything(service)).map(({ id }) => id))
    assert.deepEqual(
      ids.filter((id) => !found.has(id)),
      [],
    )
    assert.deepEqual(await service.end(), { code: 0, signal: null })
  }
})

const files = {
  'config/collections/feedback.json': JSON.stringify({
    name: 'feedback',
    fields: { rating: { type: 'integer' }, comment: { type: 'string' }, meta: { type: 'object' } },
    access: { create: 'public', list: 'public', get: 'public' },
  }),
}

function start(t: TestContext, cwd: string, sync: string): Promise<Service> {
  const env = { RATE_LIMIT: '0', SQLITE_SYNC: sync, ADMIN_TOKEN: admin, LOG_REQUESTS: 'false' }
  return startService(t, { cwd, files, env })
}

/** One that creates, changes and deletes rows of its own until the service is gone. */
async function write(client: Client, acknowledged: Acknowledged, open: Set<string>, seed: number): Promise<void> {
  for (let at = seed; ; at++) {
    const created = await client('POST', '/api/feedback', rowOf(at % 5)).catch(() => null)
    if (created === null) return
    assert.equal(created.status, 201, created.body)
    const { id, version, rating }: Row = JSON.parse(created.body)
    acknowledged.set(id, { rating, version })
    if (at % 3 === 0) continue
    // While the answer to a change is out, both states are right.
    open.add(id)
    const path = `/api/feedback/${id}`
    const isPatch = at % 3 === 1
    const changed = await client(isPatch ? 'PATCH' : 'DELETE', path, isPatch ? rowOf(7) : '').catch(() => null)
    if (changed === null) return
    assert.equal(changed.status, isPatch ? 200 : 204, changed.body)
    acknowledged.set(id, isPatch ? { rating: 7, version: version + 1 } : null)
    open.delete(id)
  }
}

/** Every row that must be there is there as it was acknowledged, and each row that is there is whole. */
async function check(service: Service, acknowledged: Acknowledged, open: Set<string>): Promise<void> {
  const rows = new Map((await everything(service)).map((row) => [row.id, row]))
  for (const row of rows.values()) {
    assert.equal(row.meta.rating, row.rating, 'the row is of one piece')
    assert.equal(row.comment, comment(row.rating))
  }
  for (const [id, state] of acknowledged) {
    const row = rows.get(id)
    if (open.has(id)) continue
    if (state === null) assert.equal(row, undefined, `${id} was deleted`)
    else assert.deepEqual({ rating: row?.rating, version: row?.version }, state, id)
  }
  // From now on what is there counts.
  for (const id of open) {
    const row = rows.get(id)
    acknowledged.set(id, row === undefined ? null : { rating: row.rating, version: row.version })
  }
  open.clear()
}

const comment = (rating: number) => `${rating}`.repeat(400)

function rowOf(rating: number): string {
  return JSON.stringify({ rating, comment: comment(rating), meta: { rating } })
}

async function everything(service: Service): Promise<readonly Row[]> {
  const rows: Row[] = []
  let cursor: string | null = null
  do {
    const answer: Response = await service.fetch(`/api/feedback?limit=100${cursor === null ? '' : `&cursor=${cursor}`}`)
    assert.equal(answer.status, 200)
    const page = (await answer.json()) as { items: Row[]; next: string | null } // A page of ours.
    rows.push(...page.items)
    cursor = page.next
  } while (cursor !== null)
  return rows
}

type Client = (
  method: string,
  path: string,
  body: string,
) => Promise<{ readonly status: number; readonly body: string }>

/** Keeps its connections, as a busy client does; rejects when the answer did not come whole. */
function createClient(t: TestContext, { port }: Service): Client {
  const agent = new Agent({ keepAlive: true })
  cleanLater(t, () => agent.destroy())
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${admin}` }
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const req = request({ host: '127.0.0.1', port, method, path, agent, headers }, async (res) => {
        try {
          const chunks: Buffer[] = []
          for await (const chunk of res) chunks.push(chunk)
          resolve({ status: res.statusCode ?? 0, body: Buffer.concat(chunks).toString() })
        } catch (error) {
          reject(error)
        }
      })
      req.on('error', reject).end(body)
    })
}
