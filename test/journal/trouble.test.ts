import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { JournalFault } from '../../src/database/supervisor/steps.ts'
import { FaultError } from '../../src/driver/fault.ts'
import { timeoutError } from '../../src/driver/kit/fault-reader.ts'
import { noMariadb, startMariadb } from '../support/servers/mariadb.ts'
import { cleanLater } from '../support/temp.ts'
import { until, within } from '../support/until.ts'
import { idOf, insert, never, Scene, together, update } from './bench.ts'
import { onServers } from './servers.ts'

const letter = (at: number): string => String.fromCharCode(1_000 + at)

onServers('replay in trouble', (server, kind) => {
  test('SIGKILL of the process at any moment loses and doubles nothing', async (t) => {
    const scene = await Scene.make(t, server())
    const fallback = await scene.fallback()
    await scene.primary()
    for (const sql of kind.audit) await scene.server.query(sql, scene.database)
    const attempts = new Set<string>()
    for (let at = 0; at < 200; at += 1) attempts.add(await insert(fallback, letter(at), `w${at}`))
    for (let at = 0; at < 200; at += 1) attempts.add(await update(fallback, letter(at), `x${at}`))
    await fallback.close(1_000)
    const url = server().url(scene.database)
    for (const stage of ['claimed', 'locked', 'inserted', 'updated', 'committed']) {
      const child = carrier(url, scene.dir, stage)
      cleanLater(t, () => void child.kill('SIGKILL'))
      const ended = once(child, 'exit')
      await until(() => told(child).includes(stage), { withinMs: 20_000, what: stage })
      child.kill('SIGKILL')
      await ended
    }
    const child = carrier(url, scene.dir, '')
    await once(child, 'exit')
    assert.equal(child.exitCode, 0, told(child))
    const seen = await scene.server.query('select attempt, count(*) as n from audit group by attempt', scene.database)
    assert.equal(seen.length, attempts.size)
    assert.ok(seen.every(({ attempt, n }) => attempts.has(String(attempt)) && Number(n) === 1))
    assert.deepEqual(await scene.reasons(), [])
  })

  test('a deadlock with another client is tried again', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await insert(fallback, 'a', 'a')
    await insert(fallback, 'b', 'b')
    await scene.replayer().carry(fallback, primary, 0, never)
    await update(fallback, 'a', 'new a')
    await update(fallback, 'b', 'new b')
    const other = primary.orm.em.fork()
    let carried: Promise<void> = Promise.resolve()
    const lock = `select id from everything where id = '%' for update`
    const client = other.transactional(async (em) => {
      await em.execute(lock.replace('%', idOf('b')))
      const waits = Promise.withResolvers<void>()
      const replay = {
        ...primary.replay,
        lock: (...given: Parameters<typeof primary.replay.lock>) => {
          const locked = primary.replay.lock(...given)
          waits.resolve()
          return locked
        },
      }
      carried = scene.replayer().carry(fallback, { ...primary, replay }, 0, never)
      await waits.promise
      await until(() => isWaiting(scene, kind.name), { what: 'the wait of replay' })
      await em.execute(lock.replace('%', idOf('a')))
    })
    const outcome = await client.then(
      () => 'committed',
      () => 'rolled back',
    )
    await carried
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'new a', [idOf('b')]: 'new b' }, outcome)
  })

  test('a create of another client does not wait for a replay that looks for missing rows', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await insert(fallback, 'm', 'm')
    // Its table is locked after the one of the missing row.
    const plainRow = 'insert into plain (id, word, "createdAt", "updatedAt", version, holdfast_attempt)'
    await together(fallback, [[`${plainRow} values (?, 'p', 1, 1, 1, ?)`, [idOf('p'), 'ATTEMPT']]])
    const [waits, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const lock: typeof primary.replay.lock = async (table, ids) => {
      if (table.name === 'plain') {
        waits.resolve()
        await goesOn.promise
      }
      return await primary.replay.lock(table, ids)
    }
    const carried = scene.replayer().carry(fallback, { ...primary, replay: { ...primary.replay, lock } }, 0, never)
    await waits.promise
    const names = ['id', 'word', 'createdAt', 'updatedAt', 'version'].map(kind.quoted).join(', ')
    const create = `insert into everything (${names}) values ('${idOf('f')}', 'f', '2024-01-01', '2024-01-01', 1)`
    await within(scene.server.query(create, scene.database), 1_000, 'the create').finally(goesOn.resolve)
    await carried
    assert.deepEqual(await scene.words(), { [idOf('f')]: 'f', [idOf('m')]: 'm' })
    assert.deepEqual(await scene.reasons(), [])
  })

  test('a count that a trigger of the primary falsifies parks the transaction', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    if (kind.name !== 'PostgreSQL') return t.skip('its triggers cannot discard a row')
    await scene.server.query(
      `create function discard() returns trigger language plpgsql as $$ begin
        if new.word = 'discarded' then return null; end if; return new; end $$;
       create trigger discard before insert on everything for each row execute function discard()`,
      scene.database,
    )
    await insert(fallback, 'a', 'a')
    await insert(fallback, 'b', 'discarded')
    await insert(fallback, 'c', 'c')
    await scene.replayer().carry(fallback, primary, 0, never)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'a', [idOf('c')]: 'c' })
    assert.deepEqual(await scene.reasons(), ['refused WRITE_DISCARDED'])
  })

  test('a constraint that is checked at COMMIT parks what breaks it', async (t) => {
    if (kind.name !== 'PostgreSQL') return t.skip('it has no deferred constraints')
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await scene.server.query(
      'alter table everything add constraint late unique (large) deferrable initially deferred',
      scene.database,
    )
    await insert(fallback, 'a', 'a', { large: 1 })
    await insert(fallback, 'b', 'b', { large: 1 })
    await insert(fallback, 'c', 'c', { large: 2 })
    await scene.replayer().carry(fallback, primary, 0, never)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'a', [idOf('c')]: 'c' })
    assert.deepEqual(await scene.reasons(), ['multiple_unique_conflicts'])
  })

  test('a character that the primary cannot hold parks its row, with the image', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await insert(fallback, 'a', 'a\0b')
    await insert(fallback, 'b', 'b')
    await scene.replayer().carry(fallback, primary, 0, never)
    const words = kind.name === 'PostgreSQL' ? { [idOf('b')]: 'b' } : { [idOf('a')]: 'a\0b', [idOf('b')]: 'b' }
    assert.deepEqual(await scene.words(), words)
    const [first] = await scene.conflicts(primary).list(10)
    if (kind.name !== 'PostgreSQL') return assert.equal(first, undefined)
    assert.match(first?.entries[0]?.reason ?? '', /^refused 22/)
    const shown = await scene.conflicts(primary).show(first?.attempt ?? '')
    assert.equal(shown?.entries[0]?.ours?.word, 'a\0b')
  })

  test('a row whose id the primary does not accept parks', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await insert(fallback, 'a', 'a', { id: 'no uuid \0 '.repeat(40), holdfast_attempt: 'nor this' })
    await insert(fallback, 'b', 'b')
    await scene.replayer().carry(fallback, primary, 0, never)
    assert.deepEqual(await scene.words(), { [idOf('b')]: 'b' })
    assert.match((await scene.reasons())[0] ?? '', /^refused /)
  })

  test('a transaction that ends its connection three times, alone, is parked; until then nothing is', async (t) => {
    if (kind.name !== 'PostgreSQL') return t.skip('its triggers cannot end a connection')
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await scene.server.query(
      `create function poison() returns trigger language plpgsql as $$ begin
        if new.word = 'poison' then perform pg_terminate_backend(pg_backend_pid()); end if; return new; end $$;
       create trigger poison before insert on everything for each row execute function poison()`,
      scene.database,
    )
    for (let at = 0; at < 9; at += 1) await insert(fallback, letter(at), at === 4 ? 'poison' : `w${at}`)
    const replayer = scene.replayer()
    for (let tries = 1; tries <= 3; tries += 1) {
      await assert.rejects(replayer.carry(fallback, primary, 0, never), (error) => {
        return error instanceof FaultError && error.fault.kind === 'lost'
      })
      assert.deepEqual(await scene.reasons(), [])
    }
    await replayer.carry(fallback, primary, 0, never)
    assert.deepEqual(await scene.reasons(), ['connection_ended'])
    assert.equal(Object.keys(await scene.words()).length, 8)
  })

  test('a primary that is gone is not the fault of any transaction', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await insert(fallback, 'a', 'a')
    const failing = {
      ...primary,
      replay: {
        ...primary.replay,
        claim: () => Promise.reject(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })),
      },
    }
    const replayer = scene.replayer()
    for (let tries = 0; tries < 5; tries += 1)
      await assert.rejects(replayer.carry(fallback, failing, 0, never), FaultError)
    await replayer.carry(fallback, primary, 0, never)
    assert.deepEqual([await scene.words(), await scene.reasons()], [{ [idOf('a')]: 'a' }, []])
  })

  test('a batch that takes longer than a statement may is carried in smaller ones', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    for (let at = 0; at < 12; at += 1) await insert(fallback, letter(at), `w${at}`)
    const insertOf: typeof primary.replay.insert = (table, rows) =>
      rows.length > 3 ? Promise.reject(timeoutError()) : primary.replay.insert(table, rows)
    const slow = { ...primary, replay: { ...primary.replay, insert: insertOf } }
    const replayer = scene.replayer()
    let carries = 1
    while (!(await replayer.carry(fallback, slow, 0, never).then(yes, no))) assert.ok(++carries < 10)
    assert.equal(Object.keys(await scene.words()).length, 12)
    assert.deepEqual(await scene.reasons(), [])
  })

  test('a journal that fails is not the fault of the primary', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await insert(fallback, 'a', 'a')
    const carried = (): Promise<void> => Promise.reject(Object.assign(new Error('full'), { code: 'SQLITE_FULL' }))
    const journal = new Proxy(fallback.journal, {
      get(real, name) {
        const member: unknown = name === 'carried' ? carried : Reflect.get(real, name, real)
        return typeof member === 'function' ? member.bind(real) : member
      },
    })
    await assert.rejects(scene.replayer().carry({ ...fallback, journal }, primary, 0, never), (error) => {
      return error instanceof JournalFault && error.fault.kind === 'disk-full'
    })
  })

  test('keys that rows of one batch pass on to each other are written', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await insert(fallback, 'a', 'x')
    await insert(fallback, 'b', 'y')
    await scene.replayer().carry(fallback, primary, 0, never)
    const set = 'update everything set word = ?, holdfast_attempt = ? where id = ?'
    await together(fallback, [
      [set, ['free', 'ATTEMPT', idOf('a')]],
      [set, ['x', 'ATTEMPT', idOf('b')]],
      [set, ['y', 'ATTEMPT', idOf('a')]],
    ])
    await scene.replayer().carry(fallback, primary, 0, never)
    assert.deepEqual([await scene.words(), await scene.reasons()], [{ [idOf('a')]: 'y', [idOf('b')]: 'x' }, []])
  })
})

test('a server whose binary log has statements alone is carried to', { skip: noMariadb }, async (t) => {
  const server = await startMariadb(t, { settings: ['--log-bin', '--binlog-format=STATEMENT'] })
  const scene = await Scene.make(t, server)
  const [primary, fallback] = [await scene.primary(), await scene.fallback()]
  await insert(fallback, 'a', 'a')
  await scene.replayer().carry(fallback, primary, 0, never)
  assert.deepEqual(await scene.words(), { [idOf('a')]: 'a' })
})

const yes = (): boolean => true
const no = (): boolean => false

const outputs = new WeakMap<ChildProcess, string>()

function told(child: ChildProcess): string {
  return outputs.get(child) ?? ''
}

/** A process that carries the file of a scene, tells each step, and stops at that one. */
function carrier(url: string, dir: string, stage: string): ChildProcess {
  const script = fileURLToPath(new URL('./carrier-process.ts', import.meta.url))
  const child = spawn(process.execPath, [script, url, dir, stage], { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => outputs.set(child, told(child) + text))
  }
  return child
}

async function isWaiting(scene: Scene, name: string): Promise<boolean> {
  const sql =
    name === 'PostgreSQL'
      ? `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
      : `select 1 from information_schema.innodb_trx where trx_state = 'LOCK WAIT'`
  return (await scene.server.query(sql, scene.database)).length > 0
}
