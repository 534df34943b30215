import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { DatabaseEngineFactory } from '../../../src/database/store/engine-factory.ts'
import type { Candidate, Driver } from '../../../src/driver/driver.ts'
import { FaultError, type FaultKind } from '../../../src/driver/fault.ts'
import { ScriptedDatabase } from '../../support/scripted-driver.ts'
import { defaults } from '../rig.ts'

const factory = new DatabaseEngineFactory({ entities: [], settings: () => defaults })
const never = new AbortController().signal

function failsWith(kind: FaultKind, code?: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof FaultError && error.fault.kind === kind && (code === undefined || error.fault.code === code)
}

function resolved(database: ScriptedDatabase, more: Partial<Driver> = {}) {
  return { driver: { ...database.driver, ...more }, target: database.target }
}

/** Several places, in the order to try. */
function places(...databases: ScriptedDatabase[]): Partial<Driver> {
  return {
    connect: async (_target, limits) => {
      const candidates: Candidate[] = []
      for (const one of databases) candidates.push(...(await one.driver.connect(one.target, limits)))
      return candidates
    },
  }
}

describe('opening a store', () => {
  test('proves a primary with a write and a fallback without, on a connection that is closed again', async () => {
    for (const [role, proof] of [
      ['primary', 'write'],
      ['fallback', 'open'],
    ] as const) {
      const database = new ScriptedDatabase('one')
      const store = await factory.open(resolved(database), role, never)
      assert.deepEqual(database.calls.verified, [{ role, proof }])
      assert.equal(database.calls.connectionsOpen, 0)
      assert.equal(store.disk, null)
      assert.equal((await store.statements.read('select ? as n', [7]))[0]?.n, 7)
      await store.close(1_000)
      assert.equal(database.calls.ormsClosed, 1)
    }
  })

  test('takes the first place that works, and says the first failure when none does', async () => {
    const [bad, worse, good] = [new ScriptedDatabase('a'), new ScriptedDatabase('b'), new ScriptedDatabase('c')]
    bad.script = ['unwritable']
    worse.script = ['corrupt']
    const store = await factory.open(resolved(bad, places(bad, worse, good)), 'fallback', never)
    assert.equal(store.label, 'c-store')
    await store.close(1_000)
    await assert.rejects(factory.open(resolved(bad, places(bad, worse)), 'fallback', never), failsWith('unwritable'))
    await assert.rejects(factory.open(resolved(bad, places()), 'fallback', never), failsWith('configuration'))
  })

  test('a wrong statement or a broken rule while opening is a wrong configuration', async () => {
    const database = new ScriptedDatabase('one')
    database.verifyError = new TypeError('no such column')
    await assert.rejects(factory.open(resolved(database), 'primary', never), failsWith('configuration'))
    assert.equal(database.calls.connectionsOpen, 0)
  })

  test('a driver whose classify throws is a fault like any other', async () => {
    const database = new ScriptedDatabase('one')
    database.verifyError = new Error('x')
    const broken: Partial<Driver> = {
      classify: () => {
        throw new Error('broken')
      },
    }
    await assert.rejects(
      factory.open(resolved(database, broken), 'primary', never),
      failsWith('configuration', 'UNCLASSIFIED'),
    )
  })

  test('ends with the signal, and a connection that comes later is evicted', async () => {
    const database = new ScriptedDatabase('one')
    database.script = ['hangs']
    const controller = new AbortController()
    const opening = factory.open(resolved(database), 'primary', controller.signal)
    await nextTurn()
    controller.abort(new Error('over'))
    await assert.rejects(opening, FaultError)
    database.answer('works')
    await nextTurn()
    assert.equal(database.calls.evicted, 1)
    assert.equal(database.calls.connectionsOpen, 0)
    assert.equal(database.calls.ormsMade, 0)
  })

  test('an ORM that cannot be used is closed again', async () => {
    const database = new ScriptedDatabase('one')
    const statements = () => {
      throw new Error('no native client')
    }
    database.engine = { statements }
    await assert.rejects(factory.open(resolved(database), 'primary', never), FaultError)
    await nextTurn()
    assert.equal(database.calls.ormsMade, 1)
    assert.equal(database.calls.ormsClosed, 1)
  })

  for (const [how, close] of [
    ['rejects', () => Promise.reject(new Error('not closed'))],
    [
      'throws',
      () => {
        throw new Error('not closed')
      },
    ],
  ] as const) {
    test(`an ORM whose close ${how} after it could not be used ends nothing else`, async () => {
      const database = new ScriptedDatabase('one')
      const statements = () => {
        throw new Error('no native client')
      }
      database.engine = { statements, close }
      await assert.rejects(factory.open(resolved(database), 'primary', never), ({ cause }: Error) => {
        return cause instanceof Error && cause.message === 'no native client'
      })
      await nextTurn()
    })
  }

  test('looks before it connects: what it saw is told with the store, and a look that fails stops nothing', async () => {
    const problem = { code: 'CERT', severity: 'warning', setting: 'database.url', origin: null, part: null } as const
    const seen = { ...problem, message: 'It ends soon.', suggestion: 'Renew it.' }
    const database = new ScriptedDatabase('one')
    const inspect = async () => ({ path: null, problems: [seen] })
    const store = await factory.open(resolved(database, { inspect }), 'primary', never)
    assert.deepEqual(store.facts.problems, [seen])
    await store.close(1_000)
    const blind = () => Promise.reject(new Error('EACCES'))
    const other = await factory.open(resolved(database, { inspect: blind }), 'primary', never)
    assert.deepEqual(other.facts.problems, [])
    await other.close(1_000)
  })

  test('a proof opens no ORM and leaves no connection', async () => {
    const database = new ScriptedDatabase('one')
    await factory.prove(resolved(database), { role: 'primary', proof: 'write' }, never)
    assert.equal(database.calls.ormsMade, 0)
    assert.equal(database.calls.connectionsOpen, 0)
  })
})

test('two open stores do not see each other’s transactions', async () => {
  const [one, two] = [new ScriptedDatabase('one'), new ScriptedDatabase('two')]
  const a = await factory.open(resolved(one), 'primary', never)
  const b = await factory.open(resolved(two), 'fallback', never)
  for (const store of [a, b]) await store.statements.write('create table t (x text)', [])
  await a.orm.em.fork().transactional(async () => {
    await b.statements.write('insert into t values (?)', ['b'])
    await a.statements.write('insert into t values (?)', ['a'])
    assert.deepEqual(await b.statements.read('select x from t', []), [{ x: 'b' }])
    assert.deepEqual(await a.statements.read('select x from t', []), [{ x: 'a' }])
  })
  await Promise.all([a.close(1_000), b.close(1_000)])
})
