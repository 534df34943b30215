import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessDefect, publicProblems } from '../../../src/collection/access/access-problems.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { checkCollections } from '../../../src/collection/declaration/load.ts'

const notes: Collection = { name: 'notes', fields: { text: { type: 'string' } } }

test('each public action is told, and a change of what others wrote is a warning', () => {
  const access: Collection['access'] = {
    create: 'public',
    list: 'token',
    get: { to: 'public', where: { text: 'open' } },
    update: 'public',
    delete: ['admin', 'public'],
  }
  const problems = publicProblems([{ ...notes, access }])
  assert.deepEqual(
    problems.map(({ code, severity, setting }) => [code, severity, setting.split('#')[1]]),
    [
      ['ACCESS_PUBLIC', 'info', '/access/create'],
      ['ACCESS_PUBLIC', 'info', '/access/get'],
      ['ACCESS_PUBLIC', 'warning', '/access/update'],
      ['ACCESS_PUBLIC', 'warning', '/access/delete'],
    ],
  )
  assert.match(problems[1]?.message ?? '', /read each row for which the rule is true, without a token/)
  assert.deepEqual(publicProblems([notes]), [])
})

test('a rule that is not valid keeps its collection from being served', () => {
  const bad = { ...notes, access: { list: ['admin', { to: 'public', where: { txt: 'open' } }] } } as const
  const found = accessDefect(bad)
  assert.equal(found?.pointer, '/access/list/1/where/txt')
  assert.match(found?.message ?? '', /text/)
  assert.equal(accessDefect({ ...notes, access: { get: { to: 'public', where: { text: '$user.sub' } } } }), null)
  const loaded = checkCollections([notes, { ...notes, name: 'others' }], ({ name }) =>
    name === 'others' ? { pointer: '/access', message: 'No.', suggestion: 'Yes.' } : null,
  )
  assert.deepEqual(
    loaded.collections.map(({ name }) => name),
    ['notes'],
  )
  assert.deepEqual(
    loaded.problems.map(({ code, severity }) => [code, severity]),
    [['COLLECTION_INVALID', 'error']],
  )
})
