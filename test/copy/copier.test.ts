import assert from 'node:assert/strict'
import { test } from 'node:test'
import { doubt } from '../../src/copy/doubts.ts'
import { wholeCopyOf } from '../../src/copy/whole-copy.ts'
import { FaultError } from '../../src/driver/fault.ts'
import { faultLike } from '../support/scripted-driver.ts'
import { CopyRig, idAt, rowOf, startMs, wantedOf } from './scripted.ts'

const old = startMs - 3_600_000
const whole = (rig: CopyRig, table = 'notes') => wholeCopyOf(rig.pair.fallback, table, 'here')

/** A rig whose table of so many rows has been copied. */
async function copied(rows = 3): Promise<CopyRig> {
  const rig = new CopyRig()
  for (let at = 0; at < rows; at += 1) rig.feed.put('notes', rowOf(idAt(old, at), `text ${at}`))
  rig.start()
  await rig.use(2_000)
  assert.ok(whole(rig))
  rig.feed.take()
  rig.copy.take()
  return rig
}

test('a table is read page by page at full speed, the next page while one is written, and is whole with its first poll', async () => {
  const rig = new CopyRig()
  for (let at = 0; at < 12_000; at += 1) rig.feed.put('notes', rowOf(idAt(old, at), `text ${at}`))
  const order: string[] = []
  rig.feed.before = (call) => void order.push(call)
  rig.copy.before = (call) => void order.push(call)
  rig.start()
  // The clock stands still.
  await rig.clock.advance(0)
  assert.deepEqual(order.filter((call) => /notes/.test(call)).slice(0, 8), [
    'size notes',
    'begin notes',
    'page notes',
    'page notes',
    'apply notes 5000 0',
    'page notes',
    'apply notes 5000 0',
    'page notes',
  ])
  await rig.use(2_000)
  assert.equal(rig.copy.state('notes')?.rows, 12_000)
  assert.ok(whole(rig))
  const [completed, ...more] = rig.of('copy.completed')
  assert.equal(completed?.rows, 12_000)
  assert.deepEqual(more, [])
})

test('a first copy goes on where it stood after a restart', async () => {
  const rig = new CopyRig()
  for (let at = 0; at < 12_000; at += 1) rig.feed.put('notes', rowOf(idAt(old, at), `text ${at}`))
  let pages = 0
  rig.feed.before = (call) => {
    if (call === 'page notes') pages += 1
    if (pages === 3) rig.lose()
  }
  rig.start()
  await rig.clock.advance(0)
  assert.equal(rig.copy.state('notes')?.isSwept, false)
  const stood = rig.copy.state('notes')?.after
  assert.ok(stood)
  rig.feed.before = () => {}
  rig.feed.take()
  rig.start()
  await rig.use(2_000)
  assert.ok(whole(rig))
  assert.equal(rig.copy.state('notes')?.rows, 12_000)
  assert.ok(rig.feed.take().filter((call) => call === 'page notes').length <= 3)
})

test('what has not changed costs one digest; only what differs is fetched, and what is gone is removed', async () => {
  const rig = await copied()
  await rig.use(3_000)
  const quiet = new Set(rig.feed.take())
  assert.deepEqual([...quiet].sort(), ['digest notes', 'position'])
  rig.feed.put('notes', rowOf(idAt(old, 1), 'changed'))
  rig.feed.of('notes').delete(idAt(old, 2))
  await rig.use(2_000)
  assert.equal(rig.copy.textOf('notes', idAt(old, 1)), 'changed')
  assert.equal(rig.copy.textOf('notes', idAt(old, 2)), undefined)
  const calls = rig.feed.take()
  assert.equal(calls.filter((call) => call === 'versions notes').length, 1)
  assert.deepEqual(
    calls.filter((call) => call.startsWith('rows')),
    ['rows notes 1'],
  )
})

test('the sweep looks at COPY_RATE rows per second, each collection in its turn', async () => {
  const rig = new CopyRig()
  rig.wanted = [wantedOf('notes'), wantedOf('logs')]
  for (let at = 0; at < 20_000; at += 1) rig.feed.put('notes', rowOf(idAt(old, at), `text ${at}`))
  rig.feed.put('logs', rowOf(idAt(old, 1), 'a'))
  rig.settings = { ...rig.settings, rate: 1_000 }
  rig.start()
  await rig.use(3_000)
  assert.ok(whole(rig))
  const before = rig.of('copy.looked').length
  await rig.use(30_000)
  const looked = rig.of('copy.looked').slice(before)
  const rows = looked.reduce((sum, { rows }) => sum + rows, 0)
  assert.ok(rows >= 25_000 && rows <= 32_000, `${rows} rows in 30 s`)
  assert.ok(looked.filter(({ collection }) => collection === 'logs').length >= 25)
})

test('a new row of others is there within two seconds, wherever the sweep is; also one whose transaction took half a minute', async () => {
  const rig = await copied(30_000)
  await rig.use(61_000)
  const nowMs = rig.clock.wallMs()
  const [fresh, late] = [idAt(nowMs, 1), idAt(nowMs - 30_000, 2)]
  rig.feed.put('notes', rowOf(fresh, 'fresh'), rowOf(late, 'late'))
  await rig.use(2_000)
  assert.equal(rig.copy.textOf('notes', fresh), 'fresh')
  assert.equal(rig.copy.textOf('notes', late), 'late')
  assert.equal(whole(rig)?.knows(idAt(nowMs - 62_000, 3)), true)
  assert.equal(whole(rig)?.knows(late), false)
})

test('rows of a writer whose clock is late are behind the last one that was seen', async () => {
  const rig = await copied(30_000)
  await rig.use(61_000)
  const late = rig.clock.wallMs() - 600_000
  rig.feed.put('notes', rowOf(idAt(late, 1), 'one'))
  await rig.use(30_000)
  rig.feed.put('notes', rowOf(idAt(late + 30_000, 2), 'two'))
  await rig.use(2_000)
  assert.equal(rig.copy.textOf('notes', idAt(late + 30_000, 2)), 'two')
})

test('what was written before any fallback was open hides the table of one that opens after the primary was lost', async () => {
  const rig = await copied()
  rig.copier.changed({ pair: null, mayRun: false, copy: null })
  rig.copier.sink.wrote(rig.pair.primary, 'notes', idAt(old, 1), () => ({ id: idAt(old, 1) }), '2')
  rig.lose()
  assert.equal(whole(rig), null)
})

test('a higher rate looks at more parts in a second', async () => {
  const rig = await copied(20_000)
  const looksIn = async (ms: number): Promise<number> => {
    rig.feed.take()
    await rig.use(ms)
    return rig.feed.take().filter((call) => call === 'digest notes').length
  }
  const before = await looksIn(4_000)
  rig.settings = { ...rig.settings, rate: 50_000 }
  assert.ok((await looksIn(4_000)) > 2 * before)
})

test('very many new rows leave the sweep half of its time', async () => {
  const rig = await copied(20_000)
  const nowMs = rig.clock.wallMs()
  for (let at = 0; at < 50_000; at += 1) rig.feed.put('notes', rowOf(idAt(nowMs, at), 'new'))
  await rig.use(15_000)
  rig.feed.put('notes', rowOf(idAt(old, 0), 'changed'))
  const asOf = whole(rig)?.asOfMs ?? 0
  await rig.use(50_000)
  assert.equal(rig.copy.textOf('notes', idAt(old, 0)), 'changed')
  assert.ok((whole(rig)?.asOfMs ?? 0) > asOf)
})

test('ids that say nothing of their time are not polled again and again', async () => {
  const rig = await copied()
  for (let at = 0; at < 50_000; at += 1) {
    const id = `f0000000-0000-4000-8000-${at.toString(16).padStart(12, '0')}`
    rig.feed.put('notes', rowOf(id, 'a'))
  }
  await rig.use(60_000)
  const before = rig.of('copy.looked').length
  await rig.use(22_000)
  const rows = rig.of('copy.looked').slice(before)
  assert.ok(rows.length <= 2 * 22 + 2, `${rows.length} looks in 22 s`)
  assert.ok(whole(rig))
})

test('a write that the copy has missed is made up for by one sweep, however often it rests meanwhile', async () => {
  const rig = new CopyRig()
  rig.settings = { ...rig.settings, rate: 100, idleMs: 1_000 }
  rig.feed.put('notes', ...Array.from({ length: 600 }, (_, at) => rowOf(idAt(startMs - 3_600_000, at), 'as it was')))
  rig.start()
  await rig.use(20_000)
  assert.ok(whole(rig))
  doubt(rig.copy, 'notes')
  let isResting = true
  for (let times = 0; times < 20; times += 1) {
    rig.units += 1
    await rig.clock.advance(1_000)
    await rig.clock.advance(9_000)
    isResting = isResting && rig.feed.open === 0
  }
  assert.ok(isResting)
  assert.ok(whole(rig))
})

test('without a request for COPY_IDLE it rests, without a connection, and goes on with the next', async () => {
  const rig = await copied()
  await rig.clock.advance(62_000)
  assert.equal(rig.feed.open, 0)
  rig.feed.take()
  const asOf = whole(rig)?.asOfMs
  await rig.clock.advance(600_000)
  assert.deepEqual(rig.feed.take(), [])
  assert.equal(whole(rig)?.asOfMs, asOf)
  rig.units += 1
  await rig.clock.advance(3_000)
  assert.equal(rig.feed.open, 1)
  assert.notEqual(whole(rig)?.asOfMs, asOf)
})

test('it does not rest before every collection has been copied', async () => {
  const rig = new CopyRig()
  rig.feed.put('notes', rowOf(idAt(old, 1), 'a'))
  let isBroken = true
  rig.feed.before = (call) => {
    if (isBroken && call === 'page notes') throw new FaultError(faultLike('lost'))
  }
  rig.start()
  await rig.clock.advance(300_000)
  isBroken = false
  await rig.clock.advance(60_000)
  assert.ok(whole(rig))
})

test('a look that the server does not answer never holds up the end', async () => {
  const rig = await copied()
  rig.feed.before = (call) => (call === 'digest notes' ? new Promise<void>(() => {}) : undefined)
  await rig.use(2_000)
  rig.lose()
  assert.equal(rig.feed.open, 0)
  rig.feed.before = () => {}
  rig.feed.take()
  rig.start()
  await rig.clock.advance(0)
  assert.equal(rig.feed.take()[0], 'connect')
})

test('two runs never write one copy', async () => {
  const rig = await copied()
  const { promise, resolve } = Promise.withResolvers<void>()
  rig.feed.put('notes', rowOf(idAt(old, 1), 'changed'))
  rig.copy.before = (call) => (call === 'apply notes 1 0' ? promise : undefined)
  await rig.use(2_000)
  rig.lose()
  rig.pair = rig.pairOf()
  rig.feed.take()
  rig.start()
  await rig.use(2_000)
  assert.deepEqual(rig.feed.take(), [])
  resolve()
  await rig.use(2_000)
  assert.ok(rig.feed.take().includes('connect'))
})

test('a connection that fails is left, and another is opened after a pause that grows', async () => {
  const rig = await copied()
  rig.feed.before = () => {
    throw new FaultError(faultLike('lost'))
  }
  await rig.use(30_000)
  const failed = rig.of('copy.failed')
  assert.ok(failed.length >= 5)
  const pauses = failed.map(({ retryMs }) => retryMs)
  assert.deepEqual(
    pauses,
    [...pauses].sort((one, other) => one - other),
  )
  assert.ok(failed.every(({ at }) => at === 'primary'))
  rig.feed.before = () => {}
  await rig.use(30_000)
  assert.equal(rig.feed.open, 1)
  assert.ok(whole(rig))
})

test('another source than the primary changes nothing in the copy', async () => {
  const rig = await copied()
  rig.feed.of('notes').clear()
  rig.feed.before = (call) => {
    if (call !== 'connect') throw new FaultError(faultLike('configuration', { code: 'FEED_OTHER_SOURCE' }))
  }
  await rig.use(60_000)
  assert.equal(rig.copy.state('notes')?.rows, 3)
  assert.deepEqual(
    rig.copy.take().filter((call) => !call.startsWith('apply notes 0 0')),
    [],
  )
})

test('one table that the server does not let read is left alone for a minute; the others go on', async () => {
  const rig = new CopyRig()
  rig.wanted = [wantedOf('notes'), wantedOf('logs')]
  rig.feed.put('logs', rowOf(idAt(old, 1), 'a'))
  rig.feed.before = (call) => {
    if (call === 'page notes') throw new FaultError(faultLike('statement'))
  }
  rig.start()
  await rig.use(30_000)
  assert.ok(whole(rig, 'logs'))
  assert.equal(rig.of('copy.failed').length, 1)
  assert.equal(rig.feed.evicted, 0)
})

test('without room the copy stops, is tried every 30 seconds, and the problem ends with the room', async () => {
  const rig = await copied()
  rig.copy.room = false
  await rig.use(2_000)
  assert.deepEqual(
    rig.copier.problems.map(({ code, severity }) => [code, severity]),
    [['COPY_STOPPED', 'warning']],
  )
  rig.feed.take()
  rig.copy.take()
  await rig.use(60_000)
  assert.deepEqual([rig.feed.take(), rig.copy.take()], [[], []])
  rig.copy.room = true
  await rig.use(32_000)
  assert.deepEqual(rig.copier.problems, [])
  assert.ok(whole(rig))
})

test('a full disk stops it as well', async () => {
  const rig = await copied()
  rig.feed.put('notes', rowOf(idAt(old, 1), 'changed'))
  rig.copy.before = (call) => {
    if (call.startsWith('apply')) throw new FaultError(faultLike('disk-full'))
  }
  await rig.use(40_000)
  assert.deepEqual(
    rig.copier.problems.map(({ code }) => code),
    ['COPY_STOPPED'],
  )
  rig.copy.before = () => {}
  await rig.use(40_000)
  assert.deepEqual(rig.copier.problems, [])
  assert.equal(rig.copy.textOf('notes', idAt(old, 1)), 'changed')
})

test('a primary that was set back has its copy dropped at once, and made again', async () => {
  const rig = new CopyRig()
  rig.feed.at = 500n
  rig.feed.put('notes', rowOf(idAt(old, 1), 'a'))
  rig.start()
  await rig.use(20_000)
  assert.ok(whole(rig))
  rig.feed.of('notes').clear()
  rig.feed.at = 400n
  rig.copy.take()
  let atReset: unknown = 'not called'
  rig.copy.before = (call) => {
    if (call === 'reset') atReset = rig.copy.state('notes')?.rows
  }
  await rig.use(3_000)
  assert.equal(atReset, 1)
  assert.equal(rig.of('copy.reset').length, 1)
  assert.equal(rig.copy.state('notes')?.rows, 0)
  assert.ok(whole(rig))
})

test('a primary that was set back while no process looked has its copy dropped before anything is compared', async () => {
  const rig = await copied()
  rig.feed.at = 500n
  await rig.use(25_000)
  assert.equal(rig.copy.kept, 500n)
  await rig.copier.close()
  const next = new CopyRig(rig.copy)
  next.feed.at = 400n
  next.start()
  await next.use(3_000)
  assert.equal(next.of('copy.reset').length, 1)
})

test('what the journal says of a primary that was set back hides the copy before anything else happens', async () => {
  const rig = await copied()
  const reset = rig.copier.reset(rig.copy, ['notes'], 'primary')
  assert.equal(whole(rig), null)
  await reset
  assert.equal(rig.copy.source(), null)
})

test('another identity, or the same one elsewhere, is another copy', async () => {
  for (const source of [{ identity: 'two' }, { target: 'elsewhere' }]) {
    const rig = await copied()
    rig.lose()
    rig.pair = rig.pairOf(source)
    rig.feed.of('notes').clear()
    rig.start()
    await rig.use(2_000)
    assert.equal(rig.copy.state('notes')?.rows, 0)
    assert.equal(rig.copy.from?.target, rig.pair.source.target)
  }
})

test('what is to be verified comes first, at once; what cannot be is not asked for again and again', async () => {
  const rig = await copied()
  const [one, stuck] = [idAt(old, 0), idAt(old, 1)]
  rig.copy.waiting.add(stuck)
  for (const key of [one, stuck]) rig.copy.tables.get('notes')?.rows.set(key, rowOf(key, 'unknown', ''))
  assert.equal(whole(rig), null)
  await rig.use(2_000)
  assert.equal(rig.copy.textOf('notes', one), 'text 0')
  assert.deepEqual(rig.copy.unverified('notes', 9), [stuck])
  // The sweep finds it as well, once in each of its rounds.
  rig.feed.take()
  await rig.use(20_000)
  const calls = rig.feed.take()
  const count = (call: string) => calls.filter((one) => one === call).length
  assert.ok(count('rows notes 1') <= count('versions notes') + 1)
  rig.copy.waiting.clear()
  await rig.use(60_000)
  assert.equal(rig.copy.textOf('notes', stuck), 'text 1')
  assert.ok(whole(rig))
})

test('a copy that was not told of the last outage is told before anything is read', async () => {
  const rig = new CopyRig()
  let failures = 2
  rig.settled = async () => {
    failures -= 1
    if (failures >= 0) throw new FaultError(faultLike('transient'))
  }
  rig.feed.put('notes', rowOf(idAt(old, 1), 'a'))
  rig.start()
  await rig.clock.advance(0)
  assert.deepEqual(rig.feed.take(), [])
  await rig.use(5_000)
  assert.ok(whole(rig))
})

test('other tables than before are taken up, and dropped, without a new connection', async () => {
  const rig = await copied()
  rig.feed.put('logs', rowOf(idAt(old, 1), 'a'))
  rig.wanted = [wantedOf('logs')]
  rig.copier.wake()
  await rig.use(2_000)
  assert.ok(whole(rig, 'logs'))
  assert.equal(rig.copy.state('notes'), null)
  assert.equal(rig.feed.take().includes('connect'), false)
})
