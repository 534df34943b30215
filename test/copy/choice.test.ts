import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseTables, type SizedTable } from '../../src/copy/choice.ts'
import { CopyRig, idAt, rowOf, startMs, wantedOf } from './scripted.ts'

const table = (name: string, bytes: number, more: Partial<SizedTable> = {}): SizedTable => {
  return { name, bytes, isAlways: false, isCopied: false, ...more }
}
const chosen = (tables: readonly SizedTable[], maxBytes: number) => [...chooseTables(tables, maxBytes).chosen].sort()

test('all tables are copied while they fit together; the largest are left out first', () => {
  const tables = [table('a', 10), table('b', 50), table('c', 40)]
  assert.deepEqual(chosen(tables, 100), ['a', 'b', 'c'])
  assert.deepEqual(chosen(tables, 99), ['a', 'c'])
  assert.deepEqual(chosen(tables, 49), ['a'])
  assert.deepEqual(chosen(tables, 0), [])
  const { left, sum } = chooseTables(tables, 49)
  assert.deepEqual(left, [
    { name: 'b', bytes: 50 },
    { name: 'c', bytes: 40 },
  ])
  assert.equal(sum, 100)
})

test('a table that is to be copied in any case counts for nothing', () => {
  const tables = [table('a', 10), table('huge', 1_000, { isAlways: true })]
  assert.deepEqual(chosen(tables, 10), ['a', 'huge'])
  assert.deepEqual(chosen(tables, 9), ['huge'])
})

test('a table that is copied stays at the limit; another one must leave some room', () => {
  const tables = [table('a', 50, { isCopied: true }), table('b', 50)]
  assert.deepEqual(chosen(tables, 100), ['a'])
  assert.deepEqual(chosen(tables, 105), ['a', 'b'])
})

const size = (bytes: number, columns = ['id', 'text', 'version']) => ({ rows: 1, bytes, columns })

test('what is too large is named with figures once, and taken up within an hour after the limit or the size has changed', async () => {
  const rig = new CopyRig()
  rig.wanted = [wantedOf('notes'), wantedOf('logs')]
  rig.feed.put('notes', rowOf(idAt(startMs, 1), 'a'))
  rig.feed.sizes.set('logs', size(3_000_000))
  rig.start()
  await rig.use(2_000)
  assert.equal(rig.copy.state('logs'), null)
  const [problem] = rig.copier.problems
  assert.deepEqual([problem?.code, problem?.severity], ['COPY_TOO_LARGE', 'info'])
  assert.match(problem?.message ?? '', /take 2\.9 MiB, and COPY_MAX_BYTES is 1000000 B: not copied: logs \(2\.9 MiB\)/)
  assert.equal(rig.copier.leftOut('logs')?.bytes, 3_000_000)
  assert.equal(rig.of('copy.problem').length, 1)
  await rig.clock.advance(3_700_000)
  await rig.use(2_000)
  assert.equal(rig.of('copy.problem').length, 1)
  rig.settings = { ...rig.settings, maxBytes: 10_000_000 }
  await rig.use(3_000)
  assert.notEqual(rig.copy.state('logs'), null)
  assert.deepEqual(rig.copier.problems, [])
})

test('a copy that outgrows the limit, whatever the server says of its size, is dropped and not begun again', async () => {
  const rig = new CopyRig()
  rig.settings = { ...rig.settings, maxBytes: 1_000 }
  rig.wanted = [wantedOf('notes'), wantedOf('logs')]
  rig.feed.put('notes', rowOf(idAt(startMs, 1), 'a'))
  for (let at = 0; at < 100; at += 1) rig.feed.put('logs', rowOf(idAt(startMs, at), 'x'.repeat(20)))
  rig.start()
  await rig.use(10_000)
  assert.equal(rig.copy.state('logs'), null)
  assert.notEqual(rig.copy.state('notes'), null)
  rig.copy.take()
  await rig.clock.advance(3_700_000)
  await rig.use(2_000)
  await rig.clock.advance(3_700_000)
  await rig.use(2_000)
  assert.ok(rig.copy.take().every((call) => !call.startsWith('apply logs')))
})

test('columns that the declaration lacks are left out and named once', async () => {
  const rig = new CopyRig()
  rig.feed.sizes.set('notes', size(1, ['id', 'text', 'version', 'mood', 'weather']))
  rig.start()
  await rig.use(5_000)
  const [problem] = rig.copier.problems
  assert.deepEqual([problem?.code, problem?.severity, problem?.setting], ['COPY_COLUMN_LEFT_OUT', 'info', 'notes'])
  assert.match(problem?.message ?? '', /"mood", "weather"/)
  assert.equal(rig.of('copy.problem').length, 1)
})

test('rows that the declaration refuses are copied as they are, and one is named', async () => {
  const rig = new CopyRig()
  let compared = 0
  const misfit = (image: Readonly<Record<string, string | null>>) => {
    compared += 1
    return image.text?.startsWith('bad') === true ? '"text" is bad' : null
  }
  rig.wanted = [wantedOf('notes', { misfit })]
  for (let at = 0; at < 100; at += 1) rig.feed.put('notes', rowOf(idAt(startMs, at), at < 50 ? 'good' : `bad ${at}`))
  rig.start()
  await rig.use(5_000)
  assert.equal(rig.copy.textOf('notes', idAt(startMs, 60)), 'bad 60')
  const [problem, ...more] = rig.copier.problems
  assert.deepEqual(more, [])
  assert.deepEqual([problem?.code, problem?.severity], ['COPY_ROW_UNFIT', 'info'])
  assert.match(problem?.message ?? '', new RegExp(`${idAt(startMs, 50)}: "text" is bad`))
  assert.equal(compared, 51)
})

test('a row that the file cannot hold is named until it is gone, next to one that the declaration refuses', async () => {
  const rig = new CopyRig()
  rig.wanted = [wantedOf('notes', { misfit: () => '"text" is bad' })]
  const bad = idAt(startMs, 7)
  rig.copy.refusing.add(bad)
  for (let at = 0; at < 10; at += 1) rig.feed.put('notes', rowOf(idAt(startMs, at), `text ${at}`))
  rig.start()
  await rig.use(5_000)
  assert.deepEqual(rig.copier.problems.map(({ code }) => code).sort(), ['COPY_ROW_REFUSED', 'COPY_ROW_UNFIT'])
  const refused = rig.copier.problems.find(({ code }) => code === 'COPY_ROW_REFUSED')
  assert.match(refused?.message ?? '', new RegExp(`row ${bad} of table "notes" .*: it is too long`))
  rig.copy.refusing.clear()
  await rig.use(60_000)
  assert.deepEqual(
    rig.copier.problems.map(({ code }) => code),
    ['COPY_ROW_UNFIT'],
  )
})

test('a table that the primary does not have is not copied', async () => {
  const rig = new CopyRig()
  rig.wanted = [wantedOf('notes'), wantedOf('logs')]
  rig.feed.sizes.set('logs', null)
  rig.start()
  await rig.use(2_000)
  assert.equal(rig.copy.state('logs'), null)
  assert.notEqual(rig.copy.state('notes'), null)
})

test('a look at many rows ends where the disk has no more room, not behind its last row', async () => {
  const rig = new CopyRig()
  rig.wanted = [wantedOf('notes')]
  rig.feed.put('notes', rowOf(idAt(startMs, 0), 'first'))
  rig.start()
  await rig.use(5_000)
  const count = () => rig.copy.tables.get('notes')?.rows.size ?? 0
  rig.copy.hasRoom = () => count() < 500
  for (let at = 1; at <= 3_000; at += 1) rig.feed.put('notes', rowOf(idAt(startMs, at), `text ${at}`))
  await rig.use(20_000)
  assert.ok(count() > 500 && count() <= 1_500, `${count()} rows`)
})
