import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordBytes } from '../../../src/archive/format/fields.ts'
import { manifestKey, partKey, segmentKey } from '../../../src/archive/format/names.ts'
import { TargetError } from '../../../src/archive/target/target.ts'
import { FaultError } from '../../../src/driver/fault.ts'
import { faultLike } from '../../support/scripted-driver.ts'
import { alter, ScriptedArchive, TextRebuild, timeOf } from './bench.ts'

/** A snapshot after `one`, and `two` and `three` behind it. */
async function usual(): Promise<ScriptedArchive & { folder: string }> {
  const archive = new ScriptedArchive()
  await archive.open()
  await archive.rows('one, and more of it\n')
  const folder = await archive.snapshot()
  await archive.rows('two\n')
  await archive.rows('three\n')
  return Object.assign(archive, { folder })
}

describe('a restore', () => {
  test('is the newest complete snapshot and everything behind it', async () => {
    const archive = await usual()
    const { text, restored, damaged } = await archive.restore()
    assert.equal(text, 'one, and more of it\ntwo\nthree\n')
    assert.deepEqual(restored?.end, { why: 'complete' })
    assert.deepEqual(restored?.place, { number: 4, hash: archive.hash, position: { at: 4 }, at: timeOf(4) })
    assert.equal(restored?.unused, 0)
    assert.deepEqual(damaged, [])
  })

  test('uses a snapshot alone, and one whose file has many parts', async () => {
    const archive = new ScriptedArchive()
    await archive.open()
    await archive.rows(`${'row\n'.repeat(100)}`)
    await archive.snapshot()
    const { text, restored } = await archive.restore()
    assert.equal(text, archive.text)
    assert.equal(restored?.place.number, 2)
  })

  test('is nothing without a complete snapshot', async () => {
    const archive = await usual()
    archive.target.objects.delete(manifestKey(archive.folder))
    const { restored, damaged } = await archive.restore()
    assert.equal(restored, null)
    assert.deepEqual(damaged, [])
  })

  test('stops before a hole, names the number, and says how much is behind it', async () => {
    const archive = await usual()
    await archive.rows('four\n')
    archive.target.objects.delete(segmentKey(4, null))
    const { text, restored } = await archive.restore()
    assert.equal(text, 'one, and more of it\ntwo\n')
    assert.deepEqual(restored?.end, { why: 'missing', number: 4 })
    assert.deepEqual([restored?.place.number, restored?.unused], [3, 1])
  })

  test('sees a hole at the end, below the number of the process itself', async () => {
    const archive = await usual()
    archive.target.objects.delete(segmentKey(4, null))
    assert.deepEqual((await archive.restore({ before: 5 })).restored?.end, { why: 'missing', number: 4 })
    assert.deepEqual((await archive.restore({ before: 4 })).restored?.end, { why: 'complete' })
  })

  test('uses nothing from the number of the process itself on', async () => {
    const archive = await usual()
    const { text } = await archive.restore({ before: 4 })
    assert.equal(text, 'one, and more of it\ntwo\n')
  })

  test('stops before a segment with altered pages, and names it', async () => {
    const archive = await usual()
    const key = segmentKey(3, null)
    alter(archive.target, key)
    const { text, restored, damaged } = await archive.restore()
    assert.equal(text, 'one, and more of it\n')
    assert.ok(restored?.end.why === 'damaged' && restored.end.key === key)
    assert.deepEqual(damaged, [{ key, message: restored.end.message }])
  })

  test('never goes past an altered segment, whichever byte it is', async () => {
    const archive = await usual()
    const key = segmentKey(3, null)
    const whole = archive.target.objects.get(key) ?? new Uint8Array()
    for (let at = 0; at < whole.length; at += 1) {
      alter(archive.target, key, at)
      const { text, restored } = await archive.restore()
      // Where only its head says something else, the pages are whole, and the next one does not follow it.
      assert.ok(text === 'one, and more of it\n' || text === 'one, and more of it\ntwo\n', `byte ${at}`)
      assert.notEqual(restored?.end.why, 'complete', `byte ${at}`)
      archive.target.objects.set(key, whole)
    }
  })

  test('stops before a whole segment of another history', async () => {
    const archive = await usual()
    archive.number = 2
    archive.hash = 'f'.repeat(64)
    await archive.rows('not two\n')
    const { text, restored } = await archive.restore()
    assert.equal(text, 'one, and more of it\n')
    assert.ok(restored?.end.why === 'damaged' && /does not follow the one before/.test(restored.end.message))
  })

  test('fetches an object that was altered on its way once more', async () => {
    const archive = await usual()
    const { target } = archive
    const key = segmentKey(3, null)
    const whole = target.objects.get(key) ?? new Uint8Array()
    alter(target, key)
    target.before = ({ method }) => {
      if (method === 'get' && target.requests.filter((one) => one.method === 'get' && one.key === key).length === 2)
        target.objects.set(key, whole)
    }
    const { text } = await archive.restore()
    assert.equal(text, archive.text)
  })

  test('follows a process that has taken over, and stops where changes are known to be missing', async () => {
    const archive = await usual()
    await archive.open()
    await archive.rows('four\n')
    assert.equal((await archive.restore()).text, archive.text)
    await archive.segment({ kind: 'gap', isContiguous: false }, null)
    await archive.rows('five\n')
    const { text, restored } = await archive.restore()
    assert.equal(text, 'one, and more of it\ntwo\nthree\nfour\n')
    assert.deepEqual(restored?.end, { why: 'gap', number: 7 })
    assert.equal(restored?.unused, 2)
    await archive.snapshot()
    await archive.rows('six\n')
    assert.equal((await archive.restore()).text, archive.text)
  })

  test('stops before a process that does not continue the file', async () => {
    const archive = await usual()
    await archive.open({ isContiguous: false })
    await archive.rows('of another state\n')
    const { text, restored } = await archive.restore()
    assert.equal(text, 'one, and more of it\ntwo\nthree\n')
    assert.deepEqual(restored?.end, { why: 'gap', number: 5 })
  })
})

describe('a transaction in several segments', () => {
  test('is used when all of it is there, across a process that continues', async () => {
    const archive = await usual()
    await archive.rows('four, begun, ', { isWhole: false })
    await archive.open()
    await archive.rows('and continued, ', { isWhole: false })
    await archive.rows('and ended\n')
    const { text, restored } = await archive.restore()
    assert.equal(text, archive.text)
    assert.equal(restored?.place.number, 8)
  })

  test('is not used without its end', async () => {
    const archive = await usual()
    const { hash } = archive
    await archive.rows('four, begun, ', { isWhole: false })
    await archive.rows('and continued, ', { isWhole: false })
    await archive.open()
    const { text, restored } = await archive.restore()
    assert.equal(text, 'one, and more of it\ntwo\nthree\n')
    assert.deepEqual(restored?.end, { why: 'unfinished', number: 5 })
    assert.deepEqual([restored?.place.number, restored?.place.hash, restored?.unused], [4, hash, 3])
  })
})

describe('a damaged snapshot', () => {
  /** Two snapshots, and rows behind each. */
  async function twice(): Promise<ScriptedArchive & { folder: string }> {
    const archive = await usual()
    const folder = await archive.snapshot()
    await archive.rows('four\n')
    return Object.assign(archive, { folder })
  }

  for (const [name, damage] of [
    [
      'a part was altered',
      ({ target, folder }: Awaited<ReturnType<typeof twice>>) => alter(target, partKey(folder, 2)),
    ],
    ['a part is missing', ({ target, folder }) => void target.objects.delete(partKey(folder, 2))],
    [
      'a part was cut short',
      ({ target, folder }) => {
        const key = partKey(folder, 1)
        target.objects.set(key, (target.objects.get(key) ?? new Uint8Array()).subarray(0, 5))
      },
    ],
    ['its manifest is not JSON', ({ target, folder }) => alter(target, manifestKey(folder), 0)],
  ] satisfies readonly [string, (archive: Awaited<ReturnType<typeof twice>>) => void][]) {
    test(`makes the one before serve, with everything behind it: ${name}`, async () => {
      const archive = await twice()
      damage(archive)
      const { text, restored, damaged, rebuilds } = await archive.restore()
      assert.equal(text, archive.text)
      assert.doesNotMatch(damaged[0]?.message ?? '', /undefined/)
      assert.equal(restored?.manifest.number, 2)
      assert.deepEqual(
        damaged.map(({ key }) => key.startsWith(archive.folder)),
        [true],
      )
      assert.equal(rebuilds.filter((one) => !one.isFinished && !one.isAbandoned).length, 0)
    })
  }

  test('is also one whose restored file is damaged', async () => {
    const archive = await twice()
    let begun = 0
    const { restored, damaged } = await archive.restore(
      {},
      {
        rebuild: async () => {
          begun += 1
          const rebuild = new TextRebuild()
          if (begun === 1) {
            rebuild.finishing = () => {
              throw new FaultError(faultLike('corrupt'))
            }
          }
          return rebuild
        },
      },
    )
    assert.equal(restored?.manifest.number, 2)
    assert.deepEqual(
      damaged.map(({ key }) => key),
      [archive.folder],
    )
  })

  test('leaves nothing where no other is there', async () => {
    const archive = await usual()
    alter(archive.target, partKey(archive.folder, 1))
    const { restored, damaged, rebuilds } = await archive.restore()
    assert.equal(restored, null)
    assert.deepEqual(
      damaged.map(({ key }) => key),
      [partKey(archive.folder, 1)],
    )
    assert.deepEqual(
      rebuilds.map(({ isAbandoned }) => isAbandoned),
      [true],
    )
  })
})

describe('lineages', () => {
  /** A store, and one that was begun without its rows. */
  async function two(): Promise<ScriptedArchive> {
    const archive = await usual()
    await archive.newLineage('second')
    await archive.rows('of the second\n')
    return archive
  }

  test('the newest with a complete snapshot is restored, and the others can be named', async () => {
    const archive = await two()
    const before = await archive.restore()
    assert.equal(before.text, 'one, and more of it\ntwo\nthree\n')
    assert.deepEqual(before.restored?.end, { why: 'other-lineage', number: 5, lineage: 'second' })
    await archive.snapshot()
    await archive.rows('and more\n')
    assert.equal((await archive.restore()).text, 'of the second\nand more\n')
    assert.equal((await archive.restore({ lineage: 'first' })).text, 'one, and more of it\ntwo\nthree\n')
    assert.equal((await archive.restore({ lineage: 'none' })).restored, null)
  })
})

describe('a moment', () => {
  test('is restored from the newest snapshot before it, with what was committed until then', async () => {
    const archive = await usual()
    await archive.snapshot()
    await archive.rows('four\n')
    const at = async (minutes: number) => await archive.restore({ atMs: Date.parse(timeOf(minutes)) })
    assert.equal((await at(3)).text, 'one, and more of it\ntwo\n')
    assert.deepEqual((await at(3)).restored?.end, { why: 'reached' })
    assert.equal((await at(4)).text, 'one, and more of it\ntwo\nthree\n')
    assert.equal((await at(99)).text, archive.text)
    assert.deepEqual((await at(99)).restored?.end, { why: 'complete' })
    assert.equal((await at(1)).restored, null)
  })
})

describe('without a fence', () => {
  test('the newest process with a complete snapshot counts, with its own segments alone', async () => {
    const archive = new ScriptedArchive()
    archive.isUnfenced = true
    await archive.open({ isContiguous: false })
    await archive.rows('of the newer\n')
    await archive.snapshot()
    await archive.rows('and more of the newer\n')
    const newer = archive.text
    archive.generation = '01800000-0000-7000-8000-000000000000'
    archive.text = ''
    await archive.rows('of a zombie\n')
    await archive.snapshot()
    await archive.rows('and more of the zombie\n')
    const { text, restored } = await archive.restore()
    assert.equal(text, newer)
    assert.deepEqual(restored?.end, { why: 'complete' })
  })
})

describe('a restore that cannot go on', () => {
  test('rejects with what the target says, and leaves nothing', async () => {
    const archive = await usual()
    archive.target.before = ({ method, key }) => {
      if (method === 'get' && key === segmentKey(4, null)) throw new TargetError('unreachable', 'No answer.', 'Wait.')
    }
    const rebuilds: { readonly isAbandoned: boolean }[] = []
    const rebuild = async () => {
      const one = new TextRebuild()
      rebuilds.push(one)
      return one
    }
    await assert.rejects(archive.restore({}, { rebuild }), { kind: 'unreachable' })
    assert.deepEqual(
      rebuilds.map(({ isAbandoned }) => isAbandoned),
      [true],
    )
  })

  test('does not use what a newer release wrote, and is not silent about it', async () => {
    const archive = await usual()
    archive.target.objects.set(
      manifestKey('snapshots/000000000004-01900000-0000-7000-8000-00000000000f'),
      recordBytes({ format: 2 }),
    )
    await assert.rejects(archive.restore(), { fault: 'newer' })
  })

  test('places nothing when what comes before placing fails', async () => {
    const archive = await usual()
    const placing = async () => {
      throw new Error('fenced')
    }
    await assert.rejects(archive.restore({}, { placing }), /fenced/)
  })

  test('says how far it is, to the end', async () => {
    const archive = await usual()
    const seen: (readonly [number, number | null])[] = []
    const { restored } = await archive.restore({}, { progress: ({ bytes, ofBytes }) => seen.push([bytes, ofBytes]) })
    assert.equal(seen[0]?.[0], 0)
    assert.deepEqual(seen.at(-1), [restored?.bytes, restored?.bytes])
    assert.deepEqual(
      seen.map(([bytes]) => bytes),
      seen.map(([bytes]) => bytes).toSorted((a, b) => a - b),
    )
  })
})
