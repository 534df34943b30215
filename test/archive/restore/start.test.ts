import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { recordBytes } from '../../../src/archive/format/fields.ts'
import { rootKey, segmentKey } from '../../../src/archive/format/names.ts'
import { readSegmentHead } from '../../../src/archive/format/segment.ts'
import type { RestoreObservation } from '../../../src/archive/restore/observation.ts'
import { type Started, type StartedStore, StartRestore } from '../../../src/archive/restore/start.ts'
import { archiveFolder } from '../../../src/archive/ship/spool.ts'
import { readShipState } from '../../../src/archive/ship/state-file.ts'
import { TargetError } from '../../../src/archive/target/target.ts'
import type { MissingFile } from '../../../src/driver/facet/archive.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { ScriptedDatabase } from '../../support/scripted-driver.ts'
import { makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { alter, ScriptedArchive, TextRebuild } from './bench.ts'

const timeoutMs = 60_000

interface Scene {
  readonly archive: ScriptedArchive
  readonly clock: FakeClock
  readonly start: StartRestore
  readonly seen: RestoreObservation[]
  readonly rebuilds: TextRebuild[]
  readonly folder: string
  missing: MissingFile | null
  isRequired: boolean
  run(signal?: AbortSignal): Promise<Started>
  /** The text of the file that was put in place. */
  text(): string | null
}

async function sceneOf(t: TestContext): Promise<Scene> {
  const path = join(await makeTempDir(t), 'production.db')
  const archive = new ScriptedArchive()
  const clock = new FakeClock()
  const seen: RestoreObservation[] = []
  const rebuilds: TextRebuild[] = []
  const { driver } = new ScriptedDatabase('local')
  const scene: Scene = {
    ...{ archive, clock, seen, rebuilds },
    start: new StartRestore({
      ...{ target: archive.target, clock, observe: (one) => seen.push(one) },
      settings: () => ({ timeoutMs, isRequired: scene.isRequired }),
    }),
    folder: archiveFolder(path),
    missing: { path, why: 'absent', aside: null },
    isRequired: false,
    run: async (signal = new AbortController().signal) => await scene.start.run(store, signal),
    text: () => rebuilds.find(({ isFinished }) => isFinished)?.text ?? null,
  }
  const store: StartedStore = {
    driver,
    missing: async () => scene.missing,
    rebuild: async () => {
      const one = new TextRebuild()
      rebuilds.push(one)
      return one
    },
  }
  return scene
}

async function withRows(t: TestContext): Promise<Scene> {
  const scene = await sceneOf(t)
  const { archive } = scene
  await archive.open()
  await archive.rows('one\n')
  await archive.snapshot()
  await archive.rows('two\n')
  return scene
}

const codes = ({ start }: Scene): string[] => start.problems.map(({ code }) => code)

describe('a start with an empty disk', () => {
  test('takes the archive over before it restores, and everything before its own number', async (t) => {
    const scene = await withRows(t)
    const { archive, start } = scene
    let seenAtFirstPart: Uint8Array | undefined
    archive.target.before = ({ method, key }) => {
      if (method === 'get' && key.includes('/part-'))
        seenAtFirstPart ??= archive.target.objects.get(segmentKey(4, null))
    }
    const started = await scene.run()
    assert.equal(scene.text(), archive.text)
    assert.equal(readSegmentHead('4', seenAtFirstPart ?? new Uint8Array()).kind, 'open')
    assert.ok(started.kind === 'restored')
    const { head } = started
    assert.deepEqual(
      [head?.number, head?.lineage, head?.rebuilt?.lineage, head?.rebuilt?.isWhole],
      [4, 'first', 'first', true],
    )
    assert.equal(head?.rebuilt?.base.number, 2)
    assert.deepEqual([start.standing, start.progress, start.problems], [null, null, []])
    const ended = scene.seen.at(-1)
    assert.deepEqual(
      scene.seen.map(({ type }) => type),
      ['restore.began', 'restore.ended'],
    )
    assert.ok(ended?.type === 'restore.ended' && ended.rows === 2 && ended.number === 3)
  })

  test('does nothing where there is a file', async (t) => {
    const scene = await withRows(t)
    scene.missing = null
    assert.deepEqual(await scene.run(), { kind: 'present' })
    assert.deepEqual([scene.archive.target.requests, scene.seen], [[], []])
  })

  test('begins without rows where nothing was ever archived', async (t) => {
    const scene = await sceneOf(t)
    scene.archive.target.objects.delete(rootKey)
    assert.deepEqual(await scene.run(), { kind: 'empty', head: null })
    assert.deepEqual(scene.seen.at(-1), { type: 'restore.skipped', label: scene.archive.target.label, why: 'nothing' })
    assert.deepEqual(codes(scene), [])
    assert.equal(await readShipState(scene.folder), null)
  })

  test('refuses requests for as long as it restores, and shows how far it is', async (t) => {
    const scene = await withRows(t)
    const { promise, resolve } = Promise.withResolvers<void>()
    const { target } = scene.archive
    target.before = async ({ key }) => {
      // The first one takes it over.
      if (target.requests.filter((one) => one.key === key).length > 1 && key === segmentKey(3, null)) await promise
    }
    const running = scene.run()
    await until(() => (scene.start.progress?.bytes ?? 0) > 0)
    assert.equal(scene.start.standing, 'restoring')
    resolve()
    await running
    assert.equal(scene.start.standing, null)
  })

  test('says what a hole has cost, and names it', async (t) => {
    const scene = await withRows(t)
    await scene.archive.rows('three\n')
    scene.archive.target.objects.delete(segmentKey(3, null))
    const started = await scene.run()
    assert.equal(scene.text(), 'one\n')
    assert.ok(started.kind === 'restored' && started.head?.rebuilt?.isWhole === false)
    assert.deepEqual(codes(scene), ['ARCHIVE_HOLE'])
    assert.match(
      scene.start.problems[0]?.message ?? '',
      /up to segment 2, .*: segment 3 is missing\. 1 later segment is kept/,
    )
  })

  test('names a damaged object', async (t) => {
    const scene = await withRows(t)
    alter(scene.archive.target, segmentKey(3, null))
    await scene.archive.rows('three\n')
    await scene.run()
    assert.deepEqual(codes(scene), ['ARCHIVE_OBJECT_DAMAGED', 'ARCHIVE_HOLE'])
  })

  test('says that a damaged file was moved away', async (t) => {
    const scene = await withRows(t)
    scene.missing = { path: join(scene.folder, '../production.db'), why: 'damaged', aside: '/data/aside.db' }
    await scene.run()
    assert.deepEqual(codes(scene), ['ARCHIVE_FILE_SET_ASIDE'])
    assert.match(
      scene.start.problems[0]?.message ?? '',
      /moved to \/data\/aside\.db\. Its rows were restored from the archive, up to 2026/,
    )
  })
})

describe('an archive that does not answer', () => {
  test('is tried until the limit, then the store begins without rows, loudly, as a lineage of its own', async (t) => {
    const scene = await withRows(t)
    const { archive, clock, start } = scene
    archive.target.isAway = true
    const running = scene.run()
    await until(() => codes(scene).includes('ARCHIVE_UNREACHABLE'))
    await clock.advance(timeoutMs - 1)
    assert.equal(start.standing, 'restoring')
    await clock.advance(1)
    assert.deepEqual(await running, { kind: 'empty', head: null })
    assert.deepEqual(codes(scene), ['ARCHIVE_EMPTY_START'])
    assert.equal((await readShipState(scene.folder))?.isEmptyStart, true)
    // One line for all tries.
    assert.deepEqual(
      scene.seen.map(({ type }) => type),
      ['restore.began', 'restore.failed', 'restore.skipped'],
    )
    assert.equal(clock.pending, 0)
    archive.target.isAway = false
    assert.equal(archive.target.keys('segments/').length, 3)
  })

  test('is restored when it answers within the limit', async (t) => {
    const scene = await withRows(t)
    const { archive, clock } = scene
    archive.target.isAway = true
    const running = scene.run()
    await until(() => codes(scene).includes('ARCHIVE_UNREACHABLE'))
    archive.target.isAway = false
    await clock.advance(10_000)
    assert.equal((await running).kind, 'restored')
    assert.deepEqual([scene.text(), codes(scene)], [archive.text, []])
  })

  test('has the whole limit again after each sign of life, and is taken over once', async (t) => {
    const scene = await withRows(t)
    const { archive, clock } = scene
    const { target } = archive
    target.isAway = true
    const running = scene.run()
    await until(() => codes(scene).includes('ARCHIVE_UNREACHABLE'))
    await clock.advance(timeoutMs - 10_000)
    // It answers until the segments are restored, then fails again.
    target.before = ({ method, key }) => {
      if (method !== 'get' || key !== segmentKey(3, null) || target.keys('segments/').length < 4) return
      target.isAway = true
      throw new TargetError('unreachable', 'It is away again.', 'Wait.')
    }
    await clock.advance(9_000)
    await until(() => scene.start.problems[0]?.message.includes('away again'))
    await clock.advance(timeoutMs - 11_000)
    assert.equal(scene.start.standing, 'restoring')
    target.isAway = false
    await clock.advance(10_000)
    assert.equal((await running).kind, 'restored')
    assert.equal(scene.text(), archive.text)
    assert.equal(archive.target.keys('segments/').length, 4)
    assert.deepEqual(
      scene.rebuilds.map(({ isFinished, isAbandoned }) => [isFinished, isAbandoned]),
      [
        [false, true],
        [true, false],
      ],
    )
  })

  test('may be slow: each part that comes is a sign of life', async (t) => {
    const scene = await sceneOf(t)
    const { archive, clock } = scene
    await archive.open()
    await archive.rows('a row that fills six parts of a snapshot, each of ten bytes\n')
    await archive.snapshot()
    archive.target.before = async ({ key }) => {
      if (key.includes('/part-')) await new Promise<void>((resolve) => void clock.wait(timeoutMs / 2, resolve))
    }
    const running = scene.run()
    let isOver = false
    void running.then(() => {
      isOver = true
    })
    await until(
      async () => {
        // Not before something waits for it: time must not pass while nothing is asked.
        if (clock.pending > 1) await clock.advance(timeoutMs / 2)
        return isOver
      },
      { everyMs: 1 },
    )
    assert.equal((await running).kind, 'restored')
    assert.ok(clock.now() > timeoutMs)
  })

  test('is waited for, however long, where it is required', async (t) => {
    const scene = await withRows(t)
    const { archive, clock, start } = scene
    scene.isRequired = true
    archive.target.isAway = true
    const running = scene.run()
    assert.equal(start.standing, null)
    await until(() => start.standing === 'required')
    await clock.advance(100 * timeoutMs)
    assert.equal(start.standing, 'required')
    archive.target.isAway = false
    await clock.advance(10_000)
    assert.equal((await running).kind, 'restored')
    assert.equal(start.standing, null)
  })

  test('that hangs is given up at the limit, too', async (t) => {
    const scene = await withRows(t)
    const { promise: asked, resolve } = Promise.withResolvers<void>()
    scene.archive.target.get = (_key, signal) =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
        resolve()
      })
    const running = scene.run()
    await asked
    await scene.clock.advance(timeoutMs)
    assert.deepEqual(await running, { kind: 'empty', head: null })
  })

  test('ends when the service closes', async (t) => {
    const scene = await withRows(t)
    scene.archive.target.isAway = true
    const controller = new AbortController()
    const running = scene.run(controller.signal)
    await until(() => codes(scene).includes('ARCHIVE_UNREACHABLE'))
    controller.abort(new Error('closing'))
    await assert.rejects(running, /closing/)
    assert.equal(scene.clock.pending, 0)
  })
})

describe('an archive that cannot be used', () => {
  test('of a newer format is left alone, without waiting', async (t) => {
    const scene = await withRows(t)
    const { objects } = scene.archive.target
    objects.set(rootKey, recordBytes({ format: 2, archive: 'a', store: 's', madeAt: '2026-01-01T00:00:00.000Z' }))
    const before = objects.size
    assert.deepEqual(await scene.run(), { kind: 'empty', head: null })
    assert.match(scene.start.problems[0]?.message ?? '', /has format 2, and this release reads 1/)
    assert.equal(objects.size, before)
  })

  test('whose snapshots are all damaged is not replaced, and said', async (t) => {
    const scene = await withRows(t)
    const { target } = scene.archive
    const [manifest = ''] = target.keys('snapshots/').filter((key) => key.endsWith('manifest.json'))
    alter(target, manifest, 0)
    const started = await scene.run()
    assert.ok(started.kind === 'empty' && started.head?.number === 4 && started.head.rebuilt === null)
    assert.deepEqual(codes(scene), ['ARCHIVE_OBJECT_DAMAGED', 'ARCHIVE_EMPTY_START'])
  })

  test('whose snapshots are all damaged is waited for where it is required, and restored once they are not', async (t) => {
    const scene = await withRows(t)
    scene.isRequired = true
    const { target } = scene.archive
    const [manifest = ''] = target.keys('snapshots/').filter((key) => key.endsWith('manifest.json'))
    const whole = target.objects.get(manifest) ?? new Uint8Array()
    alter(target, manifest, 0)
    const running = scene.run()
    await until(() => scene.start.standing === 'required')
    await scene.clock.advance(100 * timeoutMs)
    assert.equal(scene.start.standing, 'required')
    assert.ok(codes(scene).includes('ARCHIVE_OBJECT_DAMAGED'))
    target.objects.set(manifest, whole)
    await scene.clock.advance(60_000)
    assert.equal((await running).kind, 'restored')
  })

  test('makes a full disk a fault of opening, which is tried again', async (t) => {
    const scene = await withRows(t)
    const full = Object.assign(new Error('no space'), { code: 'ENOSPC' })
    const driver = new ScriptedDatabase('local').driver
    const store: StartedStore = { driver, missing: async () => scene.missing, rebuild: () => Promise.reject(full) }
    await assert.rejects(scene.start.run(store, new AbortController().signal), { name: 'FaultError' })
    assert.deepEqual([scene.start.standing, scene.archive.target.keys('segments/').length], [null, 4])
    // The next try does not take it over again.
    assert.equal((await scene.run()).kind, 'restored')
    assert.equal(scene.archive.target.keys('segments/').length, 4)
  })
})
