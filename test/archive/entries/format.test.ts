import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  lineOf,
  namedEntries,
  packAddress,
  packEntries,
  readEntries,
  readEntriesAddress,
} from '../../../src/archive/entries/format.ts'
import type { Entry } from '../../../src/driver/facet/journal.ts'
import { entryOf } from './support.ts'

const process = '0190a1b2-0000-7000-8000-00000000000a'
const from = { process, file: 'file', at: new Date(1_700_000_000_000) }

const odd: readonly Entry[] = [
  entryOf(7, {
    new: { id: 'a', word: 'it\'s "quoted"\n\u2028\ud800 \u{1f600} \u0000', whole: '9007199254740993', none: null },
  }),
  entryOf(9, { operation: 'delete', base: 'before', old: { __proto__name: '1' }, new: null }),
]

function packed(entries: readonly Entry[] = odd) {
  return packEntries(from, { identity: null, label: null, entries }, entries.map(lineOf))
}

function named(key: string) {
  return namedEntries(key) ?? assert.fail(`${key} is the name of entries`)
}

test('entries are read as they were written, whatever is in them', () => {
  const { key, body } = packed()
  assert.equal(key, `entries/${process}/000000000007-000000000009.jsonl`)
  const read = readEntries(named(key), body)
  assert.ok(read.is === 'read')
  assert.deepEqual(read.entries, odd)
  assert.deepEqual([read.head.file, read.head.identity, read.head.entries], ['file', null, 2])
  const lines = Buffer.from(body).toString().trimEnd().split('\n')
  assert.equal(lines.length, 3, 'each line is JSON of its own')
  for (const line of lines) JSON.parse(line)
})

test('an object that was altered, cut or put under another name is damaged', () => {
  const { key, body } = packed()
  for (let at = 0; at < body.byteLength; at += 1) {
    const altered = Buffer.from(body)
    altered[at] = (altered[at] ?? 0) ^ 1
    assert.notEqual(readEntries(named(key), altered).is, 'read', `byte ${at}`)
  }
  for (const length of [0, 1, 40, body.byteLength - 1]) {
    assert.equal(readEntries(named(key), body.subarray(0, length)).is, 'damaged', `${length} bytes`)
  }
  const other = named(`entries/${process}/000000000001-000000000009.jsonl`)
  assert.equal(readEntries(other, body).is, 'damaged')
})

test('an object of a later release is told apart from a damaged one', () => {
  const { key } = packed()
  const later = Buffer.from(`${JSON.stringify({ format: 2, whatever: true })}\nmore\n`)
  assert.deepEqual(readEntries(named(key), later), { is: 'newer', format: 2 })
})

test('names that no process gives are no entries', () => {
  for (const key of [
    packAddress(process, 'one', null).key,
    'entries/x',
    'entries/x/1.jsonl',
    'segments/000000000001',
  ]) {
    assert.equal(namedEntries(key), null)
  }
})

test('the address of early entries is read as it was written', () => {
  assert.deepEqual(readEntriesAddress(packAddress(process, 'one', 'label').body), {
    format: 1,
    identity: 'one',
    label: 'label',
  })
  assert.equal(readEntriesAddress(Buffer.from('{"format":1}')), null)
  assert.equal(readEntriesAddress(Buffer.from('<html>')), null)
})
