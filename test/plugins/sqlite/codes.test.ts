import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { sqliteProblems } from '../../../plugins/sqlite/codes.ts'

test('every problem of the driver is in its list, and the list has no other', async () => {
  const folder = new URL('../../../plugins/sqlite/', import.meta.url)
  const used = new Set<string>()
  for (const file of ['address/address.ts', 'proof/inspect.ts', 'proof/choice.ts', 'candidate.ts']) {
    const text = await readFile(new URL(file, folder), 'utf8')
    for (const [, code] of text.matchAll(/'((?:SQLITE|ROWS|JOURNAL)_[A-Z_]+)'/g)) if (code) used.add(code)
  }
  for (const setting of ['SQLITE_ALLOW_PATHS', 'SQLITE_SYNC']) used.delete(setting)
  assert.deepEqual([...used].sort(), Object.keys(sqliteProblems).sort())
  assert.ok((await readdir(folder)).includes('sqlite.ts'))
})
