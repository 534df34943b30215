import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { tempFolder } from './bench.ts'
import { digestOf, fed, here, noteCopied, notesOf, openCopy } from './copy-store.ts'
import { openFor } from './journal-store.ts'

const insert = 'insert into note (id, words) values (?, ?)'

test('a SIGKILL in the middle of copying leaves rows, marks and sums of one mind, five times over', async (t) => {
  const folder = await tempFolder(t)
  for (let round = 0; round < 5; round += 1) {
    await copyUntilKilled(t, folder, round)
    const store = await openFor(t, folder)
    const copy = store.engine.copy()
    assert.ok(copy)
    const versions = copy.versions('note', null, null)
    assert.ok(versions.size > 100)
    const rows = new Map((await notesOf(store)).map((text) => [text.split(' ')[0] ?? '', text.split(' ')[1] ?? '']))
    // What a process that copies writes says of each row which version it is.
    assert.deepEqual(rows, new Map([...versions].map(([key, version]) => [key, `${key}-${version}`])))
    assert.deepEqual(
      copy.digest('note', null, null),
      digestOf([...versions].map(([key, version]) => ({ key, version }))),
    )
    const marks = await store.run.read('select count(*) as rows, sum(bytes) as bytes from holdfast_copied', [])
    const state = copy.state('note')
    assert.deepEqual([state?.rows, state?.bytes], [marks[0]?.rows, marks[0]?.bytes])
    assert.equal(store.journal.counts().entries, 0)
    await store.close()
  }
})

test('writes of clients come in between the steps of a copy', async (t) => {
  const { copy, run } = await openCopy(t, await tempFolder(t))
  const rows = Array.from({ length: 60_000 }, (_, index) => fed(`n-${index}`, null, '1'))
  let isApplied = false
  const applied = copy
    .apply(noteCopied, { rows, removed: [], look: { after: null, last: null, atMs: 7 } })
    .then((outcome) => {
      isApplied = true
      return outcome
    })
  for (let index = 0; index < 5; index += 1) await run.write(insert, [`own-${index}`, null])
  assert.equal(isApplied, false)
  copy.applyNow(noteCopied, { rows: [fed('now', 'now', '1')], removed: [] })
  assert.equal(isApplied, false)
  assert.equal(copy.state('note')?.asOfMs, null, 'the look becomes known with its end')
  assert.equal((await applied).written, 60_000)
  assert.equal(copy.state('note')?.asOfMs, 7)
  assert.equal(copy.state('note')?.rows, 60_001)
  assert.deepEqual(copy.source(), here)
})

const processFile = fileURLToPath(new URL('journal-process.ts', import.meta.url))

async function copyUntilKilled(t: TestContext, folder: string, round: number): Promise<void> {
  const child = spawn(process.execPath, [processFile, folder, 'copy', String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const ended = new Promise((resolve) => child.once('close', resolve))
  let seen = 0
  for await (const line of createInterface({ input: child.stdout })) {
    assert.match(line, /^(?:open|applied)$/)
    seen += 1
    if (seen > 10 + 3 * round) break
  }
  child.kill('SIGKILL')
  await ended
}
