import assert from 'node:assert/strict'
import { readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { partKey } from '../../../src/archive/format/names.ts'
import { lastProven, runDrill } from '../../../src/archive/restore/drill.ts'
import { readInventory } from '../../../src/archive/restore/inventory.ts'
import { systemClock } from '../../../src/database/store/clock.ts'
import { until } from '../../support/until.ts'
import { Machine, type Running } from './real.ts'

const signal = new AbortController().signal

async function emptied(machine: Machine): Promise<void> {
  await rm(dirname(machine.file), { recursive: true, force: true })
}

async function machineWithRows(t: TestContext): Promise<{ machine: Machine; running: Running }> {
  const machine = await Machine.make(t)
  const running = await machine.start()
  await running.write('one', 'two')
  await running.write('three')
  return { machine, running }
}

describe('a SQLite store and a folder', () => {
  test('an emptied disk has its rows again, and the same archive goes on', async (t) => {
    const { machine, running } = await machineWithRows(t)
    await running.stop()
    await emptied(machine)
    const again = await machine.start()
    assert.deepEqual(await again.rows(), ['one', 'two', 'three'])
    await again.write('four')
    assert.deepEqual(again.restore.problems, [])
    assert.deepEqual(again.archiver.state.problems, [])
    await again.stop()
    await emptied(machine)
    const third = await machine.start()
    assert.deepEqual(await third.rows(), ['one', 'two', 'three', 'four'])
    const inventory = await readInventory(machine.target, signal)
    assert.equal(new Set(inventory?.snapshots.map(({ manifest }) => manifest.lineage)).size, 1)
  })

  test('a process that is replaced without a stop loses nothing that was archived', async (t) => {
    const { machine, running } = await machineWithRows(t)
    const again = await (await Machine.make(t, machine.dir)).start()
    assert.deepEqual(await again.rows(), ['one', 'two', 'three'])
    await assert.rejects(running.write('four'))
    await until(() => running.archiver.state.phase === 'fenced')
    await again.write('five')
    assert.deepEqual(await again.rows(), ['one', 'two', 'three', 'five'])
  })
})

describe('a drill', () => {
  test('restores in a folder of its own, and says in the archive what it has proven', async (t) => {
    const { machine, running } = await machineWithRows(t)
    const folder = join(machine.dir, 'drill')
    const parts = { target: machine.target, clock: systemClock, folder, rebuild: machine.local.archive.rebuild }
    assert.equal(await lastProven(machine.target, null, signal), null)
    const drill = await runDrill(parts, null, signal)
    assert.deepEqual([drill?.failure, drill?.rows], [null, 3])
    assert.equal((await readdir(machine.dir)).includes('drill'), false)
    const proven = await lastProven(machine.target, null, signal)
    assert.deepEqual([proven?.rows, proven?.atMs], [3, drill?.atMs])
    // It goes on meanwhile, and the drill sees what follows.
    await running.write('four')
    assert.equal((await runDrill(parts, null, signal))?.rows, 4)
    assert.equal(await runDrill(parts, 'another', signal), null)
  })

  test('notices a snapshot whose rows are not those that it was made with', async (t) => {
    const { machine } = await machineWithRows(t)
    const parts = { target: machine.target, clock: systemClock, folder: join(machine.dir, 'drill') }
    const { rebuild } = machine.local.archive
    const other = async (path: string): ReturnType<typeof rebuild> => {
      const file = await rebuild(path)
      const finish = file.finish.bind(file)
      file.finish = async (given) => {
        const proof = await finish(given)
        return { ...proof, tables: proof.tables.map((table) => ({ ...table, hash: 'another' })) }
      }
      return file
    }
    const drill = await runDrill({ ...parts, rebuild: other }, null, signal)
    assert.match(drill?.failure ?? '', /^The snapshot snapshots\/\S+ has other rows in \S+ than it was made with\.$/)
    assert.equal(await lastProven(machine.target, null, signal), null)
  })

  test('names the object that is damaged', async (t) => {
    const { machine } = await machineWithRows(t)
    const { target } = machine
    const [snapshot] = (await readInventory(target, signal))?.snapshots ?? []
    const key = partKey(snapshot?.folder ?? '', 1)
    const bytes = Buffer.from((await target.get(key)) ?? [])
    bytes[20] = (bytes[20] ?? 0) ^ 1
    await target.put(key, bytes)
    const parts = { target, clock: systemClock, folder: join(machine.dir, 'drill') }
    const drill = await runDrill({ ...parts, rebuild: machine.local.archive.rebuild }, null, signal)
    assert.ok(drill?.failure?.includes(key), drill?.failure ?? 'no failure')
  })
})
