import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { adminCaller, type Caller, publicCaller } from '../../../src/collection/access/caller.ts'
import { readRule, ruleDefect } from '../../../src/collection/access/rule.ts'
import type { FieldValue } from '../../../src/collection/declaration/canonical.ts'
import type { Collection, FilterJson } from '../../../src/collection/declaration/declaration.ts'
import { isMatch } from '../../../src/collection/filter/evaluator.ts'

const collection: Collection = {
  name: 'notes',
  fields: {
    author: { type: 'string', maxLength: 100 },
    team: { type: 'string', maxLength: 100 },
    level: { type: 'integer' },
    tags: { type: 'array', items: { type: 'string' } },
    until: { type: 'string', format: 'date-time' },
    day: { type: 'string', format: 'date' },
    isPublished: { type: 'boolean' },
    secret: { type: 'string', private: true },
    meta: { type: 'object' },
  },
}

const now = new Date('2026-01-31T23:59:59.999Z')

function user(claims: Readonly<Record<string, unknown>> = {}): Caller {
  return { is: 'user', subject: 'ann', claims }
}

const token: Caller = { is: 'token', name: 'ingest', scopes: [] }

function allows(where: FilterJson, caller: Caller, row: Readonly<Record<string, FieldValue>>): boolean {
  return isMatch(readRule(collection, where).bind(caller, now), new Map(Object.entries(row)))
}

describe('a rule', () => {
  it('has the subject, claims and name of whom it is asked for', () => {
    assert.ok(allows({ author: '$user.sub' }, user(), { author: 'ann' }))
    assert.ok(!allows({ author: '$user.sub' }, user(), { author: 'bob' }))
    assert.ok(allows({ level: { lte: '$user.level' } }, user({ level: 3 }), { level: 3 }))
    assert.ok(allows({ team: '$user.https://example.com/team' }, user({ 'https://example.com/team': 'a' }), { team: 'a' })) // biome-ignore format: one line says it
    assert.ok(allows({ author: '$token.name' }, token, { author: 'ingest' }))
    assert.ok(allows({ 'meta.level': '$user.level' }, user({ level: 3 }), { meta: { level: 3 } }))
  })

  it('has the time, of a date its day in UTC', () => {
    assert.ok(allows({ until: { gt: '$now' } }, publicCaller, { until: new Date('2026-02-01') }))
    assert.ok(!allows({ until: { gt: '$now' } }, publicCaller, { until: now }))
    assert.ok(allows({ day: '$now' }, publicCaller, { day: '2026-01-31' }))
  })

  it('has a claim that is a list, where an operator takes one', () => {
    const teams = user({ teams: ['a', 'b'] })
    assert.ok(allows({ team: { in: '$user.teams' } }, teams, { team: 'b' }))
    assert.ok(!allows({ team: { in: '$user.teams' } }, teams, { team: 'c' }))
    assert.ok(allows({ team: { in: ['x', '$user.sub'] } }, teams, { team: 'ann' }))
    assert.ok(!allows({ team: '$user.teams' }, teams, { team: 'a' }))
    assert.ok(allows({ tags: { has: '$user.teams' } }, teams, { tags: ['b', 'a'] }))
    const none = user({ teams: [] })
    assert.ok(!allows({ team: { in: '$user.teams' } }, none, { team: 'a' }))
    assert.ok(allows({ team: { nin: '$user.teams' } }, none, { team: 'a' }))
    assert.ok(!allows({ tags: { has: '$user.teams' } }, none, { tags: [] }))
  })

  it('has text that begins with "$" where it is written twice', () => {
    assert.ok(allows({ author: '$$user.sub' }, user(), { author: '$user.sub' }))
    assert.ok(allows({ author: { contains: '$$' } }, user(), { author: 'a$b' }))
  })

  it('never lets a row through by a value that the caller does not have', () => {
    const rules: readonly FilterJson[] = [
      { author: '$user.sub' },
      { author: { ne: '$user.sub' } },
      { NOT: { author: '$user.sub' } },
      { NOT: { author: { ne: '$user.sub' } } },
      { NOT: { AND: [{ author: '$user.sub' }, { NOT: { team: '$user.sub' } }] } },
      { team: { nin: '$user.teams' } },
      { NOT: { team: { in: '$user.teams' } } },
      { tags: { has: '$user.teams' } },
    ]
    for (const where of rules) {
      for (const caller of [publicCaller, adminCaller, token]) {
        assert.ok(!allows(where, caller, { author: 'x', team: 'y', tags: [] }), JSON.stringify(where))
      }
    }
    assert.ok(!allows({ level: { ne: '$user.level' } }, user({ level: 'high' }), { level: 1 }))
    assert.ok(!allows({ author: { ne: '$user.constructor' } }, user(), { author: 'x' }))
    assert.ok(!allows({ author: { ne: '$user.teams' } }, user({ teams: ['a'] }), { author: 'x' }))
  })

  it('leaves the rows that another of its parts lets through', () => {
    const where = { OR: [{ isPublished: true }, { author: '$user.sub' }] }
    assert.ok(allows(where, publicCaller, { isPublished: true, author: 'ann' }))
    assert.ok(!allows(where, publicCaller, { isPublished: false, author: 'ann' }))
    assert.ok(allows(where, user(), { isPublished: false, author: 'ann' }))
  })

  it('may name fields that no one else may', () => {
    assert.ok(allows({ secret: 'x' }, publicCaller, { secret: 'x' }))
  })

  const defects: readonly (readonly [FilterJson, string, RegExp])[] = [
    [{ author: '$usr.sub' }, '/author', /Unknown variable "\$usr\.sub"/],
    [{ author: '$user' }, '/author', /Unknown variable/],
    [{ author: '$user.' }, '/author', /Unknown variable/],
    [{ author: '$now' }, '/author', /date or a date-time/],
    [{ athor: 'x' }, '/athor', /Did you mean "author"/],
    [{ AND: [{ level: { gte: 'x' } }] }, '/AND/0/level/gte', /whole number/],
    [{ holdfast_attempt: 'x' }, '/holdfast_attempt', /Unknown field/],
    [{ NOT: { NOT: { NOT: { NOT: { NOT: {} } } } } }, '/NOT/NOT/NOT/NOT/NOT', /5 levels/],
  ]
  for (const [where, pointer, message] of defects) {
    it(`is wrong: ${JSON.stringify(where)}`, () => {
      const defect = ruleDefect(collection, where)
      assert.equal(defect?.pointer, pointer)
      assert.match(defect?.message ?? '', message)
    })
  }

  it('is right otherwise', () => assert.equal(ruleDefect(collection, { author: '$user.sub' }), null))
})
