import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Evidence, judge } from './history/checker.ts'
import { type Ending, History, type WriteRecord } from './history/history.ts'
import type { AuditLine, ParkedLine } from './stage/audit.ts'
import type { JournalLine } from './stage/fallback-file.ts'

const id = 'row-1'

/** What a client was told, and the evidence of what became of it: `wrong` is what the checker has to say. */
interface Case {
  readonly what: string
  readonly ending: Ending
  readonly write?: Partial<WriteRecord>
  readonly audit?: readonly Partial<AuditLine>[]
  readonly parked?: readonly Partial<ParkedLine>[]
  readonly journal?: readonly Partial<JournalLine>[]
  readonly wrong: readonly string[]
}

const inserted = { operation: 'insert', newAttempt: 'mine', newToken: 't' } as const
const updated = {
  operation: 'update',
  oldAttempt: 'base',
  newAttempt: 'mine',
  oldToken: 'before',
  newToken: 't',
} as const
const parked = { operation: 'insert', token: 't' } as const
const entry = {
  operation: 'update',
  attempt: 'mine',
  newAttempt: 'mine',
  base: 'base',
  token: 't',
  oldToken: 'before',
} as const

const cases: readonly Case[] = [
  { what: 'applied once', ending: 'acknowledged', audit: [inserted], wrong: [] },
  { what: 'parked', ending: 'acknowledged', parked: [parked], wrong: [] },
  { what: 'unknown and never applied', ending: 'unknown', wrong: [] },
  { what: 'unknown and applied once', ending: 'unknown', audit: [inserted], wrong: [] },
  { what: 'acknowledged by a local store', ending: 'acknowledged', write: { side: 'local' }, wrong: [] },
  { what: 'neither applied nor parked', ending: 'acknowledged', wrong: ['lost'] },
  { what: 'applied twice', ending: 'unknown', audit: [inserted, inserted], wrong: ['doubled'] },
  {
    what: 'applied as another attempt',
    ending: 'acknowledged',
    audit: [{ ...inserted, newAttempt: 'another' }],
    wrong: ['doubled'],
  },
  { what: 'applied although it was refused', ending: 'refused', audit: [inserted], wrong: ['refused and applied'] },
  { what: 'parked although it was refused', ending: 'refused', parked: [parked], wrong: ['refused and applied'] },
  { what: 'applied and parked', ending: 'acknowledged', audit: [inserted], parked: [parked], wrong: ['half'] },
  { what: 'one of two rows applied', ending: 'acknowledged', write: { rows: 2 }, audit: [inserted], wrong: ['half'] },
  {
    what: 'applied after its answer',
    ending: 'acknowledged',
    write: { side: 'primary' },
    audit: [{ ...inserted, atMs: 9_000 }],
    wrong: ['late'],
  },
  {
    what: 'If-Match laid over another version',
    ending: 'acknowledged',
    write: { base: 'base' },
    audit: [{ ...updated, oldAttempt: 'other' }],
    wrong: ['laid over'],
  },
  {
    what: 'a change of the fallback laid over another version than was seen there',
    ending: 'acknowledged',
    write: { seen: 'base' },
    audit: [{ ...updated, oldAttempt: 'other' }],
    wrong: ['laid over'],
  },
  {
    what: 'an entry laid over another version than its base',
    ending: 'acknowledged',
    audit: [{ ...updated, oldAttempt: 'other' }],
    journal: [entry],
    wrong: ['laid over'],
  },
  {
    what: "an entry laid over another client's change without an attempt",
    ending: 'acknowledged',
    audit: [
      { ...updated, isService: false, newAttempt: 'base', newToken: 'theirs' },
      { ...updated, oldToken: 'theirs' },
    ],
    journal: [entry],
    wrong: ['laid over'],
  },
  {
    what: 'a delete that never came',
    ending: 'acknowledged',
    write: { operation: 'remove' },
    wrong: ['lost'],
  },
  {
    what: 'one delete that came twice',
    ending: 'acknowledged',
    write: { operation: 'remove' },
    audit: [{ operation: 'delete' }, { operation: 'delete' }],
    wrong: ['doubled'],
  },
]

for (const { what, ending, wrong, ...found } of cases) {
  test(`the checker judges: ${what}`, () => {
    const verdict = judge(evidenceOf(ending, found))
    assert.deepEqual([...new Set(verdict.violations.map((violation) => violation.wrong))], wrong)
  })
}

test('what said no more than journal-ephemeral may be lost with the disk of its process, and nothing else', () => {
  for (const durability of ['journal-ephemeral', 'journal']) {
    const evidence = evidenceOf('acknowledged', { write: { durability } })
    evidence.history.emptied.add('another')
    assert.equal(judge(evidence).violations.length, 1)
    evidence.history.emptied.add('c')
    assert.equal(judge(evidence).violations.length, durability === 'journal' ? 1 : 0)
  }
})

test('contradictions of readers are violations', () => {
  const history = new History()
  history.contradict('a reader saw a half')
  const { violations } = judge({ history, audit: [], parked: [], journal: [], times: new Map() })
  assert.deepEqual(violations, [{ wrong: 'contradiction', what: 'a reader saw a half', evidence: [] }])
})

function evidenceOf(ending: Ending, { write, audit = [], parked: aside = [], journal = [] }: Partial<Case>): Evidence {
  const history = new History()
  const record = history.begin({ client: 'c', operation: 'create', token: 't', ids: [id], ...write })
  Object.assign(record, { ending, side: 'fallback', attempt: 'mine', endedMs: 1_000 }, write)
  const nothing = { oldAttempt: null, newAttempt: null, oldToken: null, newToken: null }
  return {
    history,
    times: new Map(),
    audit: audit.map((line, at) => ({
      sequence: at,
      atMs: 500,
      isService: true,
      id,
      operation: 'insert',
      ...nothing,
      ...line,
    })),
    parked: aside.map((line) => ({
      ...{ attempt: 'mine', id, operation: 'insert', reason: 'insert_exists', token: null, settledAs: null },
      ...line,
    })),
    journal: journal.map((line, at) => ({
      ...{
        sequence: at,
        id,
        operation: 'update',
        attempt: '',
        base: null,
        newAttempt: null,
        token: null,
        oldToken: null,
      },
      ...line,
    })),
  }
}
