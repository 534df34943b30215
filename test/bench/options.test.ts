import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { makeTempDir } from '../support/temp.ts'
import { cases } from './cases.ts'
import { readOptions } from './options.ts'

const names = cases.map(({ name }) => name)

test('without options all cases are measured five times, next to the other servers, and printed as text', () => {
  assert.deepEqual(readOptions([], names), {
    ...{ seconds: 2, warmUpSeconds: 0.5, repeat: 5, only: [], rows: 10_000 },
    ...{ on: 'sqlite', against: null, json: false },
  })
})

test('--json and --only need no other build to compare with', () => {
  const { json, only } = readOptions(['--json', '--only', 'change64,delete'], names)
  assert.deepEqual([json, only], [true, ['change64', 'delete']])
})

test('--against names a folder with a build; two builds are compared ten times', async (t) => {
  const folder = await makeTempDir(t, 'against')
  assert.throws(() => readOptions(['--against', folder], names), /has no build to run: dist\/built\.json, /)
  for (const file of [
    'dist/built.json',
    'dist/main.js',
    'config/collections/feedback.json',
    'node_modules/better-sqlite3/x',
  ]) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), '')
  }
  const { against, repeat } = readOptions(['--against', folder], names)
  assert.deepEqual([against, repeat], [folder, 10])
})

test('an option with a value that it does not accept is named', () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['--only', 'get,gets'], /--only: "gets" is not a case\. Use some of get, /],
    [['--on', 'mysql'], /--on accepts sqlite or postgresql/],
    [['--seconds', '0'], /--seconds accepts a number above 0/],
    [['--repeat', '1.5'], /--repeat accepts a whole number/],
    [['--against', '/nowhere/at/all'], /there is no folder/],
  ]
  for (const [args, sentence] of wrong) assert.throws(() => readOptions(args, names), sentence)
})
