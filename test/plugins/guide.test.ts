import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readError } from '../../src/driver/kit/read-error.ts'
import { blocksOf, sectionOf } from '../support/pages.ts'
import { repository, runProcess } from '../support/process.ts'
import { readSources } from '../support/sources.ts'
import { makeTempDir } from '../support/temp.ts'
import { guide, linkAsGuided } from './guide.ts'

test('the suite runs as the page says in a folder elsewhere, with the links of the page alone', async (t) => {
  const build = await runProcess(t, { cwd: repository, args: ['src/cli/build.js', '--stale'], withinMs: 60_000 })
  assert.equal(build.code, 0, build.stderr)
  const dir = await makeTempDir(t, 'guide')
  cpSync(join(repository, 'config/examples/drivers/notebook'), join(dir, 'notebook'), { recursive: true })
  linkAsGuided(dir, ['better-sqlite3'])
  const suite = blocksOf(guide, 'js').find((block) => block.startsWith('// notebook.test.mjs')) ?? ''
  // The whole suite runs on this driver in examples.test.ts; here it is whether everything is found.
  const args = ['--test', '--test-name-pattern=shape of a driver|keeps rows from one ORM', 'notebook.test.mjs']
  const { code, stdout } = await runProcess(t, { cwd: dir, args, files: { 'notebook.test.mjs': suite } })
  assert.equal(code, 0, stdout)
  assert.match(stdout, /pass 2\b/)
})

test('the tests that the page names are tests of the suite', () => {
  const titles = new Set(
    readSources('src/conformance').flatMap(({ text }) =>
      [...text.matchAll(/\btest\('([^']+)'/g)].map(([, title]) => title),
    ),
  )
  const named = [
    ...sectionOf(guide, 'A database of one session')
      .replaceAll(/\s+/g, ' ')
      .matchAll(/"([^"]+)"/g),
  ]
  assert.equal(named.length, 6)
  assert.deepEqual(
    named.map(([, title]) => title).filter((title) => !titles.has(title)),
    [],
  )
})

test('what is thrown without being an object has no link to read, as the page says', () => {
  for (const thrown of [undefined, null, '', 'text', 0, 1n, true, Symbol('thrown')]) {
    assert.equal(
      readError(thrown, () => assert.fail('it was asked')),
      null,
    )
  }
})
