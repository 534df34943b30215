import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wholeCopyOf } from '../../src/copy/whole-copy.ts'
import { FaultError } from '../../src/driver/fault.ts'
import { faultLike } from '../support/scripted-driver.ts'
import { CopyRig, idAt, rowOf, startMs, wantedOf } from './scripted.ts'

const old = startMs - 3_600_000
const id = idAt(old, 1)
const whole = (rig: CopyRig) => wholeCopyOf(rig.pair.fallback, 'notes', 'here')

async function copied(): Promise<CopyRig> {
  const rig = new CopyRig()
  rig.feed.put('notes', rowOf(id, 'first'), rowOf(idAt(old, 2), 'second'))
  rig.start()
  await rig.use(2_000)
  rig.feed.take()
  rig.copy.take()
  return rig
}

/** The primary has written the row, and the data API is about to answer. */
function write(rig: CopyRig, key: string, text: string, counter = 2, version: string | null = text): void {
  const image = { id: key, text, version: String(counter) }
  rig.feed.put('notes', { key, version: version ?? text, image })
  rig.copier.sink.wrote(rig.pair.primary, 'notes', key, () => image, version)
}

function remove(rig: CopyRig, key: string): void {
  rig.feed.of('notes').delete(key)
  rig.copier.sink.removed(rig.pair.primary, 'notes', key)
}

test('writes are in the copy within 20 ms after the answer, all of that time in one change', async () => {
  const rig = await copied()
  write(rig, id, 'changed')
  write(rig, idAt(old, 3), 'third')
  remove(rig, idAt(old, 2))
  assert.deepEqual(rig.copy.take(), [])
  await rig.clock.advance(20)
  assert.deepEqual(rig.copy.take(), ['apply notes 2 1'])
  assert.equal(rig.copy.textOf('notes', id), 'changed')
  assert.equal(rig.copy.textOf('notes', idAt(old, 2)), undefined)
  rig.feed.take()
  await rig.use(5_000)
  // The sweep finds nothing to fetch: the versions are those of the server.
  assert.deepEqual([...new Set(rig.feed.take())].sort(), ['digest notes', 'position'])
})

test('writes that are answered while a change is under way share the next one', async () => {
  const rig = await copied()
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  rig.copy.before = (call) => (call.startsWith('apply ') ? gate : undefined)
  write(rig, id, 'changed')
  await rig.clock.advance(20)
  write(rig, idAt(old, 3), 'third')
  open()
  await rig.clock.advance(10)
  write(rig, idAt(old, 4), 'fourth')
  assert.deepEqual(rig.copy.take(), ['apply notes 1 0'])
  await rig.clock.advance(10)
  assert.deepEqual(rig.copy.take(), ['apply notes 2 0'])
})

test('before anything is read from the fallback, what waits is there', async () => {
  const rig = await copied()
  write(rig, id, 'changed')
  rig.lose()
  assert.deepEqual(rig.copy.take(), ['applyNow notes 1 0'])
  assert.equal(rig.copy.textOf('notes', id), 'changed')
  await rig.clock.advance(1_000)
  assert.deepEqual(rig.copy.take(), [])
})

test('also what is on its way into the file at that moment', async () => {
  const rig = await copied()
  rig.copy.before = (call) => (call.startsWith('apply ') ? new Promise<void>(() => {}) : undefined)
  write(rig, id, 'changed')
  await rig.clock.advance(20)
  assert.equal(rig.copy.textOf('notes', id), 'first')
  rig.lose()
  assert.equal(rig.copy.textOf('notes', id), 'changed')
})

test('an answer of the primary that comes after the fallback took over is in the copy before it is sent', async () => {
  const rig = await copied()
  rig.lose()
  write(rig, id, 'late')
  assert.equal(rig.copy.textOf('notes', id), 'late')
  remove(rig, id)
  assert.equal(rig.copy.textOf('notes', id), undefined)
  assert.ok(whole(rig))
})

test('answers come in any order: the newer row stays, and a removed one does not come back', async () => {
  const rig = await copied()
  write(rig, id, 'newer', 3)
  write(rig, id, 'older', 2)
  await rig.clock.advance(20)
  assert.equal(rig.copy.textOf('notes', id), 'newer')
  write(rig, id, 'late', 2)
  await rig.clock.advance(20)
  assert.equal(rig.copy.textOf('notes', id), 'newer')
  remove(rig, id)
  await rig.clock.advance(20)
  rig.copier.sink.wrote(rig.pair.primary, 'notes', id, () => ({ id, text: 'newer', version: '3' }), 'newer')
  await rig.clock.advance(20)
  assert.equal(rig.copy.textOf('notes', id), undefined)
})

test('what a look has read before a write does not replace it', async () => {
  const rig = await copied()
  const { promise, resolve } = Promise.withResolvers<void>()
  rig.feed.put('notes', rowOf(id, 'read'))
  rig.copy.before = (call) => (call === 'apply notes 1 0' ? promise : undefined)
  await rig.use(2_000)
  rig.copy.before = () => {}
  write(rig, id, 'written')
  await rig.clock.advance(20)
  resolve()
  await rig.clock.advance(10)
  assert.equal(rig.copy.textOf('notes', id), 'written')
})

test('a row that was created after a look had read the keys is not removed by it', async () => {
  const rig = await copied()
  const { promise, resolve } = Promise.withResolvers<void>()
  const made = idAt(old, 3)
  rig.feed.put('notes', rowOf(id, 'changed'))
  rig.feed.onTheWay = () => promise
  await rig.use(2_000)
  write(rig, made, 'made')
  await rig.clock.advance(20)
  assert.equal(rig.copy.textOf('notes', made), 'made')
  let removed = 0
  rig.copy.before = (call) => {
    if (call === 'apply notes 0 1') removed += 1
  }
  resolve()
  await rig.clock.advance(10)
  assert.equal(removed, 1, 'the look has missed it')
  assert.equal(rig.copy.textOf('notes', made), 'made')
})

test('a row that was written through before a first copy came to it, and removed by others since, does not stay', async () => {
  const rig = new CopyRig()
  for (let at = 0; at < 6_000; at += 1) rig.feed.put('notes', rowOf(idAt(old, at), 'a'))
  const { promise, resolve } = Promise.withResolvers<void>()
  let pages = 0
  rig.feed.before = (call) => {
    if (call === 'page notes') pages += 1
    return call === 'page notes' && pages === 2 ? promise : undefined
  }
  rig.start()
  await rig.clock.advance(0)
  const behind = idAt(old, 9_000)
  write(rig, behind, 'for a moment')
  await rig.clock.advance(20)
  assert.equal(rig.copy.textOf('notes', behind), 'for a moment')
  rig.lose()
  rig.feed.of('notes').delete(behind)
  rig.start()
  resolve()
  await rig.use(2_000)
  assert.ok(whole(rig))
  assert.equal(rig.copy.textOf('notes', behind), undefined)
})

test('a row whose version nobody knows is verified at once', async () => {
  const rig = await copied()
  rig.feed.versionOf = () => null
  write(rig, id, 'changed', 2, null)
  await rig.clock.advance(25)
  assert.ok(whole(rig))
  assert.deepEqual(
    rig.feed.take().filter((call) => call.startsWith('rows')),
    ['rows notes 1'],
  )
})

test('a write that the copy misses hides the table until it was swept again', async () => {
  const rig = await copied()
  rig.copy.before = (call) => {
    if (call.startsWith('apply notes 1')) throw new FaultError(faultLike('transient'))
  }
  write(rig, id, 'missed')
  await rig.clock.advance(20)
  assert.equal(whole(rig), null)
  rig.copy.before = () => {}
  await rig.use(3_000)
  assert.ok(whole(rig))
  assert.equal(rig.copy.textOf('notes', id), 'missed')
})

test('a sweep that began before the miss does not make up for it', async () => {
  const rig = await copied()
  const { promise, resolve } = Promise.withResolvers<void>()
  let held = 0
  rig.feed.before = (call) => {
    if (call === 'digest notes') held += 1
    return call === 'digest notes' && held === 2 ? promise : undefined
  }
  await rig.use(1_000)
  assert.equal(held, 2)
  rig.copy.before = (call) => {
    if (call.startsWith('apply notes 1')) throw new FaultError(faultLike('transient'))
  }
  const image = { id, text: 'missed', version: '2' }
  rig.copier.sink.wrote(rig.pair.primary, 'notes', id, () => image, 'missed')
  await rig.clock.advance(20)
  rig.copy.before = () => {}
  resolve()
  await rig.clock.advance(5)
  assert.equal(whole(rig), null)
  await rig.use(3_000)
  assert.ok(whole(rig))
})

test('writes before a fallback is open are missed by its copy', async () => {
  const rig = await copied()
  rig.copier.changed({ pair: null, mayRun: false, copy: null })
  assert.equal(rig.copier.sink.isCopied(rig.pair.primary, 'notes'), true)
  write(rig, id, 'missed')
  rig.start()
  assert.equal(whole(rig), null)
  await rig.use(3_000)
  assert.ok(whole(rig))
  assert.equal(rig.copy.textOf('notes', id), 'missed')
})

test('what waits is bounded: beyond, writes are dropped and the table is hidden until the sweep has found them', async () => {
  const rig = await copied()
  const { promise, resolve } = Promise.withResolvers<void>()
  rig.copy.before = (call) => (call.startsWith('apply notes 1 0') ? promise : undefined)
  write(rig, id, 'first of many')
  await rig.clock.advance(20)
  for (let at = 0; at < 6_000; at += 1) write(rig, idAt(old, at + 10), 'many')
  assert.equal(whole(rig), null)
  resolve()
  await rig.use(3_000)
  assert.ok(whole(rig))
  assert.equal(rig.copy.state('notes')?.rows, 6_002)
})

test('so are their bytes', async () => {
  const rig = await copied()
  rig.settings = { ...rig.settings, maxBytes: 1_000_000_000 }
  const text = 'x'.repeat(100_000)
  for (let at = 0; at < 600; at += 1) write(rig, idAt(old, at + 10), text)
  assert.equal(whole(rig), null)
  await rig.use(3_000)
  assert.ok(whole(rig))
})

test('while the disk is full nothing is kept for the copy', async () => {
  const rig = await copied()
  rig.copy.room = false
  await rig.use(2_000)
  rig.copy.take()
  write(rig, id, 'missed')
  await rig.clock.advance(100)
  assert.deepEqual(rig.copy.take(), [])
  assert.equal(whole(rig), null)
  rig.copy.room = true
  await rig.use(35_000)
  assert.ok(whole(rig))
  assert.equal(rig.copy.textOf('notes', id), 'missed')
})

test('tables that are not copied are not asked for', async () => {
  const rig = await copied()
  const { sink } = rig.copier
  assert.equal(sink.isCopied(rig.pair.primary, 'notes'), true)
  assert.equal(sink.isCopied(rig.pair.primary, 'logs'), false)
  rig.wanted = [wantedOf('notes'), wantedOf('logs')]
  rig.copier.wake()
  await rig.use(2_000)
  assert.equal(sink.isCopied(rig.pair.primary, 'logs'), true)
})

test('what one primary has answered does not go to the copy of the next', async () => {
  const rig = await copied()
  const blocked = Promise.withResolvers<void>()
  rig.copy.before = (call) => (call.startsWith('apply notes') ? blocked.promise : undefined)
  write(rig, id, 'in flight')
  await rig.clock.advance(20)
  write(rig, idAt(old, 3), 'waits')
  rig.pair = rig.pairOf({ identity: 'two' })
  rig.start()
  assert.deepEqual(
    rig.copy.take().filter((call) => call.startsWith('applyNow')),
    ['applyNow notes 1 0', 'applyNow notes 1 0'],
    'into the copy that it was for, before there is another one',
  )
  rig.copy.before = () => {}
  rig.copier.changed({ pair: null, mayRun: false, copy: null })
})
