import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressProblems } from '../../../../src/driver/kit/address/problems.ts'
import { readSources } from '../../../support/sources.ts'

test('every problem in the list of addresses is reported somewhere, and no driver has a list of its own for the same', () => {
  const texts = [...readSources('src'), ...readSources('plugins')].filter(
    ({ path }) => !path.endsWith('address/problems.ts'),
  )
  const codes = Object.keys(addressProblems)
  assert.deepEqual(
    codes.filter((code) => !texts.some(({ text }) => text.includes(`'${code}'`))),
    [],
  )
  const old = /\b(?:POSTGRESQL|MYSQL|NEON|SQLITE)_(?:ADDRESS|TWO_|HOST|PORT|NAME|USER|PASSWORD|TLS|PARAMETER|PATH)/
  assert.deepEqual(
    texts.filter(({ text }) => old.test(text)).map(({ path }) => path),
    [],
  )
})
