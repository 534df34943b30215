import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { ForeignEntries, type ForeignEntriesParts } from '../../../src/archive/entries/foreign.ts'
import type { EntriesObservation } from '../../../src/archive/entries/observation.ts'
import { EntriesShipper } from '../../../src/archive/entries/shipper.ts'
import { systemClock } from '../../../src/database/store/clock.ts'
import {
  idOf,
  imageTables,
  insert,
  type OpenFallback,
  type OpenPrimary,
  plain,
  remove,
  Scene,
  together,
  update,
} from '../../journal/bench.ts'
import { onServers } from '../../journal/servers.ts'
import { MemoryTarget } from '../../support/memory-target.ts'
import { until } from '../../support/until.ts'
import { unreachable } from './support.ts'

const [first, second] = ['0190a1b2-0000-7000-8000-00000000000a', '0190a1b2-0000-7000-8000-00000000000b']

/** Ships what waits in the fallback, and empties its disk. */
async function lost(scene: Scene, target: MemoryTarget, fallback: OpenFallback, process: string): Promise<void> {
  const shipper = shipperOf(target, fallback, process)
  shipper.start()
  await shipper.confirmed()
  await shipper.close(1_000)
  await fallback.close(1_000)
  await rm(scene.dir, { recursive: true, force: true })
}

function shipperOf(target: MemoryTarget, { journal }: OpenFallback, process: string): EntriesShipper {
  const settings = () => ({ intervalS: 0.05 })
  return new EntriesShipper({ target, journal, process, settings, clock: systemClock, observe: () => {} })
}

interface Carrier {
  readonly foreign: ForeignEntries
  readonly seen: EntriesObservation[]
}

/** What carries the folders of other processes to this primary. */
function carrier(
  t: TestContext,
  scene: Scene,
  target: MemoryTarget,
  primary: OpenPrimary,
  more: Partial<ForeignEntriesParts> = {},
): Carrier {
  const seen: EntriesObservation[] = []
  const foreign = new ForeignEntries({
    target,
    isOwn: () => false,
    tables: () => imageTables,
    replayer: scene.replayer(),
    identityOf: ({ facts }) => facts.identity,
    clock: systemClock,
    observe: (one) => void seen.push(one),
    ...more,
  })
  t.after(() => foreign.close())
  foreign.serving(primary)
  return { foreign, seen }
}

async function rested({ foreign }: Carrier): Promise<void> {
  await until(() => !foreign.isCarrying)
}

const codesOf = ({ foreign }: Carrier): readonly string[] => foreign.problems.map(({ code }) => code)

onServers('entries that a process left in the archive', (server) => {
  test('are in the primary once when another process reads them, and then gone from the archive', async (t) => {
    const [scene, target] = [await Scene.make(t, server()), new MemoryTarget()]
    const fallback = await scene.fallback()
    await insert(fallback, 'a', 'one', { large: 5, real: 0.1, at: 1_700_000_000_123, meta: '{"a":1}' })
    await insert(fallback, 'b', 'two')
    await update(fallback, 'a', 'changed')
    await remove(fallback, 'b')
    await lost(scene, target, fallback, first)
    const primary = await scene.primary()
    const once = carrier(t, scene, target, primary)
    await rested(once)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'changed' })
    assert.deepEqual([await scene.reasons(), target.keys('entries/'), codesOf(once)], [[], [], []])
    assert.deepEqual(
      once.seen.map((one) => [one.type, 'entries' in one ? one.entries : 0]),
      [['entries.carried', 4]],
    )
  })

  test('are carried by two processes at once, and next to the file itself, without harm', async (t) => {
    const [scene, target] = [await Scene.make(t, server()), new MemoryTarget()]
    const fallback = await scene.fallback()
    for (const letter of 'abcdefgh') await insert(fallback, letter, letter)
    await together(fallback, [
      ['update everything set word = ?, holdfast_attempt = ? where id = ?', ['both', 'ATTEMPT', idOf('a')]],
      ['update everything set word = ?, holdfast_attempt = ? where id = ?', ['of them', 'ATTEMPT', idOf('b')]],
    ])
    const shipper = shipperOf(target, fallback, first)
    shipper.start()
    await shipper.confirmed()
    const primary = await scene.primary()
    const [one, other] = [carrier(t, scene, target, primary), carrier(t, scene, target, await scene.primary())]
    await scene.replayer().carry(fallback, primary, 0, AbortSignal.timeout(20_000))
    await Promise.all([rested(one), rested(other)])
    await until(() => target.keys('entries/').length === 0)
    await shipper.close(1_000)
    const expected = Object.fromEntries([...'cdefgh'].map((letter) => [idOf(letter), letter]))
    assert.deepEqual(await scene.words(), { ...expected, [idOf('a')]: 'both', [idOf('b')]: 'of them' })
    assert.deepEqual(await scene.reasons(), [])
  })

  test('stay where they are, and are named, when they are for another primary', async (t) => {
    const [scene, target] = [await Scene.make(t, server()), new MemoryTarget()]
    const fallback = await scene.fallback()
    const known = await scene.primary()
    await scene.replayer().opened(fallback, known)
    await insert(fallback, 'a', 'one')
    await lost(scene, target, fallback, first)
    const elsewhere = await scene.elsewhere()
    const wrong = carrier(t, elsewhere, target, await elsewhere.primary())
    await rested(wrong)
    assert.deepEqual([codesOf(wrong), await elsewhere.words()], [['JOURNAL_ELSEWHERE'], {}])
    assert.ok(wrong.foreign.problems[0]?.message.includes('1 change for'))
    const right = carrier(t, scene, target, known)
    await rested(right)
    assert.deepEqual([codesOf(right), await scene.words()], [[], { [idOf('a')]: 'one' }])
  })

  test('that were written before any primary was reached are for the one that was reached first', async (t) => {
    const [scene, target] = [await Scene.make(t, server()), new MemoryTarget()]
    const fallback = await scene.fallback()
    await insert(fallback, 'a', 'early')
    const shipper = shipperOf(target, fallback, first)
    shipper.start()
    await shipper.confirmed()
    await scene.replayer().opened(fallback, await scene.primary())
    await until(() => target.objects.has(`entries/${first}/address.json`))
    await shipper.close(1_000)
    const elsewhere = await scene.elsewhere()
    const wrong = carrier(t, elsewhere, target, await elsewhere.primary())
    await rested(wrong)
    assert.deepEqual([codesOf(wrong), await elsewhere.words()], [['JOURNAL_ELSEWHERE'], {}])
    const right = carrier(t, scene, target, await scene.primary())
    await rested(right)
    assert.deepEqual([await scene.words(), target.keys('entries/')], [{ [idOf('a')]: 'early' }, []])
  })

  test('that are damaged stay, and are named; what is behind them is carried', async (t) => {
    const [scene, target] = [await Scene.make(t, server()), new MemoryTarget()]
    const fallback = await scene.fallback()
    const shipper = shipperOf(target, fallback, first)
    shipper.start()
    for (const letter of 'abc') {
      await insert(fallback, letter, letter)
      await shipper.confirmed()
    }
    await shipper.close(1_000)
    const [, key = ''] = target.keys('entries/')
    const good = target.objects.get(key) ?? new Uint8Array()
    const altered = Buffer.from(good)
    altered[altered.length - 20] = (altered[altered.length - 20] ?? 0) ^ 1
    target.objects.set(key, altered)
    const primary = await scene.primary()
    const carried = carrier(t, scene, target, primary)
    await rested(carried)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'a', [idOf('c')]: 'c' })
    assert.deepEqual([codesOf(carried), target.keys('entries/')], [['ARCHIVE_OBJECT_DAMAGED'], [key]])
    assert.ok(carried.foreign.problems[0]?.message.includes(key))
    target.objects.set(key, good)
    const again = carrier(t, scene, target, primary)
    await rested(again)
    assert.deepEqual([Object.keys(await scene.words()).length, target.keys('entries/')], [3, []])
  })

  test('of tables that no collection declares here stay until one does', async (t) => {
    const [scene, target] = [await Scene.make(t, server()), new MemoryTarget()]
    const fallback = await scene.fallback()
    await insert(fallback, 'a', 'one')
    await fallback.statements.write(
      'insert into plain (id, word, "createdAt", "updatedAt", version) values (?, ?, 1, 1, 1)',
      [idOf('p'), 'plain'],
    )
    await lost(scene, target, fallback, first)
    const primary = await scene.primary()
    const some = carrier(t, scene, target, primary, {
      tables: () => imageTables.filter(({ name }) => name !== plain.name),
    })
    await rested(some)
    assert.deepEqual([codesOf(some), await scene.words()], [['ARCHIVE_ENTRIES_KEPT'], { [idOf('a')]: 'one' }])
    assert.deepEqual([await scene.words('plain'), target.keys('entries/').length, await scene.reasons()], [{}, 1, []])
    const all = carrier(t, scene, target, primary)
    await rested(all)
    assert.deepEqual([await scene.words('plain'), target.keys('entries/')], [{ [idOf('p')]: 'plain' }, []])
  })

  test('are in several objects where a transaction is too large for one, and are carried whole or not at all', async (t) => {
    const [scene, target] = [await Scene.make(t, server()), new MemoryTarget()]
    const fallback = await scene.fallback()
    const sql = `insert into everything (id, word, text, "createdAt", "updatedAt", version, holdfast_attempt)
      values (?, ?, ?, 1700000000123, 1700000000123, 1, ?)`
    const letters = [...'abcdefghijklmnopqrstu']
    const text = 'x'.repeat(1_000_000)
    await together(
      fallback,
      letters.map((letter) => [sql, [idOf(letter), letter, text, 'ATTEMPT']] as const),
    )
    await insert(fallback, 'z', 'z')
    await lost(scene, target, fallback, first)
    const [one = '', two = '', three = ''] = target.keys('entries/')
    assert.equal(target.keys('entries/').length, 4)
    const part = target.objects.get(two) ?? new Uint8Array()
    target.objects.delete(two)
    const primary = await scene.primary()
    const halved = carrier(t, scene, target, primary)
    await rested(halved)
    assert.deepEqual([codesOf(halved), await scene.words()], [['ARCHIVE_OBJECT_DAMAGED'], { [idOf('z')]: 'z' }])
    assert.deepEqual(target.keys('entries/'), [one, three])
    target.objects.set(two, part)
    const whole = carrier(t, scene, target, primary)
    await rested(whole)
    assert.deepEqual(Object.keys(await scene.words()).length, letters.length + 1)
    assert.deepEqual([codesOf(whole), target.keys('entries/'), await scene.reasons()], [[], [], []])
    target.objects.set(two, part)
    const rest = carrier(t, scene, target, primary)
    await rested(rest)
    assert.deepEqual([codesOf(rest), target.keys('entries/')], [[], []], 'what lacks its first part was carried')
  })

  test('are tried again when the archive does not answer, and the own folder is left alone', async (t) => {
    const [scene, target] = [await Scene.make(t, server()), new MemoryTarget()]
    const fallback = await scene.fallback()
    await insert(fallback, 'a', 'one')
    await lost(scene, target, fallback, first)
    const own = await scene.fallback('other.db')
    await insert(own, 'b', 'own')
    const shipper = shipperOf(target, own, second)
    shipper.start()
    await shipper.confirmed()
    target.before = () => Promise.reject(unreachable())
    const carried = carrier(t, scene, target, await scene.primary(), { isOwn: (process) => process === second })
    await until(() => codesOf(carried).includes('ARCHIVE_UNREACHABLE'))
    target.before = () => {}
    await rested(carried)
    assert.deepEqual([codesOf(carried), await scene.words()], [[], { [idOf('a')]: 'one' }])
    assert.equal(target.keys('entries/').length, 1)
    assert.deepEqual(
      carried.seen.map(({ type }) => type),
      ['entries.failed', 'entries.carried', 'entries.resumed'],
    )
    await shipper.close(1_000)
  })
})
