import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { CompiledQuery } from 'kysely'
import type { MikroORM } from '../../../src/driver/orm.ts'
import { open, targetOf, tempFolder } from './bench.ts'

const numbers = [0n, -1n, 2n ** 53n - 1n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n]

/** As other databases' clients: a number where it is exact, else a text. */
const wanted = numbers.map((one) => (Number.isSafeInteger(Number(one)) ? Number(one) : String(one)))

async function bench(t: TestContext): Promise<MikroORM> {
  const { orm } = await open(t, targetOf(`sqlite:///${join(await tempFolder(t), 'a.db')}`, { allow: ['/tmp'] }))
  await orm.em.execute('create table big (n integer, x real)')
  return orm
}

const insertion = `insert into big (n) values ${numbers.map((one) => `(${one})`).join(', ')} returning n`
const ns = (rows: readonly unknown[]): readonly unknown[] => rows.map((row) => (row as { readonly n: unknown }).n) // They were asked for.

test('whole numbers that no double holds are read as texts, from a statement, a RETURNING and a stream', async (t) => {
  const { em } = await bench(t)
  assert.deepEqual(ns(await em.execute(insertion)), wanted)
  assert.deepEqual(ns(await em.execute('select n from big order by rowid')), wanted)
  const streamed: unknown[] = []
  for await (const row of em.getKysely().getExecutor().stream(CompiledQuery.raw('select n from big order by rowid'), 1))
    streamed.push(...row.rows)
  assert.deepEqual(ns(streamed), wanted)
})

test('a statement that is run again reads small numbers and large doubles as numbers', async (t) => {
  const { em } = await bench(t)
  const read = async (): Promise<unknown> =>
    (await em.getKysely().executeQuery(CompiledQuery.raw('select n, x from big where ?', [1]))).rows
  await em.execute('insert into big values (9007199254740993, 1e300)')
  assert.deepEqual(await read(), [{ n: '9007199254740993', x: 1e300 }])
  await em.execute('update big set n = 7')
  assert.deepEqual(await read(), [{ n: 7, x: 1e300 }])
})
