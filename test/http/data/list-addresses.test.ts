import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminCaller, publicCaller } from '../../../src/collection/access/caller.ts'
import { visibleFields } from '../../../src/collection/access/visible-fields.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import type { ListReading } from '../../../src/collection/query/list-request.ts'
import { readListAddress } from '../../../src/http/data/list-addresses.ts'

const things: Collection = {
  name: 'things',
  fields: { rank: { type: 'integer' }, secret: { type: 'string', private: true } },
}
const reading: ListReading = { accepted: 'json', others: () => undefined }
const asAdmin = { collection: things, asked: visibleFields(things, adminCaller).asked }
const asPublic = { collection: things, asked: visibleFields(things, publicCaller).asked }

test('an address is read once, for each kind of caller and each format', () => {
  const first = readListAddress(asPublic, '?rank:gte=4', reading)
  assert.equal(readListAddress(asPublic, '?rank:gte=4', reading), first)
  assert.notEqual(readListAddress(asAdmin, '?rank:gte=4', reading), first)
  assert.equal(readListAddress(asPublic, '?rank:gte=4', { ...reading, accepted: 'csv' }).format, 'csv')
})

test('a name that the admin may ask for stays unknown to others, whoever asked first', () => {
  assert.notEqual(readListAddress(asAdmin, '?secret=x', reading).query.filter, null)
  for (let tries = 0; tries < 2; tries++) {
    assert.throws(() => readListAddress(asPublic, '?secret=x', reading), { code: 'QUERY_INVALID' })
  }
})

test('the number of kept addresses is limited', () => {
  const first = readListAddress(asPublic, '?rank=0', reading)
  for (let rank = 1; rank <= 300; rank++) readListAddress(asPublic, `?rank=${rank}`, reading)
  assert.notEqual(readListAddress(asPublic, '?rank=0', reading), first)
})
