import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { initialState, type State } from '../../../src/database/machine/state.ts'
import type { Store } from '../../../src/database/store/store.ts'
import type { Standing } from '../../../src/driver/facet/standing.ts'
import type { JournalObservation } from '../../../src/journal/observation.ts'
import type { LastWrite } from '../../../src/journal/past/missing-writes.ts'
import { PrimaryPast } from '../../../src/journal/past/primary-past.ts'
import { FakeClock, settle } from '../../support/fake-clock.ts'
import { ScriptedJournal } from '../../support/scripted-journal.ts'

const standing: Standing = {
  ...{ cluster: 'c1', server: 's1', isWritable: true, members: 2 },
  ...{ timeline: 1, position: 100n },
}

/** The past of a primary whose openings and rows the test makes. */
class Scene {
  readonly clock: FakeClock = new FakeClock()
  readonly seen: Extract<JournalObservation, { type: 'primary.went-back' }>[] = []
  readonly rows: Map<string, LastWrite> = new Map()
  readonly journal: ScriptedJournal = new ScriptedJournal()
  carries = 0
  /** What a search waits for. */
  finding: () => Promise<void> = async () => {}
  readonly past: PrimaryPast = new PrimaryPast({
    clock: this.clock,
    find: async (_primary, _table, ids) => {
      await this.finding()
      return new Map(ids.flatMap((id) => (this.rows.has(id) ? [[id, this.rows.get(id) as LastWrite]] : []))) // As just asked.
    },
    journalFor: () => this.journal,
    carryAgain: () => {
      this.carries += 1
    },
    observe: (seen) => {
      if (seen.type === 'primary.went-back') this.seen.push(seen)
    },
  })

  /** A store that was opened on a server that says this. */
  store(said: Partial<Standing> | null = {}): Store {
    const facts = said === null ? {} : { standing: { ...standing, ...said } }
    return { label: 'pg', target: { id: 'db' }, facts } as unknown as Store // Nothing else of it is read.
  }

  async open(said: Partial<Standing> | null = {}): Promise<Store> {
    const store = this.store(said)
    await this.past.opened(store)
    return store
  }

  write(store: Store, id: string): void {
    this.past.acknowledged.wrote(store, 'feedback', id, { holdfast_attempt: `attempt of ${id}`, version: 1 })
  }

  get reports(): readonly unknown[] {
    return this.seen.map(({ reason, rows }) => [reason, ...rows])
  }
}

/** What is read of a state in which this store serves. */
function serving(store: Store): State<Store> {
  return { name: 'PRIMARY_CONNECTED', store } as State<Store>
}

describe('a primary that is opened again', () => {
  it('is not searched where the same server goes on', async () => {
    const scene = new Scene()
    scene.write(await scene.open(), 'a')
    await scene.open({ position: 120n })
    assert.deepEqual([scene.reports, scene.past.problems], [[], []])
  })

  it('names what another server, a higher timeline or a restarted server lacks, once', async () => {
    for (const change of [
      { server: 's2', timeline: 2 },
      { timeline: 2, position: 90n },
      { server: 's2', cluster: null },
    ]) {
      const scene = new Scene()
      scene.write(await scene.open(), 'a')
      const again = await scene.open(change)
      assert.deepEqual(scene.reports, [[null, 'feedback/a']])
      assert.deepEqual(scene.seen[0]?.counts, new Map([['feedback', 1]]))
      assert.equal(scene.past.isBack(again), true)
      await scene.open({ ...change, server: 's3' })
      assert.equal(scene.seen.length, 1)
      assert.match(scene.past.problems[0]?.message ?? '', /lacks 1 write that it had acknowledged: feedback\/a\.$/)
    }
  })

  it('is all right where it has what it has acknowledged', async () => {
    const scene = new Scene()
    scene.write(await scene.open(), 'a')
    scene.rows.set('a', { attempt: 'attempt of a', version: 1 })
    const again = await scene.open({ server: 's2', timeline: 2 })
    assert.deepEqual([scene.reports, scene.past.isBack(again), scene.carries], [[], false, 0])
  })

  it('went back by what it says, whatever is known to be missing', async () => {
    const scene = new Scene()
    await scene.open({ timeline: 2 })
    await scene.open({ timeline: 1, server: 's2' })
    await scene.open({ timeline: 1, server: 's3', position: 99n })
    assert.deepEqual(scene.reports, [['timeline'], ['position']])
    assert.equal(scene.carries, 2)
  })

  it('has what was acknowledged before a position that the same timeline still has, also where rows are gone', async () => {
    const scene = new Scene()
    const first = await scene.open()
    scene.write(first, 'a')
    await scene.clock.advance(2_000)
    scene.past.stood(first, { ...standing, position: 110n })
    scene.write(first, 'b')
    await scene.open({ server: 's2', position: 110n })
    assert.deepEqual(scene.reports, [[null, 'feedback/b']])
  })

  it('is asked for the last minute in which it served', async () => {
    const scene = new Scene()
    const first = await scene.open()
    scene.past.changed(serving(first))
    scene.write(first, 'a')
    await scene.clock.advance(30_000)
    scene.write(first, 'b')
    await scene.clock.advance(59_000)
    scene.past.changed(initialState(0))
    await scene.clock.advance(3_600_000)
    await scene.open({ timeline: 2 })
    assert.deepEqual(scene.reports, [[null, 'feedback/b']])
  })

  it('is searched at the next opening where the search failed', async () => {
    const scene = new Scene()
    scene.write(await scene.open(), 'a')
    scene.finding = async () => await Promise.reject(new Error('lost'))
    await scene.open({ timeline: 2 })
    assert.deepEqual(scene.reports, [])
    scene.finding = async () => {}
    await scene.open({ timeline: 2, position: 101n })
    assert.deepEqual(scene.reports, [[null, 'feedback/a']])
  })

  it('is not waited for in vain: a search on a store that was left does not count', async () => {
    const scene = new Scene()
    scene.write(await scene.open(), 'a')
    let answer = (): void => {}
    scene.finding = () => new Promise((resolve) => (answer = resolve))
    const first = scene.past.opened(scene.store({ timeline: 2 }))
    await settle()
    scene.finding = async () => {}
    scene.rows.set('a', { attempt: 'attempt of a', version: 1 })
    await scene.open({ timeline: 2, server: 's3' })
    scene.rows.clear()
    answer()
    await first
    assert.deepEqual(scene.reports, [])
  })

  it('says nothing where its driver knows no clusters', async () => {
    const scene = new Scene()
    scene.write(await scene.open(null), 'a')
    await scene.open(null)
    assert.deepEqual(scene.reports, [])
  })

  it('may catch up where all members accept writes, and serves meanwhile', async () => {
    const scene = new Scene()
    const galera = { timeline: null, position: null }
    const first = await scene.open(galera)
    for (const id of ['a', 'b']) scene.write(first, id)
    await scene.open({ ...galera, server: 's2' })
    await settle()
    scene.rows.set('a', { attempt: 'attempt of a', version: 1 })
    await scene.clock.advance(2_000)
    assert.deepEqual(scene.reports, [[null, 'feedback/b']])
  })
})

describe('a primary that serves', () => {
  it('is searched when a look meets another server behind the same address', async () => {
    const scene = new Scene()
    const store = await scene.open()
    scene.past.stood(store, { ...standing, position: 110n })
    scene.write(store, 'a')
    await scene.clock.advance(2_000)
    scene.rows.set('b', { attempt: 'attempt of b', version: 1 })
    scene.write(store, 'b')
    scene.past.stood(store, { ...standing, server: 's2', timeline: 2, position: 200n })
    await settle()
    assert.deepEqual(scene.reports, [[null, 'feedback/a']])
    assert.equal(scene.carries, 1)
  })

  it('is no older state of itself when its host has become a standby', async () => {
    const scene = new Scene()
    const store = await scene.open({ timeline: 2 })
    scene.write(store, 'a')
    scene.past.stood(store, { ...standing, server: 's2', isWritable: false, position: 50n })
    await settle()
    assert.deepEqual(scene.reports, [])
  })

  it('leaves what it is in the file of the fallback every ten seconds, once its journal is addressed', async () => {
    const scene = new Scene()
    const store = await scene.open()
    const look = async (position: bigint): Promise<bigint | null | undefined> => {
      scene.past.stood(store, { ...standing, position })
      await settle()
      return scene.journal.keptStanding?.position
    }
    assert.equal(await look(110n), undefined)
    assert.equal(await scene.past.met(scene.journal, store), false)
    assert.equal(scene.journal.keptStanding?.position, 110n)
    assert.equal(await look(120n), 120n)
    await scene.clock.advance(9_000)
    assert.equal(await look(130n), 120n)
    await scene.clock.advance(1_000)
    assert.equal(await look(140n), 140n)
  })
})

describe('a journal that meets its primary', () => {
  it('is carried again where the file knows a later state than the primary has, until it was', async () => {
    const later = [{ timeline: 2 }, { position: 101n }, { cluster: 'c0' }]
    for (const change of later) {
      const scene = new Scene()
      scene.journal.keptStanding = { ...standing, ...change }
      const store = await scene.open()
      assert.equal(await scene.past.met(scene.journal, store), true)
      assert.equal(scene.seen.length, 1)
      assert.equal(scene.past.isBack(store), true)
      scene.past.carried(store)
      assert.equal(await scene.past.met(scene.journal, store), false)
      assert.deepEqual([scene.seen.length, scene.journal.keptStanding?.timeline], [1, 1])
    }
  })

  it('is not where a failover has lost nothing that was seen', async () => {
    const scene = new Scene()
    scene.journal.keptStanding = standing
    assert.equal(await scene.past.met(scene.journal, await scene.open({ timeline: 2, position: 100n })), false)
    const lost = new Scene()
    lost.journal.keptStanding = standing
    assert.equal(await lost.past.met(lost.journal, await lost.open({ timeline: 2, position: 99n })), true)
  })

  it('is carried again after what the process has noticed itself, which is reported once', async () => {
    const scene = new Scene()
    scene.journal.keptStanding = { ...standing, timeline: 2 }
    await scene.open({ timeline: 2 })
    const again = await scene.open({ server: 's2' })
    assert.equal(await scene.past.met(scene.journal, again), true)
    assert.deepEqual(scene.reports, [['timeline']])
  })
})
