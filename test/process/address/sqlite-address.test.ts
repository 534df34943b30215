import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { type Files, makeTempDir } from '../../support/temp.ts'
import {
  assertFallback,
  assertLocal,
  assertPrimary,
  assertSaid,
  checkHere,
  findProblem,
  hostAndLook,
  makeHome,
  serveAndLook,
  type Wanted,
} from '../sight.ts'

/** An address, and what becomes of it. `$DIR` is the working directory, `$ELSEWHERE` a folder outside of it. */
interface Case {
  readonly url: string
  readonly env?: Readonly<Record<string, string>>
  readonly files?: Files
  /** The file that is used, below the working directory unless it begins with `$`; null: the address is refused. */
  readonly file: string | null
  readonly wanted: readonly Wanted[]
}

const outside: Wanted = { code: 'ADDRESS_PATH_OUTSIDE', severity: 'error', part: 'path' }
const folder: Wanted = { code: 'ADDRESS_PATH_INVALID', severity: 'error', part: 'path' }
const unneeded: Wanted = { code: 'ADDRESS_PARAMETER_UNUSED', severity: 'info', part: 'query' }

const cases: readonly Case[] = [
  { url: 'sqlite:///./x.db', file: 'data/x.db', wanted: [] },
  { url: 'sqlite:x.db', file: 'data/x.db', wanted: [] },
  { url: 'file:x.db', file: 'data/x.db', wanted: [] },
  { url: 'sqlite:///sub/folder/x.db', file: 'data/sub/folder/x.db', wanted: [] },
  { url: 'sqlite:////$DIR/data/x.db', file: 'data/x.db', wanted: [] },
  {
    url: 'sqlite:///./x.db?journal_mode=WAL&check_same_thread=False',
    file: 'data/x.db',
    wanted: [{ ...unneeded, message: /check_same_thread/, suggestion: /Remove "check_same_thread"/ }],
  },
  {
    url: 'sqlite:////$ELSEWHERE/x.db',
    env: { SQLITE_ALLOW_PATHS: '$ELSEWHERE' },
    file: '$ELSEWHERE/x.db',
    wanted: [],
  },
  { url: 'sqlite:////$ELSEWHERE/x.db', file: null, wanted: [{ ...outside, suggestion: /SQLITE_ALLOW_PATHS=/ }] },
  { url: 'sqlite:///../x.db', file: null, wanted: [{ ...outside, message: /leaves the data directory/ }] },
  { url: 'sqlite:///./a/../../x.db', file: null, wanted: [{ ...outside, suggestion: /^sqlite:\/\/\/\.\/x\.db$/ }] },
  { url: 'file:../../etc/passwd', file: null, wanted: [outside] },
  { url: 'sqlite:///./folder/', file: null, wanted: [{ ...folder, message: /names a folder/ }] },
]

const settings = { primary: 'DATABASE_URL', fallback: 'FALLBACK_DATABASE_URL' } as const

describe('an address of SQLite', { concurrency: 2 }, () => {
  for (const role of ['primary', 'fallback'] as const) {
    for (const [at, { url, env = {}, file, wanted }] of cases.entries()) {
      const what = `${settings[role]}=${url}${env.SQLITE_ALLOW_PATHS ? ' in an allowed place' : ''}`
      const becomes = file === null ? 'is refused, and the default serves' : `is ${file}`
      test(`${what} ${becomes}`, async (t) => {
        const [cwd, elsewhere] = [await makeHome(t), await makeTempDir(t, 'elsewhere')]
        const fill = (text: string): string => text.replace('/$DIR', cwd).replace('/$ELSEWHERE', elsewhere)
        const given = Object.entries(env).map(([name, value]) => [name, value.replace('$ELSEWHERE', elsewhere)])
        const options = { cwd, env: { [settings[role]]: fill(url), ...Object.fromEntries(given) } }
        // The first by a process, which is what users start.
        const sight = at === 0 ? await serveAndLook(t, options) : await hostAndLook(t, options)
        const check = await checkHere(cwd, options.env)
        for (const one of wanted) {
          const setting = role === 'primary' ? 'database.url' : 'fallback.url'
          await assertSaid(sight, { ...one, setting })
          assert.equal(findProblem(check.problems, { ...one, setting }).origin, `environment ${settings[role]}`)
        }
        assert.equal(check.code, wanted.some(({ severity }) => severity === 'error') ? 2 : 0)
        assert.equal(sight.problems.length, wanted.length, JSON.stringify(sight.problems))
        const used = join(cwd, file ?? 'data/production.db').replace(join(cwd, '$ELSEWHERE'), elsewhere)
        assert.equal(sight.status.database.store?.path, used)
        assert.ok(existsSync(used))
        if (role === 'fallback') assertLocal(sight)
        else if (file === null) assertFallback(sight)
        else assertPrimary(sight)
        const shown = role === 'primary' && file !== null ? check.primary : check.fallback
        assert.ok(String(shown?.label).endsWith(used), JSON.stringify(shown))
        assert.deepEqual(await readdir(dirname(cwd)).then((all) => all.filter((name) => name === 'x.db')), [])
      })
    }
  }

  for (const url of ['sqlite::memory:', ':memory:', 'sqlite://', 'file::memory:?cache=shared']) {
    test(`${url} is a file that is removed at the end, with a warning`, async (t) => {
      const cwd = await makeHome(t)
      const options = { cwd, env: { FALLBACK_DATABASE_URL: url } }
      const sight = await serveAndLook(t, options)
      assertLocal(sight)
      assert.equal(sight.durability, 'local-ephemeral')
      assert.equal(sight.health.durability, 'local-ephemeral')
      const wanted: Wanted = { code: 'SQLITE_MEMORY', severity: 'warning', suggestion: /Name a file/ }
      await assertSaid(sight, wanted)
      const check = await checkHere(cwd, options.env)
      findProblem(check.problems, wanted)
      assert.equal(check.code, 0)
      assert.deepEqual([check.fallback?.path, check.fallback?.disk], [null, 'ephemeral'])
      assert.equal((await readdir(join(cwd, 'tmp'))).length, 1)
      assert.equal((await sight.service.end()).code, 0)
      assert.deepEqual(await readdir(join(cwd, 'tmp')), [])
      assert.equal(existsSync(join(cwd, 'data/production.db')), false)
    })
  }

  test('DATABASE_URL=sqlite::memory: is the primary, beside a fallback in a file', async (t) => {
    const sight = await serveAndLook(t, { env: { DATABASE_URL: 'sqlite::memory:' } })
    assertPrimary(sight)
    await assertSaid(sight, { code: 'SQLITE_MEMORY', severity: 'warning', setting: 'database.url' })
  })

  test('one file as primary and fallback is the primary, without a fallback', async (t) => {
    const sight = await serveAndLook(t, { env: { DATABASE_URL: 'sqlite:///./production.db' } })
    assertPrimary(sight)
    assert.equal(sight.health.status, 'pass')
    await assertSaid(sight, { code: 'FALLBACK_IS_PRIMARY', severity: 'info' })
  })
})
