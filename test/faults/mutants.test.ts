import assert from 'node:assert/strict'
import { test } from 'node:test'
import { archiveMutants } from './archive/mutants.ts'
import { archiveSchedules } from './archive/schedule/all.ts'
import { mutants } from './mutant/mutants.ts'
import { occurrencesOf } from './mutant/tree.ts'
import { schedules } from './schedule/all.ts'

const names = [...schedules, ...archiveSchedules].map(({ name }) => name)

for (const { name, edits, caughtBy } of [...mutants, ...archiveMutants]) {
  test(`the mutant "${name}" still breaks the code, and a schedule is there for it`, async () => {
    for (const edit of edits) assert.equal(await occurrencesOf(edit), 1, `the text is in ${edit.file} once`)
    assert.ok(names.includes(caughtBy))
  })
}

test('names of schedules are different', () => {
  assert.equal(new Set(names).size, names.length)
})
