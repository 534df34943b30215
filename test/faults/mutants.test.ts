import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mutants } from './mutant/mutants.ts'
import { occurrencesOf } from './mutant/tree.ts'
import { schedules } from './schedule/all.ts'

for (const { name, edits, caughtBy } of mutants) {
  test(`the mutant "${name}" still breaks the code, and a schedule is there for it`, async () => {
    for (const edit of edits) assert.equal(await occurrencesOf(edit), 1, `the text is in ${edit.file} once`)
    assert.ok(schedules.some((schedule) => schedule.name === caughtBy))
  })
}

test('names of schedules are different', () => {
  assert.equal(new Set(schedules.map(({ name }) => name)).size, schedules.length)
})
