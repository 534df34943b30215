import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { DatabaseEngineFactory } from '../../../src/database/store/engine-factory.ts'
import { PrimaryFacts } from '../../../src/database/store/primary-facts.ts'
import type { Candidate, Driver } from '../../../src/driver/driver.ts'
import type { Standing } from '../../../src/driver/facet/standing.ts'
import { FaultError, type FaultKind } from '../../../src/driver/fault.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { addressOf, ScriptedDatabase } from '../../support/scripted-driver.ts'
import { defaults } from '../rig.ts'

const never = new AbortController().signal
const write = { role: 'primary', proof: 'write' } as const

function factoryOf(clock: FakeClock): DatabaseEngineFactory {
  return new DatabaseEngineFactory({ entities: [], settings: () => defaults, clock })
}

function hostOf(name: string, standing: Partial<Standing> | null = null): ScriptedDatabase {
  const host = new ScriptedDatabase(name)
  if (standing !== null) host.standing = standingOf(name, standing)
  return host
}

function standingOf(name: string, more: Partial<Standing> = {}): Standing {
  return { cluster: 'c', server: name, isWritable: true, timeline: 1, position: 1n, members: 2, ...more }
}

function failsWith(kind: FaultKind, code: string): (error: unknown) => boolean {
  return (error) => error instanceof FaultError && error.fault.kind === kind && error.fault.code === code
}

async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await nextTurn()
}

describe('the hosts of an address', () => {
  test('the one that serves is meant by "only" although its name leads elsewhere by now', async () => {
    const factory = factoryOf(new FakeClock())
    const [first, second] = [hostOf('first'), hostOf('second')]
    const store = await factory.open(addressOf(first, second), 'primary', never)
    const moved = addressOf(second)
    const now = { ...moved, target: store.target }
    await factory.prove(now, write, never, { only: store.label })
    assert.deepEqual([first.calls.opened, second.calls.opened], [2, 0])
    first.script = ['unreachable']
    const failed = factory.prove(now, write, never, { only: store.label })
    await assert.rejects(failed, failsWith('unreachable', 'TEST_unreachable'))
    assert.equal(second.calls.opened, 0)
    await factory.prove(now, write, never)
    assert.equal(second.calls.opened, 1)
    await store.close(1_000)
  })

  test('one that hangs takes no time of the next, which starts after 250 ms, and leaves nothing open', async () => {
    const clock = new FakeClock()
    const [silent, good] = [hostOf('silent'), hostOf('good')]
    silent.script = ['hangs']
    const opening = factoryOf(clock).open(addressOf(silent, good), 'primary', never)
    await turns()
    assert.deepEqual([silent.calls.opened, good.calls.opened], [1, 0])
    await clock.advance(249)
    assert.equal(good.calls.opened, 0)
    await clock.advance(1)
    const store = await opening
    assert.equal(store.label, 'good-store')
    assert.equal(store.hasOthers, true)
    silent.answer('works')
    await turns()
    assert.deepEqual([silent.calls.evicted, silent.calls.connectionsOpen], [1, 0])
    await store.close(1_000)
  })

  test('the next one starts as soon as one has failed', async () => {
    const clock = new FakeClock()
    const [bad, good] = [hostOf('bad'), hostOf('good')]
    bad.script = ['unreachable']
    const store = await factoryOf(clock).open(addressOf(bad, good), 'primary', never)
    assert.equal(store.label, 'good-store')
    await store.close(1_000)
  })

  test('the one that was lost is tried last, one to be avoided only where it is alone, and "only" means that one', async () => {
    const factory = factoryOf(new FakeClock())
    const [a, b] = [hostOf('a'), hostOf('b')]
    const address = addressOf(a, b)
    for (const [choice, opened] of [
      [{}, [1, 0]],
      [{ last: 'a-store' }, [0, 1]],
      [{ avoid: 'a-store' }, [0, 1]],
      [{ only: 'b-store' }, [0, 1]],
      [{ only: 'unknown' }, [1, 0]],
    ] as const) {
      a.calls.opened = 0
      b.calls.opened = 0
      await factory.prove(address, write, never, choice)
      assert.deepEqual([a.calls.opened, b.calls.opened], opened, JSON.stringify(choice))
    }
    b.script = ['unreachable']
    assert.equal((await factory.open(address, 'primary', never, { last: 'a-store' })).label, 'a-store')
    await assert.rejects(factory.prove(address, write, never, { avoid: 'a-store' }), FaultError)
    await factory.prove(addressOf(a), write, never, { avoid: 'a-store' })
  })

  test('a host that hangs keeps none from serving that is promoted meanwhile, and is tried last from then on', async () => {
    const clock = new FakeClock()
    const factory = factoryOf(clock)
    const [silent, standby] = [hostOf('silent'), hostOf('standby', { isWritable: false })]
    silent.script = ['hangs']
    const opening = factory.prove(addressOf(silent, standby), write, never)
    await clock.advance(250)
    await clock.advance(5_000)
    standby.standing = standingOf('standby')
    await clock.advance(250)
    assert.equal((await opening).standing?.server, 'standby')
    silent.calls.opened = 0
    const next = factory.prove(addressOf(silent, standby), write, never)
    await clock.advance(250)
    await next
    assert.equal(silent.calls.opened, 1, 'only for its standing, once another has given the proof')
  })

  test('a later round begins only when the one before has failed', async () => {
    const clock = new FakeClock()
    const [first, second] = [hostOf('first'), hostOf('second')]
    first.script = ['hangs']
    const address = addressOf(first, second)
    const connect: Driver['connect'] = async (target, limits) =>
      (await address.driver.connect(target, limits)).map((one, round): Candidate => ({ ...one, round }))
    const opening = factoryOf(clock).prove({ ...address, driver: { ...address.driver, connect } }, write, never)
    await clock.advance(10_000)
    assert.equal(second.calls.opened, 0)
    first.answer('unreachable')
    await opening
    assert.equal(second.calls.opened, 1)
  })

  test('an embedded database is tried file by file, however long one takes', async () => {
    const clock = new FakeClock()
    const [slow, other] = [new ScriptedDatabase('slow', { isEmbedded: true }), hostOf('other')]
    slow.script = ['hangs']
    const opening = factoryOf(clock).open(addressOf(slow, other), 'fallback', never)
    await clock.advance(10_000)
    assert.equal(other.calls.opened, 0)
    slow.answer('works')
    const store = await opening
    assert.deepEqual([store.label, store.hasOthers], ['slow-store', false])
    await store.close(1_000)
  })

  test('the end of the time is a fault although every host still hangs', async () => {
    const hosts = [hostOf('a'), hostOf('b')] as const
    for (const host of hosts) host.script = ['hangs']
    const ends = new AbortController()
    const opening = factoryOf(new FakeClock()).open(addressOf(...hosts), 'primary', ends.signal)
    await turns()
    ends.abort(
      new FaultError({ kind: 'unreachable', code: 'LATE', summary: '', hint: '', ambiguous: false, cause: null }),
    )
    await assert.rejects(opening, failsWith('unreachable', 'LATE'))
  })
})

describe('the standings of the hosts', () => {
  test('a higher timeline wins, wherever it is listed, and the orphan never serves', async () => {
    const factory = factoryOf(new FakeClock())
    const [old, promoted] = [hostOf('old', { timeline: 4 }), hostOf('promoted', { timeline: 5 })]
    const store = await factory.open(addressOf(old, promoted), 'primary', never)
    assert.equal(store.label, 'promoted-store')
    await store.close(1_000)
    promoted.verifyError = new Error('cut')
    await assert.rejects(factory.prove(addressOf(old, promoted), write, never), failsWith('lost', 'PRIMARY_ORPHANED'))
    // Avoided for its flapping, it is the primary all the same.
    promoted.verifyError = null
    const avoiding = factory.prove(addressOf(old, promoted), write, never, { avoid: 'promoted-store' })
    await assert.rejects(avoiding, failsWith('lost', 'PRIMARY_ORPHANED'))
  })

  test('two that accept writes on one timeline are trusted neither, unless they are one server', async () => {
    const factory = factoryOf(new FakeClock())
    const [a, b] = [hostOf('a'), hostOf('b')]
    for (const host of [a, b]) host.standing = standingOf(host.target.id)
    await assert.rejects(factory.open(addressOf(a, b), 'primary', never), failsWith('configuration', 'PRIMARY_SPLIT'))
    assert.equal(a.calls.ormsMade + b.calls.ormsMade, 0)
    b.standing = standingOf('a')
    await factory.prove(addressOf(a, b), write, never)
    b.standing = standingOf('b', { isWritable: false })
    await factory.prove(addressOf(a, b), write, never)
  })

  test('several writable members without timelines are a cluster of many primaries', async () => {
    const hosts = [hostOf('a', { timeline: null }), hostOf('b', { timeline: null })] as const
    assert.equal((await factoryOf(new FakeClock()).prove(addressOf(...hosts), write, never)).standing?.server, 'a')
  })

  test('a host that does not say its standing keeps an opening for 250 ms at most', async () => {
    const clock = new FakeClock()
    const [good, silent] = [hostOf('good', {}), hostOf('silent')]
    silent.script = ['hangs']
    let isOver = false
    const opening = factoryOf(clock)
      .prove(addressOf(good, silent), write, never)
      .finally(() => {
        isOver = true
      })
    await turns()
    await clock.advance(249)
    assert.equal(isOver, false)
    await clock.advance(1)
    await opening
    // One that has hung for as long before another gave the proof has had its time.
    const later = factoryOf(clock).prove(addressOf(silent, good), write, never)
    await turns()
    await clock.advance(250)
    await later
  })

  test('after a split one that is slow to say its standing is waited for, for half of the limit of an opening', async () => {
    const clock = new FakeClock()
    const facts = new PrimaryFacts()
    const opener = facts.watching(factoryOf(clock), () => {})
    const [a, b] = [hostOf('a', {}), hostOf('b', {})]
    const address = addressOf(a, b)
    facts.split(address.target)
    for (const slow of [a, b]) {
      // Next to one that has hung since before the other gave the proof, and next to one that hangs afterwards.
      slow.script = ['hangs']
      const opening = opener.prove(address, write, never)
      const refused = assert.rejects(opening, failsWith('configuration', 'PRIMARY_SPLIT'))
      await clock.advance(2_000)
      slow.script = ['works']
      slow.answer('works')
      await refused
    }
    b.script = ['hangs']
    const opening = opener.prove(address, write, never)
    await turns()
    await clock.advance(defaults.limits.connectMs / 2)
    await opening
    assert.equal(facts.isSplit(address.target), false)
  })

  test('hosts of two clusters are refused, wherever the other one stands', async () => {
    const other = hostOf('other', { cluster: 'other' })
    for (const hosts of [
      [hostOf('a', {}), other],
      [other, hostOf('a', {})],
      [hostOf('a', {}), hostOf('standby', { cluster: 'other', isWritable: false })],
      [hostOf('standby', { cluster: 'other', isWritable: false }), hostOf('a', {})],
    ] as const) {
      const opening = factoryOf(new FakeClock()).open(addressOf(...hosts), 'primary', never)
      await assert.rejects(opening, (error) => {
        return (
          failsWith('configuration', 'ADDRESS_CLUSTERS_DIFFER')(error) &&
          (error as FaultError).fault.everywhere === true
        )
      })
    }
  })

  test('once a cluster has served, a host of another is passed over, also while the right one is away', async () => {
    const factory = factoryOf(new FakeClock())
    const [own, stranger] = [hostOf('own', {}), hostOf('stranger', { cluster: 'other' })]
    const address = addressOf(stranger, own)
    stranger.script = ['unreachable']
    await (await factory.open(address, 'primary', never)).close(1_000)
    stranger.script = ['works']
    assert.equal((await factory.prove(address, write, never)).standing?.server, 'own')
    own.script = ['unreachable']
    // What says the least of the primary is not its fault.
    await assert.rejects(factory.prove(address, write, never), failsWith('unreachable', 'TEST_unreachable'))
  })

  test('a cluster that was made anew on every host takes the place of the known one', async () => {
    const factory = factoryOf(new FakeClock())
    const [a, b] = [hostOf('a', {}), hostOf('b', { isWritable: false })]
    await (await factory.open(addressOf(a, b), 'primary', never)).close(1_000)
    a.standing = standingOf('a', { cluster: 'new' })
    // `b` may still be of the known one, and says the more of why nothing serves.
    await assert.rejects(factory.prove(addressOf(a, b), write, never), failsWith('read-only', 'TEST_read-only'))
    b.standing = standingOf('b', { cluster: 'new', isWritable: false })
    const store = await factory.open(addressOf(a, b), 'primary', never)
    assert.equal(store.facts.standing?.cluster, 'new')
    await store.close(1_000)
  })

  test('a single name that leads to standbys is asked again at once: it may be the name of a balancer', async () => {
    const factory = factoryOf(new FakeClock())
    const balancer = hostOf('balancer')
    const address = addressOf(balancer)
    balancer.script = ['read-only', 'read-only', 'works']
    await factory.prove(address, write, never)
    assert.equal(balancer.calls.opened, 3)
    balancer.script = ['read-only']
    await assert.rejects(factory.prove(address, write, never), failsWith('read-only', 'TEST_read-only'))
    assert.equal(balancer.calls.opened, 7)
    balancer.script = ['unreachable']
    await assert.rejects(factory.prove(address, write, never), FaultError)
    assert.equal(balancer.calls.opened, 8)
  })

  test('a single host is asked by nobody but its proof', async () => {
    const host = hostOf('alone', {})
    const store = await factoryOf(new FakeClock()).open(addressOf(host), 'primary', never)
    assert.deepEqual([host.looks, host.calls.opened, store.hasOthers], [0, 1, true])
    await store.close(1_000)
  })
})
