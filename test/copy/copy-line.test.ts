import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ageText, type CopyLine, copyLineOf, copySentence, copyStatusOf } from '../../src/copy/copy-line.ts'
import type { KnownCopy } from '../../src/copy/whole-copy.ts'
import type { CopyState } from '../../src/driver/facet/copy.ts'
import { drawId } from '../../src/driver/kit/draw-id.ts'

const target = 'postgresql db:5432/app'
const nowMs = 1_790_000_000_000

const state: CopyState = {
  ...{ isSwept: true, isVerified: true, columns: [], after: null, asOfMs: nowMs - 9_000 },
  ...{ polled: drawId(), rows: 1_204, bytes: 70_000 },
}

function fallback(known: Partial<CopyState> | null, identity: string | null = 'one'): KnownCopy {
  const copy = {
    source: () => ({ identity: 'one', target }),
    state: () => (known === null ? null : { ...state, ...known }),
  }
  return { copy, journal: { identity } }
}

const nothing = (): null => null

test('a whole copy says how old it is, and how many rows it has', () => {
  const line = copyLineOf(fallback({}), 'bugs', target, () => 'the disk is full')
  assert.deepEqual(line, {
    collection: 'bugs',
    isWhole: true,
    asOfMs: nowMs - 9_000,
    rows: 1_204,
    bytes: 70_000,
    why: null,
  })
  assert.equal(copySentence(line, nowMs, true), '1,204 rows, complete, 9 s old: readable and writable')
  assert.equal(copySentence({ ...line, rows: 1 }, nowMs, false), '1 row, complete, 9 s old: readable')
  assert.deepEqual(copyStatusOf(line), {
    ...{ collection: 'bugs', complete: true, asOf: new Date(nowMs - 9_000).toISOString() },
    ...{ rows: 1_204, bytes: 70_000, why: null },
  })
})

test('a copy that is not whole says why', () => {
  const whyOf = (known: KnownCopy | null, at: string | null = target): string | null =>
    copyLineOf(known, 'bugs', at, nothing).why
  assert.equal(whyOf(null), 'it is not copied yet')
  assert.equal(whyOf(fallback(null)), 'it is not copied yet')
  assert.equal(whyOf(fallback({ isSwept: false })), 'it is being copied')
  assert.equal(whyOf(fallback({ isVerified: false })), 'rows of it are to be compared with the primary')
  assert.equal(whyOf(fallback({ polled: null })), 'it is being compared with the primary')
  assert.equal(whyOf(fallback({}), 'postgresql other:5432/app'), 'what was copied is from another database')
  assert.equal(whyOf(fallback({}, 'two')), 'it is being compared with the primary')
  const line = copyLineOf(fallback(null), 'bugs', target, () => 'COPY is off')
  assert.equal(copySentence(line, nowMs, true), 'not copied: new rows only (COPY is off)')
  assert.equal(copySentence(line, nowMs, false), 'not copied: no rows (COPY is off)')
  const filling: CopyLine = copyLineOf(fallback({ isSwept: false }), 'bugs', target, nothing)
  assert.equal(copySentence(filling, nowMs, true), 'not copied whole: new rows only (it is being copied)')
  assert.deepEqual([copyStatusOf(filling).complete, copyStatusOf(filling).asOf], [false, null])
})

test('ages are said in the unit that a person would use', () => {
  const [minute, hour] = [60_000, 3_600_000]
  assert.deepEqual(
    [-5, 400, 9_400, 119_000, 2 * minute, 119 * minute, 2 * hour, 47 * hour, 48 * hour, 240 * hour].map(ageText),
    ['0 s', '0 s', '9 s', '119 s', '2 min', '119 min', '2 h', '47 h', '2 d', '10 d'],
  )
})
