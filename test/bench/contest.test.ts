import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { noPostgres } from '../support/servers/postgres.ts'
import { cleanupOf } from '../support/temp.ts'
import { cases, collectionPath, newRow } from './cases.ts'
import { type Contest, contest } from './contest.ts'
import { showContest } from './contest-text.ts'
import { type Contestant, enter, names } from './contestant.ts'
import { endLoad, load } from './load/generator.ts'
import type { On } from './options.ts'

after(endLoad)

/** Half of the cases on each: a start of all contestants takes most of the time. */
const databases: readonly { readonly on: On; readonly only: readonly string[]; readonly skip: string | false }[] = [
  { on: 'sqlite', only: ['get', 'create64', 'delete'], skip: false },
  { on: 'postgresql', only: ['list', 'create1', 'change64', 'health'], skip: noPostgres },
]

for (const { on, only, skip } of databases) {
  describe(`the comparison on ${on}`, { skip }, () => {
    const suite = cleanupOf(after)
    const answers = new Map<string, readonly Answer[]>()
    const bytes = new Map<string, number>()
    let result: Contest | null = null

    before(async () => {
      const options = { on, seconds: 0.05, warmUpSeconds: 0.01, repeat: 1, rows: 64, only, against: null, json: true }
      result = await contest(suite, options, async (t, name, url) => {
        const one = await enter(t, name, url)
        answers.set(name, await answersOf(one))
        bytes.set(name, await writtenBytes(one))
        return one
      })
    })

    test('all contestants answer the same to each request that is measured', () => {
      const expected = answers.get(names[0]) ?? []
      assert.deepEqual(
        expected.map(({ status }) => status),
        [201, 200, 200, 200, 422, 422, 200, 204, 404, 404],
      )
      for (const name of names) assert.deepEqual(answers.get(name), expected, name)
    })

    test('only the contestant with its log on writes a line for each request', () => {
      const [off = 0, on = 0] = ['holdfast', 'holdfast, log on'].map((name) => bytes.get(name))
      assert.ok(on - off > 100 && on - off < 1_000, `${on} and ${off} bytes for each request`)
    })

    test('gives rates, latencies, processor times, ratios and verdicts of each contestant in each case', () => {
      assert.ok(result !== null)
      assert.deepEqual(
        result.cases.map(({ name }) => name),
        only,
      )
      for (const { name, contestants, verdicts } of result.cases) {
        assert.deepEqual(
          contestants.map((one) => one.name),
          names,
        )
        for (const { perSecond, p50Ms, p99Ms, cpuUs, ratio, ratios } of contestants) {
          for (const { least, median, most } of [perSecond, p50Ms, p99Ms, cpuUs, ratio]) {
            assert.ok(least > 0 && least <= median && median <= most, `${name}: ${least}, ${median}, ${most}`)
          }
          assert.equal(ratios.length, 1)
        }
        const goals = cases.find((one) => one.name === name)?.goals
        assert.equal(verdicts.length > 0, goals !== null, name)
      }
      assert.deepEqual(
        result.memory.map(({ idleMb, loadedMb }) => idleMb.median > 10 && loadedMb.median > 10),
        names.map(() => true),
      )
      const text = showContest(result)
      for (const name of [...names, ...only]) assert.ok(text.includes(name), name)
    })
  })
}

/** What a process writes to files, pipes and sockets for each request. */
async function writtenBytes({ port, running: { pid } }: Contestant): Promise<number> {
  const written = () => Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1])
  const before = written()
  const run = {
    port,
    connections: 4,
    seconds: 10,
    count: 200,
    method: 'GET',
    paths: [`${collectionPath}?limit=1`],
  } as const
  assert.equal((await load(run)).failures, 0)
  return (written() - before) / run.count
}

interface Answer {
  readonly status: number
  readonly body: unknown
}

/** The answers to one request of each kind, without what differs between two runs of the same server. */
async function answersOf({ port }: Contestant): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  const ids = new Map<string, string>()
  const ask = async (method: string, path: string, body?: string) => {
    const init = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body }
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...init })
    const text = await answer.text()
    const value: unknown = text === '' ? null : JSON.parse(text)
    // Errors have texts of their own; what counts is that they are errors.
    answers.push({ status: answer.status, body: answer.ok ? plain(value, ids) : null })
    const { status, headers } = answer
    if (answer.ok && status !== 204 && path !== collectionPath) assert.match(headers.get('etag') ?? '', /^"[^"]+"$/)
    return { value, location: headers.get('location') }
  }
  const created = await ask('POST', collectionPath, newRow)
  const { id } = created.value as { id: string } // A row, or the next line fails.
  const location = `${collectionPath}/${id}`
  assert.equal(created.location, location)
  await ask('GET', location)
  await ask('PATCH', location, JSON.stringify({ rating: 2, comment: null }))
  await ask('GET', location)
  await ask('POST', collectionPath, JSON.stringify({ rating: '4' }))
  await ask('PATCH', location, JSON.stringify({ rating: null }))
  await ask('GET', collectionPath)
  await ask('DELETE', location)
  await ask('DELETE', location)
  await ask('GET', location)
  return answers
}

/** The value with ids and times by the order in which they came. */
function plain(value: unknown, ids: Map<string, string>): unknown {
  if (Array.isArray(value)) return value.map((one) => plain(one, ids))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner, ids)]))
  }
  if (typeof value !== 'string' || !/^[0-9a-f]{8}-[0-9a-f-]{27}$|^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/.test(value))
    return value
  const known = ids.get(value) ?? `${value.endsWith('Z') ? 'time' : 'id'} ${ids.size}`
  ids.set(value, known)
  return known
}
