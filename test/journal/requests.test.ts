import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { Collection } from '../../src/collection/declaration/declaration.ts'
import { carriedTablesOf } from '../../src/collection/table/carried-table.ts'
import type { Value } from '../../src/driver/facet/statements.ts'
import { collections, idOf, never, type OpenFallback, type OpenPrimary, Scene, together } from './bench.ts'
import { onServers } from './servers.ts'

const insertSql = `insert into everything (id, word, "createdAt", "updatedAt", version, holdfast_attempt)
  values (?, ?, 1700000000123, 1700000000123, 1, ?)`
const requestSql =
  'insert into holdfast_request (id, holdfast_attempt, fingerprint, status, body) values (?, ?, ?, ?, ?)'

/** A keyed create on the fallback: its claim with its answer, and its row, as one local transaction. */
async function createKeyed({ statements }: OpenFallback, letter: string, word: string | null): Promise<string> {
  const attempt = randomUUID()
  const first = { sql: requestSql, values: [attempt, attempt, 'print', 201, `{"word":"${word}"}`] }
  await statements.write(insertSql, [idOf(letter), word, attempt], { attempt, first })
  return attempt
}

onServers('requests with a key', (server, kind) => {
  const times = `${kind.quoted('createdAt')}, ${kind.quoted('updatedAt')}`
  const tables = carriedTablesOf(collections)
  const carry = (scene: Scene, fallback: OpenFallback, primary: OpenPrimary) =>
    scene.replayer(tables).carry(fallback, primary, 0, never)
  const answers = async (scene: Scene): Promise<Record<string, unknown>> => {
    const rows = await scene.server.query('select id, status, body from holdfast_request', scene.database)
    return Object.fromEntries(rows.map(({ id, status, body }) => [String(id), `${status} ${body}`]))
  }

  test('their answers are carried with their rows, and once', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    const attempt = await createKeyed(fallback, 'a', 'one')
    await fallback.statements.write("update holdfast_request set body = '{}' where id = ?", [attempt], { attempt })
    await carry(scene, fallback, primary)
    await fallback.journal.carryAgain()
    await carry(scene, fallback, primary)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'one' })
    assert.deepEqual(await answers(scene), { [attempt]: '201 {}' })
    assert.deepEqual(await scene.reasons(), [])
  })

  test('one that the primary has answered is not carried', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    const attempt = await createKeyed(fallback, 'a', 'here')
    await scene.server.query(
      `insert into holdfast_request (id, holdfast_attempt, status) values ('${attempt}', '${attempt}', 200)`,
      scene.database,
    )
    await carry(scene, fallback, primary)
    assert.deepEqual(await scene.words(), {})
    assert.deepEqual(await answers(scene), { [attempt]: '200 null' })
    assert.deepEqual(await scene.reasons(), [])
    assert.equal(fallback.journal.counts().entries, 0)
  })

  test('one whose change is parked keeps its answer in the primary, so that it is not carried out once more', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await scene.server.query(
      `insert into everything (id, word, ${times}, version) values ('${idOf('a')}', 'theirs', now(), now(), 1)`,
      scene.database,
    )
    const [met, refused] = [await createKeyed(fallback, 'a', 'ours'), await createKeyed(fallback, 'b', 'theirs')]
    const kept = await createKeyed(fallback, 'c', 'kept')
    await carry(scene, fallback, primary)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'theirs', [idOf('c')]: 'kept' })
    assert.deepEqual(Object.keys(await answers(scene)).sort(), [met, refused, kept].sort())
    // A row of `everything` has a word of its own.
    assert.deepEqual(await scene.reasons(), ['insert_exists', 'multiple_unique_conflicts'])
    const listed = await scene.conflicts(primary, tables).list(10)
    const parked = listed.find(({ attempt }) => attempt === met)
    assert.deepEqual(
      parked?.entries.map(({ collection }) => collection),
      ['everything'],
    )
  })
})

const team: Collection = { name: 'team', fields: { word: { type: 'string' } } }
const member: Collection = {
  name: 'amember',
  fields: {
    word: { type: 'string' },
    team: { type: 'string', format: 'uuid', references: { collection: 'team', onDelete: 'cascade' } },
    price: { type: 'string', format: 'decimal', scale: 2 },
    count: { type: 'string', format: 'int64' },
    day: { type: 'string', format: 'date' },
  },
}
const own = [member, team]

onServers('references and exact values', (server, kind) => {
  const times = `${kind.quoted('createdAt')}, ${kind.quoted('updatedAt')}`
  const tables = carriedTablesOf(own)
  const now = 1_700_000_000_123
  const insertTeam = (id: string): readonly [string, readonly Value[]] => [
    `insert into team (id, word, "createdAt", "updatedAt", version, holdfast_attempt) values (?, 'x', ${now}, ${now}, 1, ?)`,
    [id, 'ATTEMPT'],
  ]
  const insertMember = (id: string, to: string | null): readonly [string, readonly Value[]] => [
    `insert into amember (id, word, team, price, count, day, "createdAt", "updatedAt", version, holdfast_attempt)
      values (?, 'x', ?, -1250, 9223372036854775807, '2026-01-31', ${now}, ${now}, 1, ?)`,
    [id, to, 'ATTEMPT'],
  ]
  const drop = (table: string, id: string): readonly [string, readonly Value[]] => [
    `delete from ${table} where id = ?`,
    [id],
  ]
  async function open(t: Parameters<typeof Scene.make>[0]) {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(own), await scene.fallback('fallback.db', own)]
    await scene.server.query('alter table amember add foreign key (team) references team (id)', scene.database)
    return { scene, primary, fallback, carry: () => scene.replayer(tables).carry(fallback, primary, 0, never) }
  }

  test('parents are written before their children and deleted behind them, in bulk', async (t) => {
    const { scene, fallback, carry } = await open(t)
    // The children's table comes first by its name, and in the batch.
    await together(fallback, [insertMember(idOf('m'), null)])
    for (const letter of ['a', 'b', 'c'])
      await together(fallback, [insertTeam(idOf(letter)), insertMember(idOf(letter.toUpperCase()), idOf(letter))])
    await together(fallback, [drop('amember', idOf('A')), drop('team', idOf('a'))])
    await together(fallback, [
      ['update amember set team = ? where id = ?', [idOf('c'), idOf('B')]],
      drop('team', idOf('b')),
    ])
    await carry()
    const rows = await scene.server.query('select id, team, price, count, day from amember order by id', scene.database)
    assert.deepEqual(
      rows.map(({ id, team: to }) => [id, to]),
      [
        [idOf('B'), idOf('c')],
        [idOf('C'), idOf('c')],
        [idOf('m'), null],
      ],
    )
    assert.ok(rows.every(({ price, count }) => String(price) === '-12.50' && String(count) === '9223372036854775807'))
    assert.deepEqual(Object.keys(await scene.words('team')), [idOf('c')])
    assert.deepEqual(await scene.reasons(), [])
    // The images of both sides are the same: what was carried is a base.
    await together(fallback, [['update amember set price = 5 where id = ?', [idOf('C')]]])
    await carry()
    const [after] = await scene.server.query(`select price from amember where id = '${idOf('C')}'`, scene.database)
    assert.deepEqual([String(after?.price), await scene.reasons()], ['0.05', []])
  })

  test('the delete of a parent is parked where the primary has a child that the fallback does not know', async (t) => {
    const { scene, fallback, carry } = await open(t)
    await together(fallback, [insertTeam(idOf('a')), insertTeam(idOf('b'))])
    await carry()
    await scene.server.query(
      `insert into amember (id, team, ${times}, version) values ('${idOf('z')}', '${idOf('a')}', now(), now(), 1)`,
      scene.database,
    )
    await together(fallback, [drop('team', idOf('b'))])
    await together(fallback, [drop('team', idOf('a'))])
    await carry()
    assert.deepEqual(Object.keys(await scene.words('team')), [idOf('a')])
    assert.match((await scene.reasons()).join(), /^refused (?:23503|1451)$/)
  })
})
