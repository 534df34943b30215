import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { before, it } from 'node:test'
import { adminToken, localKinds, onDatabases } from '../../../support/databases.ts'
import fc from '../../../support/property.ts'
import { type HostileRequest, hostileRequest } from './hostile-requests.ts'
import { people, ticket, tickets } from './tickets.ts'

const requests = 2_000
const atOnce = 25

/** Words of drivers, of their languages and of this machine. None is in a request, so none may be in an error. */
const driverWords =
  /sqlite|mysql|mariadb|postgres|kysely|mikro|SQLSTATE|\bER_[A-Z]|syntax error|no such (?:table|column)|near "|constraint failed|duplicate key value|invalid input syntax|out of range|Truncated|Incorrect|collation|node_modules|\bat \S+ \(|\/src\/|file:\/\//i

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** No request names it. */
const victims = { name: 'victims', fields: { name: { type: 'string' } } }

onDatabases(
  'a hostile request',
  {
    collections: [tickets, people, victims],
    kinds: localKinds,
    env: { LOG_REQUESTS: 'false', READ_RATE_LIMIT: '0', HTTP_MAX_CONNECTIONS: '200' },
  },
  (api) => {
    const agent = new Agent({ keepAlive: true, maxSockets: atOnce })

    /** As it is written: `fetch` would encode, resolve and refuse. */
    const send = ({ method, target, headers, body, isAdmin }: HostileRequest): Promise<Answer> => {
      const { promise, resolve, reject } = Promise.withResolvers<Answer>()
      const own = {
        ...(body === null
          ? {}
          : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
        ...(isAdmin ? { authorization: `Bearer ${adminToken}` } : {}),
      }
      const options = { port: api().service.port, host: '127.0.0.1', method, path: target, agent }
      const req = request({ ...options, headers: { ...own, ...headers } }, async (res) => {
        const chunks: Buffer[] = []
        for await (const chunk of res) chunks.push(chunk)
        const type = res.headers['content-type'] ?? ''
        resolve({ status: res.statusCode ?? 0, type, text: Buffer.concat(chunks).toString() })
      })
      req.on('error', reject)
      req.end(body ?? undefined)
      return promise
    }

    before(async () => {
      for (let at = 0; at < 3; at++) {
        const created = await api().call('POST', '/api/tickets', { body: ticket })
        assert.equal(created.status, 201, created.text)
      }
      const created = await api().call('POST', '/api/victims', { body: { name: 'Ann' } })
      assert.equal(created.status, 201, created.text)
    })

    it(`gets an answer of its own, ${requests} times, and no word of a driver`, { timeout: 600_000 }, async () => {
      const statuses = new Map<number, number>()
      const batches = fc.array(hostileRequest, { minLength: atOnce, maxLength: atOnce })
      await fc.assert(
        fc.asyncProperty(batches, async (batch) => {
          const answers = await Promise.all(batch.map(send))
          for (const [at, { status, type, text }] of answers.entries()) {
            statuses.set(status, (statuses.get(status) ?? 0) + 1)
            const what = JSON.stringify(batch[at]).slice(0, 2_000)
            // SQLite has no other durability than its own.
            const isUnmet = status === 503 && text.includes('"DURABILITY_UNMET"')
            assert.ok(status < 500 || isUnmet, `${status} ${text}: ${what}`)
            if (status < 400) continue
            assert.doesNotMatch(withoutEcho(text), driverWords, what)
            if (text !== '') assert.match(type, /^application\/problem\+json/, `${status} ${text}: ${what}`)
            if (batch[at]?.isAdmin === false) assert.doesNotMatch(text, /TOPSECRET|HUNTER2/, what)
          }
        }),
        { numRuns: requests / atOnce },
      )
      // Otherwise nothing would have been asked of the database.
      assert.ok((statuses.get(200) ?? 0) > requests / 20, JSON.stringify([...statuses]))
      assert.ok((statuses.get(400) ?? 0) > requests / 10, JSON.stringify([...statuses]))
    })

    it('has left the tables where they are, and other rows as they were', async () => {
      const victims = await api().call('GET', '/api/victims?fields=name,version')
      assert.deepEqual(victims.json?.items, [{ name: 'Ann', version: 1 }], victims.text)
      const rows = await api().call('GET', '/api/tickets?limit=1')
      assert.equal(rows.status, 200, rows.text)
    })

    it('has left no defect in the log', () => {
      const defects = api()
        .service.log()
        .filter(({ level }) => level === 'error' || level === 'fatal' || level === 50 || level === 60)
      assert.deepEqual(defects.slice(0, 3), [])
    })
  },
)

/** Names that the request had are repeated in quotes, cut. */
function withoutEcho(text: string): string {
  return text.replace(/\\"(?:[^"\\]|\\.)*?\\"/g, '')
}
