import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { TargetError } from '../../../src/archive/target/target.ts'
import { MemoryTarget } from '../../support/memory-target.ts'
import type { ScriptedFile } from '../../support/scripted-source.ts'
import { findRows, heads, makeFile, ScriptedProcess, startAfresh } from './rig.ts'

/** Numbers that are the same in each run, by their seed. */
function chances(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** What a run of several lives promises. */
class Run {
  readonly store = new MemoryTarget()
  readonly chance: () => number
  /** Rows whose writer was told that they are archived. */
  readonly confirmed = new Set<string>()
  readonly t: TestContext
  #rows = 0

  constructor(t: TestContext, seed: number) {
    this.t = t
    this.chance = chances(seed)
  }

  write(process: ScriptedProcess): void {
    const row = `row ${this.#rows++}`
    process.write(row)
    if (this.chance() < 0.5 || !process.archiver.canConfirm) return
    void process.archiver.confirmed().then(
      () => this.confirmed.add(row),
      () => {},
    )
  }

  /** Requests of this process fail, or lose their answer, now and then; at one of them the process dies. */
  trouble(process: ScriptedProcess, diesAt: number): void {
    let requests = 0
    const away = () => new TargetError('unreachable', 'The target does not answer.', 'Wait.')
    process.target.before = () => {
      requests += 1
      if (requests === diesAt) process.die()
      if (this.chance() < 0.05) throw away()
    }
    process.target.after = () => {
      if (requests === diesAt + 1) process.die()
      if (this.chance() < 0.05) throw away()
    }
  }

  async live(process: ScriptedProcess): Promise<void> {
    this.trouble(process, Math.floor(this.chance() * 60))
    for (let step = 0; step < 40 && !process.archiver.canConfirm && !process.isDead; step += 1) await process.pass(100)
    const steps = 5 + Math.floor(this.chance() * 25)
    for (let step = 0; step < steps && !process.isDead; step += 1) {
      const what = this.chance()
      if (what < 0.5) this.write(process)
      else if (what < 0.6) process.source.isCheckpointDue = true
      else if (what < 0.63) process.archiver.snapshotNow()
      else if (what < 0.65) process.settings = { intervalS: 1, spoolMaxBytes: 2_000 }
      await process.pass(Math.floor(this.chance() * 400))
    }
  }

  async check(what: string): Promise<void> {
    const found = await findRows(this.store)
    const rows = new Set(found?.rows)
    const lost = [...this.confirmed].filter((row) => !rows.has(row))
    assert.deepEqual(lost, [], `${what}: ${heads(this.store).length} segments`)
  }
}

test('killed between any two steps, with the disk or without it: what was confirmed is restored', async (t) => {
  let confirmed = 0
  for (let seed = 1; seed <= 15; seed += 1) {
    const run = new Run(t, seed)
    let file: ScriptedFile = await makeFile(t)
    let process = new ScriptedProcess(run.store, file).start()
    for (let life = 0; life < 5; life += 1) {
      await run.live(process)
      if (run.chance() < 0.2 && !process.isDead) {
        run.trouble(process, Number.NEGATIVE_INFINITY)
        await process.close()
      } else await process.kill()
      await run.check(`seed ${seed}, life ${life}`)
      if (run.chance() < 0.5) process = new ScriptedProcess(run.store, file).start()
      else {
        file = await makeFile(t, `store-${seed}-${life}`)
        const found = await findRows(run.store)
        if (found !== null) file = { ...file, fileId: lastStore(run.store, found.lineage) }
        process = await startAfresh(file, run.store)
      }
    }
    await process.kill()
    confirmed += run.confirmed.size
  }
  // How many depends on the disk, which scripted time does not wait for.
  assert.ok(confirmed > 30, `${confirmed} rows were confirmed`)
})

test('two processes at once, and a zombie that wakes up: what either was told is archived is in one history', async (t) => {
  let confirmed = 0
  for (let seed = 1; seed <= 15; seed += 1) {
    const run = new Run(t, seed)
    const first = await new ScriptedProcess(run.store, await makeFile(t)).start().ready()
    await run.live(first)
    const second = await startAfresh(await makeFile(t), run.store)
    for (let step = 0; step < 20; step += 1) {
      const process = run.chance() < 0.5 ? first : second
      run.write(process)
      await process.pass(300)
    }
    await run.check(`seed ${seed}`)
    confirmed += run.confirmed.size
    await first.kill()
    await second.kill()
  }
  assert.ok(confirmed > 20, `${confirmed} rows were confirmed`)
})

function lastStore(store: MemoryTarget, lineage: string): string {
  return heads(store).findLast((head) => head.lineage === lineage)?.store ?? 'store-1'
}
