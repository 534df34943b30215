import assert from 'node:assert/strict'
import { test } from 'node:test'
import { oneAtATime } from '../../src/service/one-at-a-time.ts'
import { until } from '../support/until.ts'

test('a task asked for a hundred times while it runs runs once more, and never beside itself', async () => {
  let runs = 0
  let beside = 0
  let most = 0
  const release: (() => void)[] = []
  const ask = oneAtATime(async () => {
    runs++
    most = Math.max(most, ++beside)
    await new Promise<void>((resolve) => release.push(resolve))
    beside--
  })
  for (let at = 0; at < 100; at++) ask()
  release.pop()?.()
  await until(() => runs === 2)
  release.pop()?.()
  await until(() => beside === 0)
  assert.deepEqual({ runs, most }, { runs: 2, most: 1 })
  ask()
  await until(() => runs === 3)
  release.pop()?.()
})
