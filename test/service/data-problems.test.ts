import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Problem } from '../../src/config/problem.ts'
import type { Observation } from '../../src/observe/observation.ts'
import { DataProblems } from '../../src/service/data-problems.ts'
import { FakeClock } from '../support/fake-clock.ts'

const problem = (message: string): Problem => ({
  code: 'DATA_DIR_UNUSABLE',
  severity: 'error',
  setting: 'data.dir',
  origin: null,
  part: null,
  message,
  suggestion: '',
})

test('the folders are tried again while there is a problem, and no longer', async () => {
  const clock = new FakeClock()
  const seen: Observation[] = []
  const answers: (readonly Problem[])[] = [[problem('a')], [problem('b')], []]
  let tries = 0
  const problems = new DataProblems({
    clock,
    first: [problem('a')],
    find: async () => {
      tries += 1
      return answers.shift() ?? []
    },
    observe: (one) => seen.push(one),
  })
  const known: unknown[] = []
  for (let round = 0; round < 5; round += 1) {
    await clock.advance(5_000)
    known.push(problems.known.map(({ message }) => message))
  }
  assert.deepEqual(known, [['a'], ['b'], [], [], []])
  assert.equal(tries, 3)
  assert.deepEqual(
    seen.map((one) => [one.type, 'problem' in one ? one.problem.message : null]),
    [
      ['problem.found', 'b'],
      ['problem.ended', 'a'],
      ['problem.ended', 'b'],
    ],
  )
  problems.close()
})

test('a check that ends after a later one began is dropped', async () => {
  const [slow, quick] = [Promise.withResolvers<readonly Problem[]>(), Promise.resolve([problem('b')])]
  const answers = [slow.promise, quick]
  const problems = new DataProblems({
    clock: new FakeClock(),
    first: [problem('a')],
    find: () => answers.shift() ?? quick,
    observe: () => {},
  })
  const late = problems.check()
  await problems.check()
  slow.resolve([])
  await late
  assert.deepEqual(
    problems.known.map(({ message }) => message),
    ['b'],
  )
  problems.close()
})
