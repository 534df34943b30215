import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { publicCaller } from '../../../src/collection/access/caller.ts'
import { visibleFields } from '../../../src/collection/access/visible-fields.ts'
import { Aggregates } from '../../../src/collection/ask/aggregates.ts'
import { Lists } from '../../../src/collection/ask/lists.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { parseAggregateAddress } from '../../../src/collection/query/aggregate-request.ts'
import { parseListAddress } from '../../../src/collection/query/list-request.ts'
import { Rows } from '../../../src/collection/row/rows.ts'
import type { RowRequest } from '../../../src/collection/row/table-access.ts'
import { entityOf } from '../../../src/collection/table/entity.ts'
import { ensureTables, TableReports } from '../../../src/collection/table/tables.ts'
import type { Store } from '../../../src/database/store/store.ts'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import { rigOf } from '../../database/rig.ts'
import { ScriptedCopy, wholeState } from '../../support/scripted-copy.ts'
import { ScriptedJournal } from '../../support/scripted-journal.ts'
import { makeTempDir } from '../../support/temp.ts'
import { openHouse } from '../support.ts'

const people: Collection = {
  name: 'people',
  fields: {
    name: { type: 'string', maxLength: 20, index: true },
    boss: { type: 'string', format: 'uuid', references: 'people' },
  },
}

const seen = visibleFields(people, publicCaller)

function queryOf(search: string) {
  const of = { collection: people, asked: seen.asked }
  return parseListAddress(of, search, { accepted: 'json', others: () => of }).query
}

/** A fallback that serves; with a whole copy or without one. */
async function setUp(t: TestContext, isWhole: boolean) {
  const tables = new TableReports()
  const prepare = async (store: Store): Promise<void> =>
    tables.set(store, await ensureTables(store, [people], 'additive', AbortSignal.timeout(5_000)))
  const rig = rigOf({ steps: { ...emptySteps, prepare }, entities: [entityOf(people)] })
  t.after(() => rig.supervisor.close(1_000))
  const [journal, copy] = [new ScriptedJournal(), new ScriptedCopy()]
  journal.identity = 'identity'
  if (isWhole)
    copy.states = new Map([
      ['people', wholeState(Date.now(), 'ffffffff-ffff-7000-8000-000000000000', Object.keys(people.fields))],
    ])
  rig.fallback.engine = { journal: () => journal, copy: () => copy }
  rig.primary.script = ['auth']
  assert.equal((await rig.supervisor.serving()).shown, 'fallback')
  const rows = new Rows(people, { run: rig.work.run, tables, now: () => 0, copyTarget: () => 'primary-db' })
  return { rows, lists: new Lists(rows, () => rows.access), aggregates: new Aggregates(rows.access) }
}

async function fill(rows: Rows): Promise<void> {
  const { value } = await rows.create({ name: 'ann' })
  for (const name of ['bob', 'cid']) await rows.create({ name, boss: value.id })
}

const aggregate = parseAggregateAddress({ collection: people, asked: seen.asked }, '')
const part = (lists: Lists, search: string) =>
  lists.part(queryOf(search), { after: null, rows: 10 }, (_asked, _row, text) => text())

describe('on a fallback', () => {
  it('without a whole copy, filters and sorts say that they are partial, and what needs all rows is refused', async (t) => {
    const { rows, lists, aggregates } = await setUp(t, false)
    await fill(rows)
    const { items, partial } = JSON.parse((await lists.page(queryOf('name:gte=b&sort=name'))).value.text)
    assert.deepEqual([items.map(({ name }: { name: string }) => name), partial], [['bob', 'cid'], true])
    const incomplete = { code: 'INCOMPLETE', status: 503 }
    for (const search of ['count=true', 'count=exact', 'expand=boss']) {
      await assert.rejects(lists.page(queryOf(search)), incomplete, search)
    }
    await assert.rejects(part(lists, 'format=ndjson'), incomplete)
    await assert.rejects(part(lists, 'format=csv&limit=1'), incomplete)
    await assert.rejects(aggregates.compute(aggregate), incomplete)
  })

  it('with one, everything is answered as on the primary', async (t) => {
    const { rows, lists, aggregates } = await setUp(t, true)
    await fill(rows)
    const page = JSON.parse((await lists.page(queryOf('sort=-name&count=true&expand=boss'))).value.text)
    assert.deepEqual(
      page.items.map(({ name, expand }: { name: string; expand: { boss: { name: string } | null } }) => [
        name,
        expand.boss?.name,
      ]),
      [
        ['cid', 'ann'],
        ['bob', 'ann'],
        ['ann', undefined],
      ],
    )
    assert.deepEqual([page.count, page.partial], [3, undefined])
    assert.equal((await part(lists, 'format=ndjson')).value.items.length, 3)
    assert.equal((await aggregates.compute(aggregate)).value, '{"items":[{"count":3}],"isMore":false}')
  })
})

it('a filtered page is kept for those who ask the same by the same rule, until something changes', async (t) => {
  const house = openHouse(t, await makeTempDir(t), [people], { keptBytes: 1_000_000 })
  const rows = house.rows('people')
  await fill(rows)
  const { statements } = await house.store()
  const read = t.mock.method(statements, 'read')
  const lists = house.all.get('people')?.lists
  const names = async (search: string, request: RowRequest = {}): Promise<unknown> =>
    JSON.parse((await lists?.page(queryOf(search), request))?.value.text ?? '').items.map(
      ({ name }: { name: string }) => name,
    )
  const rule = queryOf('name:ne=bob').filter
  const granted = { caller: publicCaller, rule, fields: seen }
  for (let time = 0; time < 3; time++) {
    assert.deepEqual(await names('name:gte=b&sort=name'), ['bob', 'cid'])
    assert.deepEqual(await names('name:gte=b&sort=name', { granted }), ['cid'])
    assert.deepEqual(await names('name:gte=c&sort=name'), ['cid'])
    assert.deepEqual(await names('name:gte=b&sort=name&limit=1'), ['bob'])
  }
  const before = read.mock.callCount()
  assert.deepEqual(await names('name:gte=b&sort=name'), ['bob', 'cid'])
  assert.equal(read.mock.callCount(), before, 'nothing was read again')
  await rows.create({ name: 'bea' })
  assert.deepEqual(await names('name:gte=b&sort=name'), ['bea', 'bob', 'cid'])
})
