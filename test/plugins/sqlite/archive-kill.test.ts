import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { KeptFolder } from './archive-folder.ts'
import { rowsOf } from './archive-store.ts'
import { subfolder, tempFolder } from './bench.ts'

const program = fileURLToPath(new URL('archive-process.ts', import.meta.url))

/** Each is killed at a moment of its own. */
const rounds = 6

interface Outcome {
  readonly isContinued: boolean
  /** Ids that were kept before the kill. */
  readonly kept: readonly number[]
}

/** Runs the program until it has kept some, and then for a random time. */
async function killed(folder: string, keptFolder: string, start: number): Promise<Outcome> {
  const child = spawn(process.execPath, [program, folder, keptFolder, String(start)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  let output = ''
  let isEnding = false
  child.stdout.setEncoding('utf8')
  for await (const text of child.stdout) {
    output += text
    if (isEnding || !/\n\d/.test(output)) continue
    isEnding = true
    void sleep(Math.random() * 700).then(() => child.kill('SIGKILL'))
  }
  await closed
  const [first, ...ids] = output.split('\n').slice(0, -1)
  assert.match(first ?? '', /^begin (true|false)$/)
  return { isContinued: first === 'begin true', kept: ids.map(Number) }
}

test('rows that were kept survive kill -9 and an emptied disk, and the chain goes on', async (t) => {
  const home = await tempFolder(t)
  const folder = await subfolder(home, 'data')
  const keptFolder = join(home, 'kept')
  const all = new Set<number>()
  let continued = 0
  for (let round = 0; round < rounds; round += 1) {
    const { isContinued, kept } = await killed(folder, keptFolder, round * 1_000_000 + 100_000)
    if (isContinued) continued += 1
    // A file that was just rebuilt goes on always.
    if (round % 3 === 0) assert.equal(isContinued, round > 0, `round ${round}`)
    for (const id of kept) all.add(id)
    const restored = await subfolder(home, `restored-${round}`)
    const rows = rowsOf(await new KeptFolder(keptFolder).read().restore(restored)).thing ?? []
    const ids = new Set(rows.map((row) => (Array.isArray(row) ? Number(row[0]) : 0)))
    assert.deepEqual(
      [...all].filter((id) => !ids.has(id)),
      [],
      `lost in round ${round}`,
    )
    await rm(restored, { recursive: true })
    if (round % 3 !== 2) continue
    for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true })
  }
  assert.ok(all.size > rounds * 10)
  // A kill between a checkpoint and what is kept of it costs a snapshot.
  assert.ok(continued >= rounds / 2, `${continued} of ${rounds}`)
})
