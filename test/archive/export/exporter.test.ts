import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ExportedTable, exportTables, lastExport } from '../../../src/archive/export/exporter.ts'
import { MemoryTarget } from '../../support/memory-target.ts'

const { signal } = new AbortController()
const at = new Date('2026-11-28T12:00:00.000Z')
const options = { at, source: 'file', signal }

function tableOf(name: string, rows: readonly string[], some = 3): ExportedTable {
  return {
    name,
    async *lines() {
      for (let from = 0; from < rows.length; from += some) yield rows.slice(from, from + some).map((row) => `${row}\n`)
    },
  }
}

function rowsOf(count: number, length: number): readonly string[] {
  return Array.from({ length: count }, (_, id) => JSON.stringify({ id, text: 'é'.repeat(length) }))
}

function textOf(target: MemoryTarget, name: string): string {
  const parts = target.keys(`tables/${name}/`)
  return parts.map((key) => Buffer.from(target.objects.get(key) ?? []).toString()).join('')
}

test('each table is in parts of at most 8 MiB, each of whole lines', async () => {
  const target = new MemoryTarget()
  const rows = rowsOf(100, 150_000)
  const summary = await exportTables(target, [tableOf('large', rows), tableOf('empty', [])], options)
  const parts = target.keys('tables/large/')
  assert.deepEqual(
    parts.map((key) => key.slice(-12)),
    ['00001.ndjson', '00002.ndjson', '00003.ndjson', '00004.ndjson'],
  )
  for (const key of parts) {
    const body = Buffer.from(target.objects.get(key) ?? [])
    assert.ok(body.byteLength <= 8 * 1_024 * 1_024)
    for (const line of body.toString().trimEnd().split('\n')) JSON.parse(line)
  }
  assert.equal(textOf(target, 'large'), `${rows.join('\n')}\n`)
  assert.deepEqual(target.keys('tables/empty/'), [])
  assert.deepEqual([summary.rows, summary.written, summary.collections], [100, 4, 2])
  assert.deepEqual(await lastExport(target, signal), at)
})

test('what has not changed is not written again, and what is no longer there is removed', async () => {
  const target = new MemoryTarget()
  const rows = rowsOf(100, 150_000)
  await exportTables(target, [tableOf('large', rows), tableOf('other', ['{}'])], options)
  target.objects.set('tables/notes.txt', Buffer.from('of a person'))
  target.requests.length = 0
  const summary = await exportTables(target, [tableOf('large', [...rows, '{"id":100}'])], options)
  assert.deepEqual([summary.written, summary.unchanged, summary.removed], [1, 3, 1])
  assert.deepEqual(
    target.requests.filter(({ method }) => method === 'put').map(({ key }) => key),
    ['tables/large/00004.ndjson', 'tables/export.json'],
  )
  assert.deepEqual(target.keys('tables/other/'), [])
  assert.ok(target.objects.has('tables/notes.txt'))
  await exportTables(target, [tableOf('large', rows.slice(0, 10))], options)
  assert.deepEqual(target.keys('tables/large/'), ['tables/large/00001.ndjson'])
})

test('what cannot be read now stays as it was exported', async () => {
  const target = new MemoryTarget()
  await exportTables(target, [tableOf('one', ['{"id":1}']), tableOf('two', ['{"id":2}'])], options)
  await exportTables(target, [tableOf('one', ['{"id":3}'])], { ...options, unavailable: ['two'] })
  assert.deepEqual([textOf(target, 'one'), textOf(target, 'two')], ['{"id":3}\n', '{"id":2}\n'])
  const again = await exportTables(target, [tableOf('two', ['{"id":2}'])], options)
  assert.deepEqual([again.unchanged, again.removed], [1, 1])
})

test('a part that somebody has changed or removed is written again', async () => {
  const target = new MemoryTarget()
  const tables = [tableOf('one', ['{"id":1}']), tableOf('two', ['{"id":2}'])]
  await exportTables(target, tables, options)
  target.objects.set('tables/one/00001.ndjson', Buffer.from('short'))
  target.objects.delete('tables/two/00001.ndjson')
  await exportTables(target, tables, options)
  assert.deepEqual([textOf(target, 'one'), textOf(target, 'two')], ['{"id":1}\n', '{"id":2}\n'])
})

test('an export that was interrupted leaves no part behind once the next one is done', async () => {
  const target = new MemoryTarget()
  const limit = new AbortController()
  target.after = ({ method }) => {
    if (method === 'put') limit.abort(new Error('on purpose'))
  }
  const large = tableOf('large', rowsOf(100, 150_000))
  await assert.rejects(exportTables(target, [large], { ...options, signal: limit.signal }), /on purpose/)
  assert.equal(target.keys('tables/large/').length, 1)
  assert.equal(await lastExport(target, signal), null)
  target.after = () => {}
  await exportTables(target, [tableOf('small', ['{}'])], options)
  assert.deepEqual(target.keys('tables/'), ['tables/export.json', 'tables/small/00001.ndjson'])
})

test('the prefix of another store is refused, and nothing is written there', async () => {
  const target = new MemoryTarget()
  const tables = [tableOf('one', ['{}'])]
  const root = { format: 1, archive: 'archive', store: 'other', madeAt: at.toISOString() }
  target.objects.set('archive.json', Buffer.from(JSON.stringify(root)))
  const before = target.keys()
  await assert.rejects(exportTables(target, tables, options), /the archive of another store \(other\)/)
  assert.deepEqual(target.keys(), before)
  const lineage = {
    format: 1,
    lineage: 'lineage',
    store: 'file',
    number: 4,
    why: 'empty-start',
    madeAt: at.toISOString(),
  }
  target.objects.set('lineages/lineage.json', Buffer.from(JSON.stringify(lineage)))
  await exportTables(target, tables, options)
  const exported = target.keys()
  await assert.rejects(
    exportTables(target, tables, { ...options, source: 'third' }),
    /the export of another store \(file\)/,
  )
  assert.deepEqual(target.keys(), exported)
})

test('a record that cannot be read is replaced', async () => {
  const target = new MemoryTarget()
  for (const text of ['', '<html>', '{"format":1}', '{"format":1,"at":"x","tables":{}}', 'null']) {
    target.objects.set('tables/export.json', Buffer.from(text))
    assert.equal(await lastExport(target, signal), null)
    await exportTables(target, [tableOf('one', ['{}'])], options)
    assert.deepEqual(await lastExport(target, signal), at)
  }
})
