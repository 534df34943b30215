import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lineageProblem } from '../../../src/archive/problems.ts'
import { emptyStartProblem } from '../../../src/archive/restore/report.ts'
import type { Started, StartedStore } from '../../../src/archive/restore/start.ts'
import type { ChainHead } from '../../../src/archive/ship/takeover.ts'
import type { Problem } from '../../../src/config/problem.ts'
import type { Store } from '../../../src/database/store/store.ts'
import { emptySteps, type StoreSteps } from '../../../src/database/supervisor/steps.ts'
import { HoldfastError } from '../../../src/errors.ts'
import {
  ArchiveService,
  type ConfiguredArchive,
  type StoreArchiver,
} from '../../../src/service/archiving/archive-service.ts'
import { type Rig, rigOf } from '../../database/rig.ts'
import { archiveLike } from '../../support/archive-state.ts'
import { settle } from '../../support/fake-clock.ts'

class ScriptedArchiver implements StoreArchiver {
  state = archiveLike()
  canConfirm = true
  isPreparing = false
  get lagS(): number | null {
    return this.state.lagS
  }
  readonly log: string[] = []
  closing: PromiseWithResolvers<void> | null = null

  start(): void {
    this.log.push('start')
  }

  async confirmed(): Promise<void> {
    this.log.push('confirmed')
  }

  async close(withinMs: number): Promise<void> {
    this.log.push(`close ${withinMs > 0 ? 'in time' : 'at once'}`)
    await this.closing?.promise
  }
}

interface Scripted {
  readonly rig: Rig
  readonly service: ArchiveService
  readonly archiver: ScriptedArchiver
  readonly heads: (ChainHead | null)[]
  readonly defects: unknown[]
  readonly served: (string | null)[]
  readonly exported: string[]
  readonly restore: {
    standing: ConfiguredArchive['restore']['standing']
    started: Promise<Started>
    problems: Problem[]
  }
}

/** Only compared. */
const head = { number: 7 } as unknown as ChainHead
const local = {} as unknown as StartedStore

function scripted(declared = false, isConfigured = true): Scripted {
  const archiver = new ScriptedArchiver()
  const heads: (ChainHead | null)[] = []
  const defects: unknown[] = []
  const served: (string | null)[] = []
  const exported: string[] = []
  const restore: Scripted['restore'] = { standing: null, started: Promise.resolve({ kind: 'present' }), problems: [] }
  const configured: ConfiguredArchive = {
    label: 's3://rows/prefix',
    restore: {
      run: () => restore.started,
      progress: { bytes: 1, ofBytes: 3 },
      get standing() {
        return restore.standing
      },
      get problems() {
        return restore.problems
      },
    },
    foreign: { serving: (primary) => served.push(primary?.role ?? null), close: async () => {}, problems: [] },
    exports: { start: () => exported.push('start'), close: async () => void exported.push('close'), problems: [] },
    archiverOf: (store, taken) => {
      if (store.role === 'primary') return null
      heads.push(taken)
      return archiver
    },
  }
  const service = new ArchiveService({
    configured: () => (isConfigured ? configured : null),
    localStore: () => (declared ? null : local),
    unsuited: () => null,
    defect: (error) => defects.push(error),
  })
  const steps: StoreSteps = {
    ...emptySteps,
    restore: (signal) => service.restore(signal),
    changed: (state) => service.changed(state),
    leave: (store, drained, withinMs) => service.leave(store, drained, withinMs),
  }
  const facts = { ephemeral: true }
  return {
    rig: rigOf({ declared, steps, archiving: service, facts }),
    service,
    archiver,
    heads,
    defects,
    served,
    exported,
    restore,
  }
}

async function serving(rig: Rig): Promise<Store> {
  return (await rig.supervisor.serving()).store
}

const write = { kind: 'write', rerun: 'never' } as const

describe('the archive behind a store', () => {
  test('is begun once when the store opens, with the chain that the restore has taken over', async () => {
    const { rig, archiver, heads, restore, service } = scripted()
    restore.started = Promise.resolve({ kind: 'restored', head })
    assert.equal(service.state?.phase, 'idle')
    await serving(rig)
    await rig.work.run(async () => 1, write)
    assert.deepEqual([heads, archiver.log], [[head], ['start']])
    assert.equal(service.state?.phase, 'shipping')
    await rig.supervisor.close(0)
  })

  test('says once that a store was begun without rows', async () => {
    const { rig, archiver, restore, service } = scripted()
    restore.problems = [emptyStartProblem('s3://rows/prefix', 'No answer in time.')]
    await serving(rig)
    const codes = (): readonly string[] | undefined => service.state?.problems.map(({ code }) => code)
    assert.deepEqual(codes(), ['ARCHIVE_EMPTY_START'])
    const madeAt = '2026-11-28T20:00:00.000Z'
    const record = { lineage: 'l', store: 's', number: 3, why: 'empty-start', madeAt } as const
    const found = lineageProblem('s3://rows/prefix', record)
    archiver.state = { ...archiveLike(), problems: found === null ? [] : [found] }
    assert.deepEqual(codes(), ['ARCHIVE_EMPTY_START'])
    assert.match(service.state?.problems[0]?.message ?? '', /lineage l, from segment 3 on/)
    await rig.supervisor.close(0)
  })

  test('confirms a demand, and says how far it is behind to those who make none', async () => {
    const { rig, archiver } = scripted()
    archiver.state = archiveLike({ lagS: 0.4 })
    assert.equal((await rig.work.run(async () => 1, write)).archiveLagS, 0.4)
    archiver.state = archiveLike({ lagS: null })
    assert.equal((await rig.work.run(async () => 1, write)).archiveLagS, Number.POSITIVE_INFINITY)
    assert.equal((await rig.work.run(async () => 1, { ...write, demand: 'archived' })).durability, 'archived')
    assert.deepEqual(archiver.log, ['start', 'confirmed'])
    archiver.canConfirm = false
    const refused = rig.work.run(async () => assert.fail(), { ...write, demand: 'archived' })
    await assert.rejects(refused, (error) => error instanceof HoldfastError && error.code === 'DURABILITY_UNMET')
    await rig.supervisor.close(0)
  })

  test('ships what is left before the store closes, in what the work has left of the grace time', async () => {
    const { rig, archiver } = scripted()
    await serving(rig)
    archiver.closing = Promise.withResolvers<void>()
    const closing = rig.supervisor.close(5_000)
    await settle()
    const isClosed = () => rig.seen.some(({ type }) => type === 'store.closed')
    assert.deepEqual([archiver.log, isClosed()], [['start', 'close in time'], false])
    archiver.closing.resolve()
    await closing
    assert.equal(isClosed(), true)
  })

  test('stops at once where the store is lost, and begins again with the next one', async () => {
    const { rig, archiver } = scripted()
    const store = await serving(rig)
    rig.fallback.script = ['works']
    await rig.supervisor.reconfigure(rig.supervisor.settings)
    assert.notEqual(await serving(rig), store)
    assert.deepEqual(archiver.log.at(-1), 'start')
    assert.equal(archiver.log.filter((one) => one === 'start').length, 2)
    assert.match(archiver.log[1] ?? '', /^close/)
    await rig.supervisor.close(0)
  })

  test('answers every request at once while rows are restored, and says why', async () => {
    const { rig, service, restore } = scripted()
    const started = Promise.withResolvers<Started>()
    restore.started = started.promise
    void rig.supervisor.open()
    await settle()
    for (const [standing, code] of [
      ['restoring', 'RESTORING'],
      ['required', 'ARCHIVE_REQUIRED'],
    ] as const) {
      restore.standing = standing
      const refused = rig.work.run(async () => assert.fail(), write)
      await assert.rejects(refused, (error) => error instanceof HoldfastError && error.code === code)
      assert.deepEqual([service.state?.phase, service.state?.restore?.bytes], ['restoring', 1])
    }
    restore.standing = null
    started.resolve({ kind: 'empty', head: null })
    assert.equal((await rig.work.run(async () => 1, write)).value, 1)
    await rig.supervisor.close(0)
  })

  test('restores nothing next to a declared primary, whose rows are there', async () => {
    const { rig, restore } = scripted(true)
    restore.started = Promise.reject(new Error('it was restored'))
    restore.started.catch(() => {})
    rig.primary.script = ['auth']
    assert.equal((await rig.work.run(async () => 1, write)).store, 'fallback')
    await rig.supervisor.close(0)
  })

  test('what other processes have left is carried while a primary serves', async () => {
    const { rig, served } = scripted(true)
    await serving(rig)
    assert.equal(served.at(-1), 'primary')
    await rig.supervisor.close(0)
    assert.equal(served.at(-1), null)
  })

  test('collections are exported from the first opening to the end', async () => {
    const { rig, exported } = scripted()
    assert.deepEqual(exported, [])
    await serving(rig)
    assert.deepEqual(exported, ['start'])
    await rig.supervisor.reconfigure(rig.supervisor.settings)
    await rig.supervisor.close(0)
    assert.deepEqual([exported.filter((one) => one === 'start').length, exported.at(-1)], [1, 'close'])
  })

  test('is not there without a setting', async () => {
    const { rig, service, heads } = scripted(false, false)
    assert.equal((await rig.work.run(async () => 1, write)).archiveLagS, undefined)
    assert.deepEqual([service.state, service.refusal(), heads], [null, null, []])
    await rig.supervisor.close(0)
  })

  test('a defect of it keeps no store from serving', async () => {
    const { rig, archiver, defects } = scripted()
    archiver.start = () => {
      throw new Error('a bug')
    }
    assert.equal((await rig.work.run(async () => 1, write)).value, 1)
    assert.equal(defects.length, 1)
    await rig.supervisor.close(0)
  })
})
