import assert from 'node:assert/strict'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parseSegmentKey, segmentKey } from '../../src/archive/format/names.ts'
import { archiveFolder } from '../../src/archive/ship/spool.ts'
import { run } from '../../src/cli/run.ts'
import { plain } from '../../src/cli/terminal.ts'
import { Machine } from '../archive/restore/real.ts'

// A foreign program that reads what was restored.
const Database: new (
  path: string,
  options: object,
) => { prepare(sql: string): { pluck(): { all(): unknown[] } }; close(): void } = createRequire(
  new URL('../../plugins/sqlite/handle.ts', import.meta.url),
)('better-sqlite3')

function wordsIn(path: string): readonly unknown[] {
  const native = new Database(path, { readonly: true })
  try {
    return native.prepare('select words from note order by id').pluck().all()
  } finally {
    native.close()
  }
}

/** Runs the command line on a machine. */
async function holdfast(machine: Machine, ...args: readonly string[]) {
  const [out, err]: [string[], string[]] = [[], []]
  const code = await run(args, {
    ...{ env: { ...machine.env }, cwd: machine.dir, paint: plain, terminal: null },
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    interrupted: () => new AbortController().signal,
    start: async () => {},
  })
  return { code, out: out.join(''), err: err.join('') }
}

/** A machine whose service archived rows in three steps, and whose disk is empty now. */
async function emptied(t: TestContext): Promise<{ machine: Machine; times: readonly number[] }> {
  const machine = await Machine.make(t)
  const running = await machine.start()
  const times: number[] = []
  for (const words of ['one', 'two', 'three']) {
    await running.write(words)
    times.push(Date.now() + 1)
    // The clock of the next transaction is later.
    while (Date.now() <= (times.at(-1) ?? 0) + 1) await new Promise((resolve) => setImmediate(resolve))
  }
  await running.stop()
  await rm(dirname(machine.file), { recursive: true, force: true })
  return { machine, times }
}

test('restore brings the file back, once, and the service goes on from there', async (t) => {
  const { machine } = await emptied(t)
  const dry = await holdfast(machine, 'restore', '--dry-run')
  assert.deepEqual([dry.code, dry.err], [0, ''])
  assert.match(
    dry.out,
    /^Would restore \S+production\.db: the snapshot of \S+ \(\d+\.\d KiB\) and \d+ later segments, up to \S+\.\n$/,
  )
  assert.equal((await readdir(machine.dir)).includes('data'), false)
  const done = await holdfast(machine, 'restore')
  assert.deepEqual([done.code, done.err], [0, ''])
  assert.match(done.out, /^Restored \S+production\.db: 3 rows in 2 tables, as of 20\S+, in \d+\.\d s\.\n$/)
  assert.deepEqual(wordsIn(machine.file), ['one', 'two', 'three'])
  const again = await holdfast(machine, 'restore')
  assert.equal(again.code, 2)
  assert.match(again.err, /production\.db is in the way\. A service may be using it: stop that/)
  // What would be restored can be asked next to a service, too, before anything is moved away.
  const beside = await holdfast(machine, 'restore', '--dry-run')
  assert.deepEqual([beside.code, beside.out, beside.err], [2, dry.out, again.err])
  const running = await machine.start()
  await running.write('four')
  assert.deepEqual(await running.rows(), ['one', 'two', 'three', 'four'])
  assert.deepEqual(running.archiver.state.problems, [])
  const whileRunning = await holdfast(machine, 'restore', '--json')
  assert.equal(whileRunning.code, 2)
})

test('restore goes to a moment, and to another folder', async (t) => {
  const { machine, times } = await emptied(t)
  const at = new Date(times[1] ?? 0).toISOString()
  const { code, out } = await holdfast(machine, 'restore', '--at', at, '--to', 'elsewhere', '--json')
  assert.equal(code, 0)
  const restored = JSON.parse(out.trim())
  assert.deepEqual([restored.event, restored.end, restored.damaged], ['restored', 'reached', []])
  assert.deepEqual(wordsIn(join(machine.dir, 'elsewhere/production.db')), ['one', 'two'])
  assert.equal((await readdir(machine.dir)).includes('data'), false)
  const taken = await holdfast(machine, 'restore', '--to', 'elsewhere')
  assert.equal(taken.code, 2)
  assert.match(taken.err, /is in the way/)
  const early = await holdfast(machine, 'restore', '--at', '2020-01-01T00:00:00Z')
  assert.equal(early.code, 3)
  assert.match(early.err, /The oldest snapshot is of 20\S+, which is later than that\./)
})

test('restore to an earlier moment in place is a lineage of its own from then on, and says so', async (t) => {
  const { machine, times } = await emptied(t)
  assert.equal((await holdfast(machine, 'restore', '--at', new Date(times[0] ?? 0).toISOString())).code, 0)
  const running = await machine.start()
  await running.write('another')
  assert.deepEqual(await running.rows(), ['one', 'another'])
  assert.deepEqual(
    running.archiver.state.problems.map(({ code }) => code),
    ['ARCHIVE_AHEAD'],
  )
  await running.stop()
  const { out } = await holdfast(machine, 'archive', 'list', '--json')
  const lines: Record<string, unknown>[] = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const lineages = new Set(lines.filter(({ event }) => event === 'snapshot').map(({ lineage }) => lineage))
  assert.equal(lineages.size, 2)
  const [newer, older] = lineages
  const begun = lines.find(({ event, lineage }) => event === 'lineage' && lineage === newer)?.number
  const listed = lines.find(({ event, lineage }) => event === 'snapshot' && lineage === older)
  assert.equal(listed?.last, Number(begun) - 1, 'what follows a snapshot ends where another lineage begins')
  const kept = await holdfast(machine, 'restore', '--lineage', String(older), '--to', 'older')
  assert.equal(kept.code, 0, kept.err)
  assert.match(kept.err, new RegExp(`another lineage, ${newer}\\. .*"holdfast restore --lineage ${newer} --to FOLDER"`))
  assert.deepEqual(wordsIn(join(machine.dir, 'older/production.db')), ['one', 'two', 'three'])
})

test('archive list shows lineages and snapshots, and restore what a hole costs', async (t) => {
  const { machine } = await emptied(t)
  const keys: string[] = []
  for await (const page of machine.target.list('segments/')) keys.push(...page.map(({ key }) => key))
  const last = parseSegmentKey(keys.at(-1) ?? '')?.number ?? 0
  await machine.target.remove(segmentKey(last - 1, null))
  const { code, out } = await holdfast(machine, 'archive', 'list')
  assert.equal(code, 0)
  assert.match(
    out,
    /^file:\/\/\S+\/archive: archive \S+, begun 20\S+\n\nLineage \S+ \(first\)\n {2}20\S+ {2}segment \d+ {2}\d rows {2}\d+\.\d KiB {2}.*missing {2}not proven\n$/,
  )
  const restored = await holdfast(machine, 'restore')
  assert.equal(restored.code, 0)
  assert.match(
    restored.err,
    new RegExp(`segment ${last - 1} is missing\\. 1 later segment is kept in the archive, and not used\\.`),
  )
})

test('restore refuses while an earlier file has changes that are not archived yet', async (t) => {
  const { machine } = await emptied(t)
  const folder = archiveFolder(machine.file)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, '000000000099.segment'), 'x')
  const { code, err } = await holdfast(machine, 'restore')
  assert.equal(code, 2)
  assert.match(err, /has 1 segments of an earlier file that are not in the archive/)
})

test('what cannot be restored is said, with what to do', async (t) => {
  const machine = await Machine.make(t)
  const nothing = await holdfast(machine, 'restore')
  assert.equal(nothing.code, 3)
  assert.match(nothing.err, /Nothing was archived in file:\/\/\S+\. Check the prefix or folder in ARCHIVE_URL\./)
  for (const at of ['yesterday', '2026-01-01', '2026-01-01T00:00:00', '5']) {
    const { code, err } = await holdfast(machine, 'restore', '--at', at)
    assert.deepEqual([code, /"--at" is a time with its zone/.test(err)], [1, true], at)
  }
  const unset = await holdfast(Object.assign(Object.create(machine), { env: {} }), 'archive', 'list', '--json')
  assert.equal(unset.code, 2)
  assert.deepEqual(JSON.parse(unset.out), {
    event: 'failed',
    message: 'ARCHIVE_URL is not set.',
    hint: 'Set it to the archive.',
  })
})
