import assert from 'node:assert/strict'
import { copyFile } from 'node:fs/promises'
import { test } from 'node:test'
import { everything } from '../collection/support.ts'
import { idOf, insert, pathIn, plain, Scene, update } from '../journal/bench.ts'
import { onServers } from '../journal/servers.ts'
import { cliEntry, runProcess } from '../support/process.ts'
import type { Cleanup } from '../support/temp.ts'

/** Runs the command line next to the files of a scene; ids and times are replaced by words. */
async function holdfast(t: Cleanup & Parameters<typeof runProcess>[0], scene: Scene, ...args: string[]) {
  const files = Object.fromEntries(
    [everything, plain].map((one) => [`config/collections/${one.name}.json`, JSON.stringify(one)]),
  )
  const env = {
    DATABASE_URL: scene.server.url(scene.database),
    DATA_DIR: scene.dir,
    FALLBACK_DATABASE_URL: 'sqlite:///./fallback.db',
  }
  const { code, stdout, stderr } = await runProcess(t, { args: [cliEntry, ...args], env, files })
  return { code, stdout, stderr }
}

const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

/** Text with ids, times and places as words, so that it can be compared. */
function plainText(text: string): string {
  return text
    .replace(
      /0190a1b2-0000-7000-8000-0+([0-9a-f]{2})\b/g,
      (_, hex) => `row-${String.fromCharCode(Number.parseInt(hex, 16))}`,
    )
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/ +$/gm, '')
}

onServers(
  'the commands',
  (server) => {
    test('an outage by hand: what waits is listed, carried, and what cannot be is settled', async (t) => {
      const scene = await Scene.make(t, server())
      const [fallback] = [await scene.fallback(), await scene.primary()]
      const first = await insert(fallback, 'a', 'one')
      const second = await update(fallback, 'a', 'two')
      // The service that holds the file goes on.
      const listed = await holdfast(t, scene, 'journal', 'list')
      assert.deepEqual(
        { ...listed, stdout: plainText(listed.stdout) },
        {
          code: 0,
          stderr: '',
          stdout: [
            '  TIME  insert  everything  ID  ID',
            '  TIME  update  everything  ID  ID',
            '2 changes in 2 transactions to be carried to the primary.',
            '',
          ]
            .join('\n')
            .replace(/ID {2}ID/g, 'row-a  ID'),
        },
      )
      const [head, ...entries] = jsonLines((await holdfast(t, scene, 'journal', 'list', '--json')).stdout)
      assert.equal(head?.transactions, 2)
      assert.deepEqual(
        entries.map(({ attempt, operation, row }) => [attempt, operation, row]),
        [
          [first, 'insert', idOf('a')],
          [second, 'update', idOf('a')],
        ],
      )
      const shared = await holdfast(t, scene, 'replay')
      assert.equal(shared.code, 3)
      assert.match(shared.stderr, /Another process uses the file/)
      await fallback.close(1_000)
      const carried = await holdfast(t, scene, 'replay')
      assert.deepEqual([carried.code, carried.stderr], [0, ''])
      assert.match(carried.stdout, /^Carried 2 transactions to /)
      assert.deepEqual(await scene.words(), { [idOf('a')]: 'two' })
      const again = await holdfast(t, scene, 'replay', '--json')
      assert.deepEqual(
        jsonLines(again.stdout).map(({ event, transactions, parked }) => [event, transactions, parked]),
        [['carried', 0, 0]],
      )
      assert.match((await holdfast(t, scene, 'journal', 'list')).stdout, /^Nothing waits/)
    })

    test('conflicts are listed, shown and settled', async (t) => {
      const scene = await Scene.make(t, server())
      const [fallback, primary] = [await scene.fallback(), await scene.primary()]
      await insert(fallback, 'a', 'one')
      await scene.replayer().carry(fallback, primary, 0, new AbortController().signal)
      await scene.server.query("update everything set word = 'theirs'", scene.database)
      const attempt = await update(fallback, 'a', 'ours')
      const later = await update(fallback, 'a', 'ours too')
      await fallback.close(1_000)
      await copyFile(pathIn(scene), pathIn(scene, 'copy of it.db'))
      const carried = await holdfast(t, scene, 'replay', pathIn(scene, 'copy of it.db'))
      assert.match(carried.stdout, /and parked 2: see "holdfast conflicts list"/)
      const list = await holdfast(t, scene, 'conflicts', 'list')
      assert.equal(
        plainText(list.stdout),
        [
          '  ID  TIME  update_differing  update of everything row-a',
          '  ID  TIME  update_differing  update of everything row-a',
          '2 open conflicts.',
          '',
        ].join('\n'),
      )
      const shown = await holdfast(t, scene, 'conflicts', 'show', attempt)
      assert.equal(shown.code, 0)
      assert.match(shown.stdout, /^1\. update of everything \S+: update_differing$/m)
      assert.match(shown.stdout, /^ {2}word +"one" +"ours" +"theirs"$/m)
      assert.doesNotMatch(shown.stdout, /createdAt/)
      const blocked = await holdfast(t, scene, 'conflicts', 'take', 'ours', later)
      assert.deepEqual(
        [blocked.code, blocked.stderr],
        [3, `holdfast: An older conflict on one of its rows is open. Settle ${attempt} first.\n`],
      )
      assert.deepEqual((await holdfast(t, scene, 'conflicts', 'take', 'ours', attempt)).stdout, 'Settled: ours.\n')
      const twice = await holdfast(t, scene, 'conflicts', 'take', 'ours', attempt)
      assert.deepEqual([twice.code, twice.stdout], [0, 'It was settled before: ours. Nothing was changed.\n'])
      const retried = await holdfast(t, scene, 'conflicts', 'retry', later, '--json')
      assert.deepEqual(jsonLines(retried.stdout), [{ event: 'settling', id: later, is: 'settled', as: 'retried' }])
      assert.deepEqual(await scene.words(), { [idOf('a')]: 'ours too' })
      assert.equal((await holdfast(t, scene, 'conflicts', 'list')).stdout, 'No conflict is open.\n')
      const settled = await holdfast(t, scene, 'conflicts', 'list', 'settled')
      assert.equal(
        plainText(settled.stdout),
        [
          '  ID  TIME  update_differing  ours     update of everything row-a',
          '  ID  TIME  update_differing  retried  update of everything row-a',
          '2 settled conflicts.',
          '',
        ].join('\n'),
      )
      const absent = await holdfast(t, scene, 'conflicts', 'show', 'nothing')
      assert.equal(absent.code, 1)
    })

    test('the rows of a local store are carried when that is asked for, and claims are pruned', async (t) => {
      const scene = await Scene.make(t, server())
      const local = await scene.local()
      await insert(local, 'a', 'one')
      await local.close(1_000)
      const file = pathIn(scene, 'local.db')
      const refused = await holdfast(t, scene, 'replay', file)
      assert.equal(refused.code, 2)
      assert.match(refused.stderr, /is a local store\. Add --all-rows/)
      const carried = await holdfast(t, scene, 'replay', file, '--all-rows')
      assert.deepEqual([carried.code, carried.stderr], [0, ''])
      assert.match(carried.stdout, /^Carried 1 transaction to /)
      assert.deepEqual(await scene.words(), { [idOf('a')]: 'one' })
      const pruned = await holdfast(t, scene, 'prune', '--older-than', '90d')
      assert.match(pruned.stdout, /^Deleted 0 claims\. Changes from before \S+ are parked from now on\.\n$/)
    })
  },
  'PostgreSQL',
)

test('words that mean nothing end with 1 and say what does', async (t) => {
  const ages = ['5', '99999d'].map((age) => ['prune', '--older-than', age])
  for (const args of [['journal'], ['conflicts', 'take', 'x'], ['replay', 'a', 'b'], ...ages]) {
    const { code, stdout, stderr } = await runProcess(t, { args: [cliEntry, ...args] })
    assert.deepEqual([code, stdout], [1, ''], args.join(' '))
    assert.match(stderr, /^holdfast: .* See "holdfast --help"\.\n$/)
  }
})
