import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('conformance-mutants.ts', import.meta.url))

/** What each way to break the contract must be caught by. */
const caught = {
  'parse that throws': 'parses any text without throwing, to a target or to problems',
  'label with the password': 'never shows a password, in a problem, a target or a label',
  'classify that throws': 'classifies any thrown value, and the same value always the same',
  'every error is lost': 'classifies a broken rule as "constraint" and a wrong statement as "statement"',
  'evict that throws': 'proves a candidate, twice, and closes and evicts its connection twice',
  'a position that stands still':
    'says the same of its place on each connection, and whatever was committed lies before its position',
  'connect that opens': 'opens nothing when candidates are created',
  'close that does nothing': 'closes an ORM twice, and without one that was connected',
  'echo with values': 'reports the text of statements to ECHO_SQL, never a value',
  'writes that are not atomic': 'keeps one failing write from the others of the same moment',
  'several commands in one text': 'refuses several commands in a text with values, and runs none of them',
  'reads outside of the transaction': 'joins an open EntityManager transaction, and is undone by its rollback',
  'a read-only that is none':
    'refuses every way to change something while it is read-only, and accepts changes again afterwards',
  'a journal that rounds': 'keeps every value exactly',
  'one attempt for two transactions':
    'gives one transaction one id and one attempt: the one that was told, or one of its own',
  'an archive of half a transaction':
    'gives what waits to an archive: whole transactions, for one primary at a time, whichever it is',
  'an archive of one primary alone':
    'gives what waits to an archive: whole transactions, for one primary at a time, whichever it is',
  'half a transaction': 'gives whole transactions in order, and counts what waits',
  'a journal that never rests': 'refuses changes until it serves, however they are made, and takes them afterwards',
  'a switch that does not wait for the writer':
    'refuses what an open transaction would still change, and rests only after it',
  'stale triggers': 'replaces triggers that know less than the table has',
  'a journal without a limit': 'refuses changes while more waits than may, and drops nothing',
  'entries for whichever primary':
    'addresses entries to the primary that was reached last, and early ones to the first',
  'waiting rows that are removed': 'removes carried rows without journaling it, and leaves those that wait',
  'a cut that is never repeated but lost': 'gives an archive each commit once, and nothing when there is none',
  'parts of a transaction that look whole': 'cuts a transaction whole or marks its parts',
  'a checkpoint before the rest is kept':
    'carries nothing that was not kept for the archive, and loses nothing to a checkpoint',
  'a snapshot of a later moment': 'copies a snapshot at the place that was kept last, while the service writes on',
  'a place that is believed': 'goes on behind its end, and not behind a place that it cannot prove',
  'schema lock for all': 'lets one holder change the schema at a time, across stores',
} as const

for (const [mutant, title] of Object.entries(caught)) {
  test(`the suite catches a driver with ${mutant}`, async () => {
    const output = await runSuite(mutant, title)
    assert.match(output, new RegExp(`not ok \\d+ - ${escaped(title)}`))
  })
}

test('the suite has nothing against the driver that the broken ones are made of', async () => {
  const output = await runSuite('none', Object.values(caught).map(escaped).join('|'), true)
  assert.doesNotMatch(output, /not ok/)
  assert.match(output, /# pass 2\d/)
})

async function runSuite(mutant: string, title: string, isPattern = false): Promise<string> {
  const pattern = `--test-name-pattern=${isPattern ? title : escaped(title)}`
  const args = ['--test-reporter=tap', '--test-timeout=20000', pattern, file]
  const child = spawn(process.execPath, args, {
    // The runner tells its children by a variable that they are; this one is to report in words.
    env: { PATH: process.env.PATH, MUTANT: mutant },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  await new Promise((resolve) => child.once('close', resolve))
  return output
}

function escaped(title: string): string {
  return title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
