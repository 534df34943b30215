import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeReadings } from './history/copy-judge.ts'
import { type CopyReading, History, type WriteRecord } from './history/history.ts'
import type { AuditLine } from './stage/audit.ts'
import type { CommitTime } from './stage/audit-watch.ts'
import type { JournalLine } from './stage/fallback-file.ts'

/** A change of row `a` unless told, and when it was committed. */
type Line = Partial<AuditLine> & { readonly committed?: CommitTime | undefined }

/** What the primary was like, and what a client was answered from a copy: `wrong` is what the checker has to say. */
interface Case {
  readonly what: string
  readonly audit: readonly Line[]
  readonly reading: Partial<CopyReading>
  readonly writes?: readonly Partial<WriteRecord>[]
  readonly journal?: readonly Partial<JournalLine>[]
  readonly wrong: readonly string[]
}

/** Answers are sent at 10,000 and say that they are from 5,000. */
const at = (ms: number): CommitTime => ({ afterMs: ms - 100, byMs: ms })

const first: Line = { operation: 'insert', newToken: 'one', newAttempt: 'a1', committed: at(1_000) }
const second: Line = {
  ...{ operation: 'update', oldToken: 'one', newToken: 'two', oldAttempt: 'a1', newAttempt: 'a2' },
  committed: at(3_000),
}
const later: Line = { ...second, committed: at(7_000) }
const removed: Line = { operation: 'delete', oldToken: 'two', oldAttempt: 'a2', committed: at(3_500) }
const one = { id: 'a', token: 'one', attempt: 'a1' }
const two = { id: 'a', token: 'two', attempt: null }
const shows = (...rows: CopyReading['rows']): Partial<CopyReading> => ({ rows, without: null })
const lacks = (without: CopyReading['without']): Partial<CopyReading> => ({ rows: [], without })
const own: Partial<WriteRecord> = { token: 'two', operation: 'change', client: 's1', endedMs: 8_000 }

const cases: readonly Case[] = [
  { what: 'the newest version', audit: [first, second], reading: shows(two), wrong: [] },
  { what: 'a version that was replaced after the age', audit: [first, later], reading: shows(one), wrong: [] },
  { what: 'a version that was replaced before the age', audit: [first, second], reading: shows(one), wrong: ['stale'] },
  {
    what: 'a replacement of which nobody knows when it was committed',
    audit: [first, { ...second, committed: undefined }],
    reading: shows(one),
    wrong: [],
  },
  {
    what: 'a row that was deleted before the age',
    audit: [first, second, removed],
    reading: shows(two),
    wrong: ['stale'],
  },
  {
    what: 'a row that was deleted after the age',
    audit: [first, second, { ...removed, committed: at(9_000) }],
    reading: shows(two),
    wrong: [],
  },
  {
    what: 'a version that never was',
    audit: [first],
    reading: shows({ ...one, token: 'else' }),
    wrong: ['unheard of'],
  },
  {
    what: 'the token of one version with the attempt of another',
    audit: [first, second],
    reading: shows({ ...two, attempt: 'a1' }),
    wrong: ['unheard of'],
  },
  {
    what: 'a version before its COMMIT',
    audit: [first, { ...second, committed: { afterMs: 11_000, byMs: 11_200 } }],
    reading: shows(two),
    wrong: ['unheard of'],
  },
  {
    what: 'a version of the fallback itself, before it is carried',
    audit: [first, { ...second, committed: at(20_000) }],
    journal: [{ token: 'two' }],
    reading: shows(two),
    wrong: [],
  },
  {
    what: 'a version of the fallback itself, long after it was carried and replaced',
    audit: [first, second, { ...second, newToken: 'three', newAttempt: 'a3', committed: at(4_000) }],
    journal: [{ token: 'two' }],
    reading: shows(two),
    wrong: ['stale'],
  },
  {
    what: 'a token that stands in two versions',
    audit: [
      first,
      second,
      { ...second, oldToken: 'two', oldAttempt: 'a2', newToken: 'one', newAttempt: 'a1', committed: at(4_000) },
    ],
    reading: shows(one),
    wrong: [],
  },
  {
    what: "a version older than the process's own write",
    audit: [first, later],
    writes: [own],
    reading: shows(one),
    wrong: ['stale'],
  },
  {
    what: "a version older than another process's write",
    audit: [first, later],
    writes: [{ ...own, client: 's2' }],
    reading: shows(one),
    wrong: [],
  },
  {
    what: 'a version older than a write that was answered meanwhile',
    audit: [first, later],
    writes: [{ ...own, endedMs: 10_001 }],
    reading: shows(one),
    wrong: [],
  },
  {
    what: 'a version older than a transaction of business code',
    audit: [first, later],
    writes: [{ ...own, operation: 'transaction' }],
    reading: shows(one),
    wrong: [],
  },
  {
    what: 'a row that the process itself has deleted',
    audit: [first, { ...removed, committed: at(7_000) }],
    writes: [{ operation: 'remove', client: 's1', ids: ['a'], token: 'none', endedMs: 8_000 }],
    reading: shows(one),
    wrong: ['stale'],
  },
  { what: 'a 404 of a row that was there', audit: [first], reading: lacks({ id: 'a' }), wrong: ['missing'] },
  {
    what: 'a 404 of a row that came after the age',
    audit: [{ ...first, committed: at(7_000) }],
    reading: lacks({ id: 'a' }),
    wrong: [],
  },
  { what: 'a 404 of another row', audit: [first], reading: lacks({ id: 'b' }), wrong: [] },
  { what: 'a 404 of a deleted row', audit: [first, removed], reading: lacks({ id: 'a' }), wrong: [] },
  {
    what: "a 404 of a row of the process's own",
    audit: [{ ...first, committed: at(7_000) }],
    writes: [{ token: 'one', operation: 'create', client: 's1', endedMs: 8_000 }],
    reading: lacks({ id: 'a' }),
    wrong: ['missing'],
  },
  { what: 'a list without a row', audit: [first], reading: lacks({ above: null }), wrong: ['missing'] },
  { what: 'a page that ends above a row', audit: [first], reading: lacks({ above: 'a' }), wrong: [] },
  { what: 'a page that ends below a row', audit: [first], reading: lacks({ above: 'A' }), wrong: ['missing'] },
  {
    what: 'a list without a row that the fallback has deleted',
    audit: [first],
    journal: [{ operation: 'delete' }],
    reading: lacks({ above: null }),
    wrong: [],
  },
  {
    what: 'a list without a row that a client has deleted there',
    audit: [first],
    writes: [{ operation: 'remove', client: 's1', ids: ['a'], side: 'fallback', token: 'none' }],
    reading: lacks({ above: null }),
    wrong: [],
  },
  {
    what: 'a list with one row, and without another',
    audit: [first, { ...first, id: 'b', newToken: 'b1' }],
    reading: { rows: [one], without: { above: null } },
    wrong: ['missing'],
  },
]

for (const { what, wrong, ...found } of cases) {
  test(`the checker judges answers from a copy: ${what}`, () => {
    assert.deepEqual(
      judgeReadings(evidenceOf(found)).map((violation) => violation.wrong),
      wrong,
    )
  })
}

function evidenceOf({ audit, reading, writes = [], journal = [] }: Omit<Case, 'what' | 'wrong'>) {
  const history = new History()
  for (const write of writes) {
    const record = history.begin({ client: 's1', operation: 'create', ...write })
    Object.assign(record, { ending: 'acknowledged', side: 'primary' }, write)
  }
  history.read({ client: 's1', asOfMs: 5_000, sentMs: 10_000, receivedMs: 10_010, rows: [], without: null, ...reading })
  const nothing = { oldAttempt: null, newAttempt: null, oldToken: null, newToken: null }
  return {
    history,
    parked: [],
    audit: audit.map(({ committed: _, ...line }, sequence) => ({
      ...{ sequence, atMs: 0, isService: false, id: 'a', operation: 'insert' as const, ...nothing },
      ...line,
    })),
    times: new Map(
      audit.flatMap(({ committed }, sequence) => (committed === undefined ? [] : [[sequence, committed]])),
    ),
    journal: journal.map((line, sequence) => ({
      ...{ sequence, id: 'a', operation: 'update' as const, attempt: '', base: null, newAttempt: null, token: null },
      ...{ oldToken: null, ...line },
    })),
  }
}
