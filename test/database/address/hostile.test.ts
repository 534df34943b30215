import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maskAddress } from '../../../src/config/mask.ts'
import { cleanAddress } from '../../../src/database/address/clean.ts'
import { maskAddresses } from '../../../src/observe/redaction.ts'

const runs = [
  ' ',
  '\n ',
  ';',
  ';,',
  '"',
  "'`",
  '://',
  'a',
  'A',
  '" ',
  '@',
  ':',
  '-',
  '\u2028',
  '%',
  'token',
  '?pass',
  '&',
  'PGA="" ',
  'host=a ',
  "a='\\'",
]
const texts = runs.flatMap((run) => {
  const long = run.repeat(Math.floor(60_000 / run.length))
  return [`${long}x`, `x${long}x`, `<a${long}`, `psql "${long}\u2028x`, `DATABASE_URL${long}x`]
})

for (const [what, read] of [
  ['cleaned', cleanAddress],
  ['masked', maskAddress],
  ['masked within a message', maskAddresses],
] as const) {
  test(`no text takes long to be ${what} as an address`, () => {
    const before = process.cpuUsage()
    for (const text of texts) read(text)
    const { user, system } = process.cpuUsage(before)
    assert.ok(user + system < 5_000_000, `${(user + system) / 1_000} ms`)
  })
}

test('an address that is broken over lines is joined, and loses what trails behind it', () => {
  assert.equal(cleanAddress('"postgres://u:p@h \n \t /x;,;" ').text, 'postgres://u:p@h/x')
  assert.equal(cleanAddress('<postgres://h/x>').text, 'postgres://h/x')
  assert.equal(cleanAddress(`psql -d 'postgres://h/x' -c "select 1"`).text, 'postgres://h/x')
})

test('the password of an address is masked behind a long word as well', () => {
  assert.doesNotMatch(maskAddresses(`${'a'.repeat(300)}://user:hunter2@host/x`), /hunter2/)
})

test('a password among the parameters is masked to its end where it holds an "@"', () => {
  for (const text of ['mysql://h:3306/d?user=u&password=a@hunter2', 'mysql://h:3306/d?password=a@hunter2/x&ssl=true']) {
    assert.doesNotMatch(maskAddress(text), /hunter2/)
  }
  assert.equal(maskAddress('postgres://u:p@h/d?password=x'), 'postgres://u:***@h/d?password=***')
})
