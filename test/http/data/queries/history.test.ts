import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type DatabaseApi, localKinds, onDatabases } from '../../../support/databases.ts'
import fc from '../../../support/property.ts'
import { type Aggregate, type Command, command, ids, type Sort } from './history-commands.ts'
import { answered, HistoryModel, inexact, type ModelRow, things } from './history-model.ts'

const histories = 6
const length = { minLength: 30, maxLength: 30 }

onDatabases('a random history', { collections: [things], kinds: localKinds }, (api) => {
  it('is answered as a model in memory answers it: rows, order, pages, counts and sums', {
    timeout: 600_000,
  }, async () => {
    let found = 0
    await fc.assert(
      fc.asyncProperty(fc.array(command, length), async (commands) => {
        await Promise.all(ids.map((id) => api().call('DELETE', `/api/things/${id}`)))
        const history = new History(api(), new HistoryModel())
        for (const one of commands) await history.run(one)
        found += history.found
      }),
      { numRuns: histories },
    )
    assert.ok(found > histories * 20, `${found} rows were found`)
  })
})

/** Sends requests to a service, and the same to the model. */
class History {
  readonly #api: DatabaseApi
  readonly #model: HistoryModel
  found = 0

  constructor(api: DatabaseApi, model: HistoryModel) {
    this.#api = api
    this.#model = model
  }

  async run(one: Command): Promise<void> {
    switch (one.is) {
      case 'put':
        return this.#same(await this.#api.call('PUT', `/api/things/${one.id}`, { body: one.body }), this.#model.put(one.id, one.body)) // biome-ignore format: one line says it
      case 'patch':
        return this.#same(await this.#api.call('PATCH', `/api/things/${one.id}`, { body: one.body }), this.#model.patch(one.id, one.body)) // biome-ignore format: one line says it
      case 'putAll':
        return await this.#putAll(one.rows)
      case 'delete': {
        const { status } = await this.#api.call('DELETE', `/api/things/${one.id}`)
        return assert.equal(status, this.#model.remove(one.id) ? 204 : 404)
      }
      case 'deleteAll':
        return await this.#deleteAll(one.where, one.max)
      case 'walk':
        return await this.#walk(one.where, one.sort, one.limit)
      case 'page': {
        const query = { where: one.where, sort: sortText(one.sort), limit: one.limit, page: one.page, count: true }
        const { json } = await this.#query(query)
        const all = this.#model.list(one.where, one.sort)
        assert.equal(json.count, all.length)
        const others = await this.#query({ where: { NOT: one.where }, limit: 1, count: true })
        const counted = json.count + others.json.count
        assert.equal(counted, this.#model.list({}, []).length, 'a filter and its complement are all rows')
        return this.#sameItems(json.items, all.slice((one.page - 1) * one.limit, one.page * one.limit), query)
      }
      case 'aggregate':
        return await this.#aggregate(one.where, one.aggregate)
    }
  }

  async #putAll(rows: readonly { readonly id: string; readonly body: ModelRow }[]): Promise<void> {
    const body = rows.map((row) => ({ id: row.id, ...row.body }))
    const { status, text } = await this.#api.call('PUT', '/api/things', { body })
    assert.ok(status === 200 || status === 201, text)
    for (const row of rows) this.#model.put(row.id, row.body)
  }

  async #deleteAll(where: ModelRow, max: number): Promise<void> {
    const search = new URLSearchParams({ where: JSON.stringify(where), max: String(max) })
    const { status, text, json } = await this.#api.call('DELETE', `/api/things?${search}`)
    // What is in no list is no condition: all rows would go.
    if (Object.values(where).some(isOfNone)) return assert.deepEqual([status, json.code], [400, 'QUERY_INVALID'])
    const matching = this.#model.list(where, [])
    assert.equal(status < 300, matching.length <= max, `${text} ${JSON.stringify(where)}`)
    if (matching.length > max) return assert.equal(json.code, 'TOO_MANY')
    for (const row of matching) this.#model.remove(String(row.id))
  }

  /** By `next` to the end: each row once, as one list. */
  async #walk(where: ModelRow, sort: Sort, limit: number): Promise<void> {
    const query = { where, limit, ...(sort.length === 0 ? {} : { sort: sortText(sort) }) }
    const items: ModelRow[] = []
    let cursor: string | null = null
    do {
      const { json } = await this.#query(cursor === null ? query : { ...query, cursor })
      assert.ok(json.items.length <= limit)
      items.push(...json.items)
      assert.ok(items.length <= ids.length, `a walk has no end: ${JSON.stringify(query)}`)
      cursor = json.next
    } while (cursor !== null)
    this.found += items.length
    this.#sameItems(items, this.#model.list(where, sort), query)
  }

  async #aggregate(where: ModelRow, aggregate: Aggregate): Promise<void> {
    const { groups, measures, sort } = aggregate
    const search = new URLSearchParams({ where: JSON.stringify(where), select: measures.join(), limit: '1000' })
    if (groups.length > 0) search.set('group', groups.join())
    if (sort.length > 0) search.set('sort', sortText(sort))
    const { status, json, text } = await this.#api.call('GET', `/api/things/aggregate?${search}`)
    const expected = this.#model.aggregate(where, aggregate)
    if (expected.some((group) => Object.values(group).includes(inexact)))
      return assert.deepEqual([status, json.code], [422, inexact], `${search}`)
    assert.equal(status, 200, text)
    assert.deepEqual(json.items.map(rounded), expected.map(rounded), `${search}`)
  }

  /** As an address, or as a body. */
  async #query({ where, ...rest }: Readonly<Record<string, unknown>>) {
    const query = { ...rest, fields: answered.join() }
    const inAddress = new URLSearchParams({ where: JSON.stringify(where) })
    for (const [name, value] of Object.entries(query)) inAddress.set(name, String(value))
    const isShort = JSON.stringify(where).length % 2 === 0
    const answer = isShort
      ? await this.#api.call('GET', `/api/things?${inAddress}`)
      : await this.#api.call('POST', '/api/things/query', { body: { where, ...query } })
    assert.equal(answer.status, 200, `${answer.text} ${JSON.stringify({ where, ...query })}`)
    return answer
  }

  #sameItems(items: readonly ModelRow[], expected: readonly ModelRow[], query: unknown): void {
    // Text: the order of members is part of an answer.
    assert.deepEqual(items.map(textOf), expected.map(textOf), JSON.stringify(query))
  }

  #same({ status, json, text }: Awaited<ReturnType<DatabaseApi['call']>>, expected: ModelRow | null): void {
    assert.ok(expected === null ? status === 404 : status === 200 || status === 201, text)
    if (expected === null) return
    const { createdAt: _created, updatedAt: _updated, ...row } = json
    assert.equal(textOf(row), textOf(expected))
  }
}

function isOfNone(operands: unknown): boolean {
  return JSON.stringify(operands) === '{"nin":[]}'
}

function textOf(row: ModelRow): string {
  return JSON.stringify(row)
}

function sortText(sort: Sort): string {
  return sort.length === 0 ? '-id' : sort.map(({ field, isDescending }) => (isDescending ? `-${field}` : field)).join()
}

/** Quotients differ in their last digits. */
function rounded(row: ModelRow): ModelRow {
  const entries = Object.entries(row).map(([name, value]) => [name, name.endsWith(':avg') && value !== null ? Number(Number(value).toPrecision(9)) : value]) // biome-ignore format: one line says it
  return Object.fromEntries(entries)
}
