import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mutants } from './mutant/mutants.ts'
import { occurrencesOf } from './mutant/tree.ts'
import { schedules } from './schedule/all.ts'

for (const mutant of mutants) {
  test(`the mutant "${mutant.name}" still breaks the code, and a schedule is there for it`, async () => {
    assert.equal(await occurrencesOf(mutant), 1, `the text is in ${mutant.file} once`)
    assert.ok(schedules.some(({ name }) => name === mutant.caughtBy))
  })
}

test('names of schedules are different', () => {
  assert.equal(new Set(schedules.map(({ name }) => name)).size, schedules.length)
})
