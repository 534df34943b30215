import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { adminCaller, type Caller, publicCaller, strangerCaller } from '../../../src/collection/access/caller.ts'
import { permit, permitted } from '../../../src/collection/access/permit.ts'
import type { Access, Collection, Operation } from '../../../src/collection/declaration/declaration.ts'
import { isMatch } from '../../../src/collection/filter/evaluator.ts'

const user: Caller = { is: 'user', subject: 'ann', claims: { sub: 'ann' } }

function token(...scopes: string[]): Caller {
  return { is: 'token', name: 'ingest', scopes }
}

function notes(access: Collection['access'] = {}): Collection {
  const fields = { text: { type: 'string' }, author: { type: 'string' } } as const
  return { name: 'notes', fields, owner: 'author', access }
}

/** The code of the refusal; null where the caller may do it. */
function refusalOf(access: Access | undefined, caller: Caller, operation: Operation = 'update'): string | null {
  const collection = notes(access === undefined ? {} : { [operation]: access })
  try {
    permit(collection, operation, caller)
    return null
  } catch (error) {
    assert.equal(permitted(collection, operation, caller), null)
    return (error as { code: string }).code // What `permit` throws has a code, or the test fails.
  }
}

describe('what a caller may do', () => {
  it('follows from the grant, for each kind of caller', () => {
    const callers = [publicCaller, strangerCaller, token('notes:update'), token('notes:list'), user, adminCaller]
    const expected: readonly (readonly [Access | undefined, readonly (string | null)[]])[] = [
      [undefined, ['TOKEN_MISSING', 'TOKEN_INVALID', 'ACCESS_DENIED', 'ACCESS_DENIED', 'ACCESS_DENIED', null]],
      ['admin', ['TOKEN_MISSING', 'TOKEN_INVALID', 'ACCESS_DENIED', 'ACCESS_DENIED', 'ACCESS_DENIED', null]],
      ['public', [null, null, null, null, null, null]],
      ['token', ['TOKEN_MISSING', 'TOKEN_INVALID', null, 'SCOPE_MISSING', 'ACCESS_DENIED', null]],
      ['user', ['TOKEN_MISSING', 'TOKEN_INVALID', 'ACCESS_DENIED', 'ACCESS_DENIED', null, null]],
      ['owner', ['TOKEN_MISSING', 'TOKEN_INVALID', null, 'SCOPE_MISSING', null, null]],
      ['none', Array(6).fill('ACCESS_DENIED')],
      [['none'], Array(6).fill('ACCESS_DENIED')],
      [[], Array(6).fill('ACCESS_DENIED')],
      [
        ['user', 'token'],
        ['TOKEN_MISSING', 'TOKEN_INVALID', null, 'SCOPE_MISSING', null, null],
      ],
    ]
    for (const [access, codes] of expected) {
      const found = callers.map((caller) => refusalOf(access, caller))
      assert.deepEqual(found, codes, JSON.stringify(access))
    }
  })

  it('names the scope that a token lacks', () => {
    const access = notes({ create: 'token' })
    assert.throws(() => permit(access, 'create', token()), {
      detail: 'It needs the scope "notes:create".',
      status: 403,
    })
  })

  it('understands scopes with words for several operations and for all collections', () => {
    const allowed = (scope: string, operation: Operation): boolean =>
      refusalOf('token', token(scope), operation) === null
    const holds: readonly (readonly [string, readonly Operation[]])[] = [
      ['notes:create', ['create']],
      ['notes:read', ['list', 'get', 'aggregate']],
      ['*:write', ['create', 'update', 'delete']],
      ['notes:*', ['create', 'list', 'get', 'update', 'delete', 'aggregate']],
      ['other:*', []],
      ['note:*', []],
      ['notes', []],
      ['notes:constructor', []],
    ]
    for (const [scope, operations] of holds) {
      const all = ['create', 'list', 'get', 'update', 'delete', 'aggregate'] as const
      assert.deepEqual(
        all.filter((operation) => allowed(scope, operation)),
        all.filter((one) => operations.includes(one)),
        scope,
      )
    }
  })

  it('lets who may list aggregate, unless the declaration says otherwise', () => {
    assert.notEqual(permitted(notes({ list: 'token' }), 'aggregate', token('notes:list')), null)
    assert.equal(permitted(notes({ list: 'token', aggregate: 'token' }), 'aggregate', token('notes:list')), null)
    assert.equal(permitted(notes({ list: 'public', aggregate: 'admin' }), 'aggregate', publicCaller), null)
  })

  it('narrows the owner to the rows that name the caller, and no one else', () => {
    const granted = permit(notes({ update: 'owner' }), 'update', user)
    assert.deepEqual(granted.rule, {
      is: 'condition',
      path: { name: 'author', field: 'author', members: [], kind: 'text' },
      operator: 'eq',
      operands: ['ann'],
    })
    const ofToken = permit(notes({ update: 'owner' }), 'update', token('notes:update'))
    assert.deepEqual(ofToken.rule?.is === 'condition' && ofToken.rule.operands, ['token:ingest'])
    assert.equal(permit(notes({ update: 'owner' }), 'update', adminCaller).rule, null)
    assert.equal(permit(notes({ create: 'owner' }), 'create', user).rule, null, 'the service sets the field')
    assert.equal(permit(notes({ update: ['owner', 'user'] }), 'update', user).rule, null, 'one grant suffices')
    const { owner: _, ...without } = notes({ update: 'owner' })
    assert.equal(permitted(without, 'update', user), null)
  })

  it('binds the variables of rules for the caller, and takes one of several grants', () => {
    const access = [
      { to: 'public', where: { text: 'open' } },
      { to: 'owner', where: { text: { ne: 'sealed' } } },
      { to: 'user', where: { text: '$user.team' } },
    ] as const
    const rows = ['open', 'sealed', 'red', 'own'].map((text) => ({ text, author: text === 'own' ? 'ann' : 'bob' }))
    const seen = (caller: Caller): readonly string[] => {
      const { rule } = permit(notes({ list: access }), 'list', caller)
      return rows.filter((row) => rule === null || isMatch(rule, new Map(Object.entries(row)))).map(({ text }) => text)
    }
    assert.deepEqual(seen(publicCaller), ['open'])
    assert.deepEqual(seen(user), ['open', 'own'])
    assert.deepEqual(seen({ ...user, claims: { team: 'red' } }), ['open', 'red', 'own'])
    assert.deepEqual(seen(token('notes:list')), ['open'])
    assert.deepEqual(seen(adminCaller), ['open', 'sealed', 'red', 'own'])
  })

  it('binds the admin by a rule only where the grant is to the admin', () => {
    const where = { text: { ne: 'sealed' } }
    assert.equal(permit(notes({ update: { to: 'public', where } }), 'update', adminCaller).rule, null)
    assert.notEqual(permit(notes({ update: { to: 'admin', where } }), 'update', adminCaller).rule, null)
    assert.equal(permit(notes({ update: [{ to: 'admin', where }, 'admin'] }), 'update', adminCaller).rule, null)
  })
})
