import assert from 'node:assert/strict'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { defineEntity, p } from '@mikro-orm/core'
import type { Store } from '../../../src/database/store/store.ts'
import { emptySteps, type StoreSteps } from '../../../src/database/supervisor/steps.ts'
import { failedStore } from '../../../src/database/work/failure.ts'
import type { Session } from '../../../src/database/work/session.ts'
import { FaultError, type FaultKind } from '../../../src/driver/fault.ts'
import { type ErrorCode, HoldfastError } from '../../../src/errors.ts'
import { DatabaseSessionFactory } from '../../../src/http/data/session-factory.ts'
import { settle } from '../../support/fake-clock.ts'
import { ScriptedClaims } from '../../support/scripted-claims.ts'
import { faultLike } from '../../support/scripted-driver.ts'
import { ScriptedJournal } from '../../support/scripted-journal.ts'
import { type Rig, type RigOptions, refusal, rigOf } from '../rig.ts'

const Note = defineEntity({ name: 'Note', properties: { id: p.string().primary(), text: p.string() } })

/** Makes the table where the store is made: each ORM in memory has a database of its own. */
const steps: StoreSteps = {
  ...emptySteps,
  prepare: async (store) => {
    await store.statements.write('create table note (id text primary key, text text)', [])
  },
}

function setUp(options: RigOptions = {}): Rig {
  return rigOf({ steps, entities: [Note], ...options })
}

async function end(rig: Rig): Promise<void> {
  await rig.supervisor.close(1_000)
  rig.work.close()
  assert.equal(rig.gate.active, 0)
  assert.equal(rig.gate.admitted, 0)
}

function countNotes(store: Store): Promise<number> {
  return store.statements.read('select count(*) as n from note', []).then((rows) => Number(rows[0]?.n))
}

const write = { kind: 'write', rerun: 'never' } as const

describe('one unit of work', () => {
  test('opens the store at first use, and names the store and the durability', async () => {
    const rig = setUp()
    const outcome = await rig.work.run(
      (session) => session.statements.write('insert into note values (?, ?)', [session.attempt, 'x']),
      write,
    )
    assert.equal(outcome.value.changed, 1)
    assert.deepEqual([outcome.store, outcome.driver, outcome.durability], ['primary', 'primary-db', 'primary'])
    await end(rig)
  })

  test('puts the store on the error that it failed with, also on one that is frozen, and none where none was reached', async () => {
    const rig = setUp({ declared: false })
    const thrown = Object.freeze(new Error('a mistake of the work'))
    const failed = await rig.work.run(() => Promise.reject(thrown), write).catch((error: unknown) => error)
    assert.equal(failed, thrown)
    assert.equal(failedStore(failed), rig.supervisor.current)
    const busy = rig.work.run(() => Promise.reject(new FaultError(faultLike('transient'))), write)
    assert.equal(failedStore(await refusal(busy, 'STORE_BUSY'))?.shown, 'local')
    await end(rig)
    const closing = rig.work.run(() => assert.fail('nothing serves'), write)
    assert.equal(failedStore(await refusal(closing, 'CLOSING')), null)
  })

  test('forks an EntityManager and draws an attempt only at first use', async () => {
    const rig = setUp({ declared: false })
    const { store } = await rig.supervisor.serving()
    let forks = 0
    const fork = store.orm.em.fork.bind(store.orm.em)
    store.orm.em.fork = (options) => {
      forks += 1
      return fork(options)
    }
    await rig.work.run((session) => session.statements.read('select 1', []), { kind: 'read', rerun: 'always' })
    assert.equal(forks, 0)
    const two = await rig.work.run(async (session) => [session.em, session.em], { kind: 'read', rerun: 'never' })
    assert.equal(two.value[0], two.value[1])
    assert.equal(forks, 1)
    await end(rig)
  })

  test('the error of the work itself passes through unchanged', async () => {
    const rig = setUp()
    const own = new Error('mine')
    await assert.rejects(
      rig.work.run(() => Promise.reject(own), write),
      (error) => error === own,
    )
    const refused = new HoldfastError('PRECONDITION_FAILED')
    await assert.rejects(
      rig.work.transactional(() => Promise.reject(refused)),
      (error) => error === refused,
    )
    await end(rig)
  })

  const answers: readonly [FaultKind, ErrorCode][] = [
    ['constraint', 'CONFLICT'],
    ['disk-full', 'DISK_FULL'],
    ['transient', 'STORE_BUSY'],
    ['lost', 'STORE_LOST'],
    ['unwritable', 'STORE_READ_ONLY'],
    ['read-only', 'STORE_READ_ONLY'],
    ['capacity', 'STORE_UNAVAILABLE'],
    ['unreachable', 'STORE_UNAVAILABLE'],
    ['corrupt', 'STORE_UNAVAILABLE'],
  ]
  for (const [kind, code] of answers) {
    test(`a fault of kind ${kind} is answered ${code}, with the driver's error as the cause only`, async () => {
      const rig = setUp()
      const thrown = new FaultError(faultLike(kind))
      const error = await refusal(
        rig.work.run(() => Promise.reject(thrown), write),
        code,
      )
      assert.equal(error.cause, thrown)
      const isNews = rig.seen.some(({ type }) => type === 'work.failed')
      assert.equal(isNews, kind !== 'constraint', "a row that breaks a rule is its author's mistake")
      assert.equal(error.retryAfterS, code === 'STORE_LOST' ? 0 : error.retryAfterS)
      await end(rig)
    })
  }

  test('an unknown COMMIT is answered COMMIT_UNKNOWN', async () => {
    const rig = setUp()
    const thrown = new FaultError(faultLike('lost', { ambiguous: true }))
    await refusal(
      rig.work.run(() => Promise.reject(thrown), { kind: 'write', rerun: 'before-commit' }),
      'COMMIT_UNKNOWN',
    )
    await end(rig)
  })

  test('a slow statement on a primary that answers is QUERY_TIMEOUT and is not run again', async () => {
    const rig = setUp()
    let tries = 0
    const slow = (): Promise<never> => {
      tries += 1
      return Promise.reject(new FaultError(faultLike('lost', { code: 'QUERY_TIMEOUT' })))
    }
    await refusal(rig.work.run(slow, { kind: 'read', rerun: 'always' }), 'QUERY_TIMEOUT')
    assert.equal(tries, 1)
    await end(rig)
  })
})

describe('running again', () => {
  test('work that could not reach its store is tried again, a broken rule or a conflict never, not even on another store', async () => {
    const rig = setUp()
    let tries = 0
    const once = async ({ store }: Session, kind: FaultKind): Promise<void> => {
      tries += 1
      if (tries > 1) return
      if (kind !== 'unreachable') assert.equal(await rig.supervisor.report(store, faultLike('lost')), 'lost')
      throw new FaultError(faultLike(kind))
    }
    const always = { kind: 'write', rerun: 'always' } as const
    await rig.work.run((session) => once(session, 'unreachable'), always)
    assert.equal(tries, 2)
    rig.primary.script = ['unreachable']
    for (const [kind, code] of [
      ['constraint', 'CONFLICT'],
      ['transient', 'STORE_BUSY'],
    ] as const) {
      tries = 0
      await refusal(
        rig.work.run((session) => once(session, kind), always),
        code,
      )
      assert.equal(tries, 1)
    }
    await end(rig)
  })

  test('nothing is run again for a caller who has given up', async () => {
    const rig = setUp()
    const controller = new AbortController()
    const thrown = new FaultError(faultLike('lost'))
    let tries = 0
    const gone = async (): Promise<never> => {
      tries += 1
      controller.abort()
      throw thrown
    }
    const { signal } = controller
    await assert.rejects(rig.work.run(gone, { kind: 'read', rerun: 'always', signal }), (error) => error === thrown)
    assert.equal(tries, 1)
    await end(rig)
  })

  test('work that was lost before COMMIT runs again on the fallback, with the same attempt', async () => {
    const rig = setUp()
    await rig.supervisor.serving()
    rig.primary.script = ['unreachable']
    const attempts: string[] = []
    const outcome = await rig.work.run(
      async (session) => {
        attempts.push(session.attempt)
        if (session.shown === 'primary') throw new FaultError(faultLike('lost'))
        return await session.statements.write('insert into note values (?, ?)', [session.attempt, 'x'])
      },
      { kind: 'write', rerun: 'before-commit' },
    )
    assert.equal(outcome.store, 'fallback')
    assert.equal(outcome.durability, 'journal')
    assert.equal(attempts.length, 2)
    assert.equal(attempts[0], attempts[1])
    await end(rig)
  })

  test('a connection that was cut is tried again on the same primary, three times at most', async () => {
    const rig = setUp()
    let tries = 0
    const once = await rig.work.run(
      async () => {
        tries += 1
        if (tries === 1) throw new FaultError(faultLike('lost'))
      },
      { kind: 'read', rerun: 'always' },
    )
    assert.equal(once.store, 'primary')
    tries = 0
    const always = (): Promise<never> => {
      tries += 1
      return Promise.reject(new FaultError(faultLike('lost')))
    }
    await refusal(rig.work.run(always, { kind: 'read', rerun: 'always' }), 'STORE_LOST')
    assert.equal(tries, 3)
    const failed = rig.seen.flatMap((seen) => (seen.type === 'work.failed' ? [seen.isLast] : []))
    assert.deepEqual(failed, [false, false, false, true])
    await end(rig)
  })

  test('after an unknown COMMIT it runs again on the same primary only, and only when it may', async () => {
    const rig = setUp()
    rig.primary.engine = new ScriptedClaims().engine
    rig.fallback.engine = { journal: () => new ScriptedJournal() }
    let tries = 0
    const unknownOnce = async (): Promise<void> => {
      tries += 1
      if (tries === 1) throw new FaultError(faultLike('lost', { ambiguous: true }))
    }
    const always = { kind: 'write', rerun: 'always' } as const
    await rig.work.run(unknownOnce, { ...always, claims: true })
    assert.equal(tries, 2)
    tries = 0
    await refusal(rig.work.run(unknownOnce, always), 'COMMIT_UNKNOWN')
    assert.equal(tries, 1)
    tries = 0
    rig.primary.script = ['unreachable']
    await refusal(rig.work.run(unknownOnce, { ...always, claims: true }), 'COMMIT_UNKNOWN')
    assert.equal(tries, 1)
    await end(rig)
  })

  test('a collision after an unknown COMMIT may be with the work itself, so it stays unknown', async () => {
    const rig = setUp()
    rig.primary.engine = new ScriptedClaims().engine
    const insert = { text: 'insert into note values (?, ?)', values: ['same', 'x'] }
    let tries = 0
    await refusal(
      rig.work.run(
        async (session) => {
          tries += 1
          await session.statements.write(insert.text, insert.values, { attempt: session.attempt, claims: true })
          throw new FaultError(faultLike('lost', { ambiguous: true }))
        },
        { kind: 'write', rerun: 'always', claims: true },
      ),
      'COMMIT_UNKNOWN',
    )
    assert.equal(tries, 2)
    await end(rig)
  })
})

describe('finding the change of an unknown COMMIT', () => {
  const unknown = faultLike('lost', { ambiguous: true, code: 'QUERY_TIMEOUT' })
  const lostInCommit = async (): Promise<string> => {
    throw new FaultError(unknown)
  }
  const always = { kind: 'write', rerun: 'always', attempt: 'the-attempt' } as const

  test('a change that is found is a success', async () => {
    const rig = setUp()
    const attempts: string[] = []
    const outcome = await rig.work.run(lostInCommit, always, async ({ attempt }) => {
      attempts.push(attempt)
      return 'seen'
    })
    assert.deepEqual([outcome.value, outcome.store, outcome.durability], ['seen', 'primary', 'primary'])
    assert.deepEqual(attempts, ['the-attempt'])
    await end(rig)
  })

  test('a change that is not found, a search that fails and one that takes too long stay unknown', async () => {
    const rig = setUp()
    await refusal(
      rig.work.run(lostInCommit, always, async () => null),
      'COMMIT_UNKNOWN',
    )
    await refusal(rig.work.run(lostInCommit, always, lostInCommit), 'COMMIT_UNKNOWN')
    const looking = rig.work.run(lostInCommit, always, () => new Promise<never>(() => {}))
    const refused = refusal(looking, 'COMMIT_UNKNOWN')
    await rig.clock.advance(1_000)
    await refused
    await end(rig)
  })

  test('another database is not searched', async () => {
    const rig = setUp()
    await rig.work.run(async () => 1, always)
    rig.primary.script = ['unreachable']
    await refusal(
      rig.work.run(lostInCommit, always, async () => assert.fail()),
      'COMMIT_UNKNOWN',
    )
    await end(rig)
  })
})

describe('transactions', () => {
  test('commit with the work, roll back with its error, and join the compiled statements', async () => {
    const rig = setUp({ declared: false })
    const { store } = await rig.supervisor.serving()
    const outcome = await rig.work.transactional(async (session) => {
      session.em.create(Note, { id: session.attempt, text: 'one' })
      await session.em.flush()
      await session.statements.write('insert into note values (?, ?)', ['second', 'two'])
      return await session.statements.read('select id from note', [])
    })
    assert.equal(outcome.value.length, 2)
    assert.equal(outcome.store, 'local')
    await assert.rejects(
      rig.work.transactional(async (session) => {
        await session.statements.write('insert into note values (?, ?)', ['third', 'three'])
        throw new Error('no')
      }),
      /no/,
    )
    assert.equal(await countNotes(store), 2)
    await end(rig)
  })

  test('unflushed changes are written, and a broken rule is a CONFLICT', async () => {
    const rig = setUp({ declared: false })
    const create = (): Promise<unknown> =>
      rig.work.transactional(async (session) => {
        session.em.create(Note, { id: 'one', text: 'x' })
      })
    await create()
    await refusal(create(), 'CONFLICT')
    await end(rig)
  })
})

describe('a connection that is cut', () => {
  const cut = (): Promise<never> => Promise.reject(new Error('cut'))

  test('leaves a read undone, and a write that is its own COMMIT unknown', async () => {
    const rig = setUp()
    await refusal(rig.work.run(cut, { kind: 'read', rerun: 'never' }), 'STORE_LOST')
    await refusal(rig.work.run(cut, write), 'COMMIT_UNKNOWN')
    await end(rig)
  })

  for (const [when, code] of [
    ['begin', 'STORE_LOST'],
    ['statement', 'STORE_LOST'],
    ['flush', 'STORE_LOST'],
    ['commit', 'COMMIT_UNKNOWN'],
  ] as const) {
    test(`at the ${when} of a transaction is ${code}`, async (t) => {
      const rig = setUp()
      const connection = (await rig.supervisor.serving()).store.orm.em.getConnection()
      if (when === 'begin' || when === 'commit') t.mock.method(connection, when, cut)
      const work = async ({ em }: Session): Promise<void> => {
        em.create(Note, { id: 'one', text: 'x' })
        if (when === 'statement') await cut()
        if (when === 'flush') t.mock.method(connection, 'execute', cut)
      }
      await refusal(rig.work.transactional(work), code)
      t.mock.restoreAll()
      await end(rig)
    })
  }

  test('at BEGIN of a further try is no unknown COMMIT', async (t) => {
    const rig = setUp()
    const connection = (await rig.supervisor.serving()).store.orm.em.getConnection()
    t.mock.method(connection, 'commit', async () => {
      t.mock.method(connection, 'begin', cut)
      throw new FaultError(faultLike('lost')) // It was never sent.
    })
    await refusal(
      rig.work.transactional(async () => 1, { rerun: 'before-commit' }),
      'STORE_LOST',
    )
    t.mock.restoreAll()
    await end(rig)
  })
})

describe('what is refused before anything is written', () => {
  test('a write on a read-only fallback, while reads go on', async () => {
    const rig = setUp({ settings: { fallbackMode: 'read-only' } })
    rig.primary.script = ['auth']
    let ran = 0
    const work = async (): Promise<void> => {
      ran += 1
    }
    await refusal(rig.work.run(work, write), 'STORE_READ_ONLY')
    await refusal(rig.work.transactional(work), 'STORE_READ_ONLY')
    assert.equal(ran, 0)
    assert.equal((await rig.work.run(work, { kind: 'read', rerun: 'never' })).store, 'fallback')
    await end(rig)
  })

  test('a durability that cannot be met', async () => {
    const rig = setUp()
    rig.primary.script = ['auth']
    await refusal(
      rig.work.run(async () => assert.fail(), { ...write, demand: 'primary' }),
      'DURABILITY_UNMET',
    )
    await refusal(
      rig.work.transactional(async () => assert.fail(), { durability: 'primary' }),
      'DURABILITY_UNMET',
    )
    for (const demand of ['journal', 'local'] as const) {
      assert.equal((await rig.work.run(async () => 1, { ...write, demand })).durability, 'journal')
    }
    await end(rig)
    const local = setUp({ declared: false })
    for (const demand of ['primary', 'journal'] as const) {
      await refusal(
        local.work.run(async () => assert.fail(), { ...write, demand }),
        'DURABILITY_UNMET',
      )
    }
    assert.equal((await local.work.run(async () => 1, { ...write, demand: 'local' })).durability, 'local')
    await end(local)
  })

  test('work above the limit of what may wait or run', async () => {
    const rig = setUp({ maxActiveSessions: () => 2 })
    rig.primary.script = ['hangs']
    const waiting = [rig.work.run(async () => 1, write), rig.work.run(async () => 2, write)]
    await refusal(
      rig.work.run(async () => 3, write),
      'OVERLOADED',
    )
    await settle()
    rig.primary.answer('works')
    await Promise.all(waiting)
    await end(rig)
  })

  test('work above the limit of now, with the sessions of requests counted', async () => {
    const limit = { most: 2 }
    const rig = setUp({ maxActiveSessions: () => limit.most })
    const sessions = new DatabaseSessionFactory(rig.supervisor, rig.work, () => {})
    const answer = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()))
    const first = answer()
    await sessions.session(first.req, first)
    const second = answer()
    const run = (): Promise<unknown> =>
      rig.work.run(async () => {
        await refusal(sessions.session(second.req, second), 'OVERLOADED')
      }, write)
    await run()
    limit.most = 1
    await refusal(run(), 'OVERLOADED')
    limit.most = 2
    await run()
    first.emit('close')
    await end(rig)
  })

  test('work that waits for a store too long, or whose caller gives up', async () => {
    const rig = setUp({ steps: { ...steps, prepare: () => new Promise(() => {}) }, declared: false })
    const controller = new AbortController()
    const { signal } = controller
    const gone = [rig.work.run(async () => 1, { ...write, signal }), rig.work.transactional(async () => 1, { signal })]
    await settle()
    controller.abort(new Error('gone'))
    for (const waiting of gone) await assert.rejects(waiting, /gone/)
    const late = refusal(
      rig.work.run(async () => 1, write),
      'STORE_UNAVAILABLE',
    )
    await rig.clock.advance(36_000)
    await late
    await end(rig)
  })
})

test('writes wait while a switch holds them, and reads do not', async () => {
  const rig = setUp()
  await rig.supervisor.serving()
  rig.gate.hold()
  const done: string[] = []
  const work = (kind: 'read' | 'write'): Promise<unknown> =>
    rig.work.run(async () => done.push(kind), { ...write, kind })
  const writing = work('write')
  await work('read')
  await settle()
  assert.deepEqual(done, ['read'])
  rig.gate.release()
  await writing
  assert.deepEqual(done, ['read', 'write'])
  await end(rig)
})

describe('slow work', () => {
  test('on a file of this process is not checked: no probe knows more of it', async () => {
    const rig = setUp({ declared: false })
    const { promise, resolve } = Promise.withResolvers<void>()
    const running = rig.work.run(() => promise, write)
    await rig.clock.advance(10_000)
    resolve()
    await running
    assert.deepEqual(
      rig.seen.filter(({ type }) => type === 'store.checked'),
      [],
    )
    await end(rig)
  })

  test('does not lose a primary that answers, and causes one probe after half of QUERY_TIMEOUT', async () => {
    const rig = setUp()
    await rig.supervisor.serving()
    let finish = (): void => {}
    const running = rig.work.run(() => new Promise<void>((resolve) => (finish = resolve)), write)
    await rig.clock.advance(2_400)
    assert.equal(rig.primary.calls.opened, 1)
    await rig.clock.advance(10_000)
    assert.equal(rig.primary.calls.opened, 2)
    assert.equal(rig.supervisor.state.name, 'PRIMARY_CONNECTED')
    finish()
    await running
    await rig.clock.advance(1_000)
    assert.equal(rig.clock.pending, 0, 'no timer while nothing runs')
    await end(rig)
  })

  test('on a lost primary leads to the fallback before QUERY_TIMEOUT ends', async () => {
    const rig = setUp()
    await rig.supervisor.serving()
    rig.primary.script = ['hangs']
    let fail = (_error: unknown): void => {}
    const running = rig.work.run(
      (session) =>
        session.shown === 'primary'
          ? new Promise<string>((_resolve, reject) => (fail = reject))
          : Promise.resolve('answered'),
      { kind: 'read', rerun: 'always' },
    )
    await rig.clock.advance(5_700)
    assert.equal(rig.supervisor.state.name, 'FALLBACK_CONNECTED')
    fail(new FaultError(faultLike('lost')))
    assert.equal((await running).value, 'answered')
    await end(rig)
  })
})
