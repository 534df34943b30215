import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { adminCaller } from '../../../src/collection/access/caller.ts'
import { visibleFields } from '../../../src/collection/access/visible-fields.ts'
import { parseAggregateAddress } from '../../../src/collection/query/aggregate-request.ts'
import { parseListBody } from '../../../src/collection/query/list-request.ts'
import fc from '../../support/property.ts'
import { cleanupOf } from '../../support/temp.ts'
import type { House } from '../support.ts'
import { aggregate, Model, sort, things, type Write, where, writes } from './history.ts'
import { openHouses } from './stores.ts'

const of = { collection: things, asked: visibleFields(things, adminCaller).asked }
const fields = ['id', ...Object.keys(things.fields)].join()

function idOf(at: number): string {
  return `${String(at % 7).padStart(8, '0')}-0000-4000-8000-${String(at).padStart(12, '0')}`
}

describe('the same history in every database and in memory', () => {
  const t = cleanupOf(after)
  let houses: ReadonlyMap<string, House>
  let made = 0

  before(async () => {
    houses = (await openHouses(t, [things])).all
  })

  /** The answers of all databases, which must be one. */
  async function ask(what: string, answer: (house: House) => Promise<string>): Promise<string> {
    const answers = new Map<string, string>()
    for (const [name, house] of houses) {
      answers.set(
        name,
        await answer(house).catch(
          (error: unknown) =>
            `${name} ${Reflect.get(Object(error), 'code')}: ${String(error)} ${String(Reflect.get(Object(error), 'cause'))}`,
        ),
      )
    }
    const [first = '', ...others] = answers.values()
    if (others.some((other) => other !== first))
      assert.fail(`${what}\n${[...answers].map((one) => one.join(': ')).join('\n')}`)
    return first
  }

  async function begin(history: readonly Write[]): Promise<Model> {
    const model = new Model()
    for (const house of houses.values()) {
      const { statements } = await house.store()
      await statements.write('delete from things', [])
    }
    for (const write of history) {
      const id =
        write.is === 'create' ? idOf(made++) : (model.ids[write.row % Math.max(1, model.ids.length)] ?? idOf(0))
      if (write.is === 'create') model.create(id, write.body)
      else if (write.is === 'change') model.change(id, write.body)
      else model.remove(id)
      for (const house of houses.values()) {
        const rows = house.rows('things')
        if (write.is === 'create') await rows.create({ ...write.body, id })
        else if (write.is === 'change') await rows.change(id, write.body, null)
        else await rows.remove(id, null)
      }
    }
    return model
  }

  async function page(house: House, body: object): Promise<string> {
    const { query } = parseListBody(of, { fields, ...body }, { accepted: 'json', others: () => undefined })
    return (await house.all.get('things')?.lists.page(query))?.value.text ?? ''
  }

  it('gives the rows that the evaluator finds, in one order and one text, each of them once by "next"', async () => {
    const queries = fc.array(fc.record({ where, sort, limit: fc.integer({ min: 1, max: 5 }) }), {
      minLength: 6,
      maxLength: 10,
    })
    await fc.assert(
      fc.asyncProperty(writes, queries, async (history, asked) => {
        const model = await begin(history)
        for (const one of asked) {
          const what = JSON.stringify(one)
          const { query } = parseListBody(of, one, { accepted: 'json', others: () => undefined })
          const expected = model.list(query)
          const seen: unknown[] = []
          let next: string | null = null
          do {
            const text: string = await ask(what, (house) =>
              page(house, next === null ? { ...one, count: true } : { ...one, cursor: next }),
            )
            const answer: { items: unknown[]; next: string | null; count?: number } = JSON.parse(text)
            if (next === null) assert.equal(answer.count, expected.length, what)
            seen.push(...answer.items)
            next = answer.next
          } while (next !== null && seen.length <= expected.length)
          if (!isDeepStrictEqual(seen, expected)) assert.deepEqual({ what, seen }, { what, seen: expected })
          const { sort: _order, ...unsorted } = one
          const counts = await Promise.all(
            [{}, unsorted, { where: { NOT: one.where } }].map(
              async (body) =>
                JSON.parse(await ask(what, (house) => page(house, { ...body, limit: 1, count: true }))).count,
            ),
          )
          assert.equal(counts[1] + counts[2], counts[0], `${what}: a filter and its complement are all rows`)
        }
      }),
      { numRuns: 25 },
    )
  })

  it('gives the same aggregates', async () => {
    const queries = fc.array(fc.tuple(aggregate, fc.option(where)), { minLength: 6, maxLength: 10 })
    await fc.assert(
      fc.asyncProperty(writes, queries, async (history, asked) => {
        const model = await begin(history)
        for (const [search, filter] of asked) {
          const what = filter === null ? search : `${search}&${new URLSearchParams({ where: JSON.stringify(filter) })}`
          const query = parseAggregateAddress(of, what)
          const expected = model.aggregate(query)
          const isInexact = JSON.stringify(expected).includes('SUM_INEXACT')
          const text = await ask(what, async (house) => {
            const computing = house.all.get('things')?.aggregates.compute(query)
            if (isInexact) await assert.rejects(computing ?? Promise.resolve(), { code: 'SUM_INEXACT' })
            return isInexact ? '{"items":[]}' : ((await computing)?.value ?? '')
          })
          if (!isInexact) assertClose(JSON.parse(text).items, expected, what)
        }
      }),
      { numRuns: 25 },
    )
  })
})

/** Averages are doubles, which the model rounds otherwise. */
function assertClose(actual: unknown, expected: unknown, what: string): void {
  const rounded = (answer: unknown): unknown =>
    JSON.parse(JSON.stringify(answer), (name, value) =>
      typeof value === 'number' && name.endsWith(':avg') ? value.toPrecision(9) : value,
    )
  if (!isDeepStrictEqual(rounded(actual), rounded(expected)))
    assert.deepEqual({ what, actual }, { what, actual: expected })
}
