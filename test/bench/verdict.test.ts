import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Case } from './cases.ts'
import { standingsOf } from './contest.ts'
import { warnOfLoad } from './contest-text.ts'
import { names } from './contestant.ts'
import type { Sample } from './measure.ts'
import { quantileOf, ratiosOf, spreadOf, widthOf } from './statistics.ts'
import { judge, refuseUnsteady } from './verdict.ts'

test('a spread has the median of an even and of an odd count, and a width relative to it', () => {
  assert.deepEqual(spreadOf([4, 1, 3]), { median: 3, least: 1, most: 4 })
  assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, least: 1, most: 4 })
  assert.equal(widthOf(spreadOf([90, 100, 120])), 0.3)
})

test('a quantile is a value that was measured', () => {
  const values = Float64Array.from({ length: 101 }, (_, at) => at)
  assert.deepEqual([quantileOf(values, 0.5), quantileOf(values, 0.99), quantileOf(values, 1)], [50, 99, 100])
  assert.equal(quantileOf([7], 0.99), 7)
})

test('ratios are of the same repetition, not of the medians', () => {
  assert.deepEqual(ratiosOf([10, 40], [5, 10]), [2, 4])
})

test('a verdict compares the median with its limit, which itself is reached', () => {
  assert.equal(judge('rate', [0.9, 0.95, 2], { atLeast: 0.95 }).outcome, 'reached')
  assert.equal(judge('rate', [0.9, 0.94, 2], { atLeast: 0.95 }).outcome, 'missed')
  assert.equal(judge('p99', [1, 1.5, 9], { atMost: 1.5 }).outcome, 'reached')
  assert.equal(judge('p99', [1, 1.6, 9], { atMost: 1.5 }).outcome, 'missed')
})

test('there is no verdict when by hand varied by more than 30 %, and it says so', () => {
  const verdicts = [judge('rate', [1], { atLeast: 0.95 }), judge('p99', [9], { atMost: 1.5 })]
  assert.deepEqual(refuseUnsteady(verdicts, spreadOf([85, 100, 115])), verdicts)
  const refused = refuseUnsteady(verdicts, spreadOf([80, 100, 121]))
  assert.deepEqual(
    refused.map(({ outcome, because }) => [outcome, because]),
    Array(2).fill(['refused', 'by hand varied by 41 %: no verdict']),
  )
})

const steady: Case = {
  name: 'get',
  goals: { sqlite: { ratio: 0.95, next: 1.2 }, postgresql: { ratio: 2 } },
  ...{ connections: 64, method: 'GET', at: 'rows' },
}

/** Three repetitions of each contestant, at these rates, those of the yardstick first. */
function samplesAt(...rates: readonly number[]): Map<string, readonly Sample[]> {
  const sampleAt = (perSecond: number): Sample => ({
    ...{ perSecond, p50Ms: 1, p99Ms: 1_000 / perSecond, cpuUs: 1e6 / perSecond, loadUs: 50 },
  })
  return new Map(names.map((name, at) => [name, [1, 0.9, 1.1].map((share) => sampleAt((rates[at] ?? 1) * share))]))
}

test('a case has a verdict for each goal: by hand, Fastify, the log, and p99 where there are many connections', () => {
  const outcomesOf = (one: Case, on: 'sqlite' | 'postgresql', rates: readonly number[]) =>
    Object.fromEntries(standingsOf(one, on, samplesAt(...rates)).verdicts.map(({ rule, outcome }) => [rule, outcome]))
  const rates = [10_000, 8_000, 11_000, 9_000]
  assert.deepEqual(outcomesOf(steady, 'sqlite', rates), {
    'ratio to by hand': 'reached',
    'ratio to by hand, next': 'missed',
    'ahead of fastify + drizzle': 'reached',
    'log on to log off': 'missed',
    'p99 to by hand': 'reached',
  })
  assert.deepEqual(outcomesOf({ ...steady, connections: 1 }, 'postgresql', [10_000, 11_000, 9_000, 8_900]), {
    'ratio to by hand': 'missed',
    'ahead of fastify + drizzle': 'missed',
    'log on to log off': 'reached',
  })
  assert.deepEqual(outcomesOf({ ...steady, goals: null }, 'sqlite', rates), {})
})

test('the generator is named where it may be what is measured', () => {
  const { loadShare } = standingsOf(steady, 'sqlite', samplesAt(10_000, 8_000, 20_000, 9_000))
  assert.equal(loadShare, 1)
  assert.equal(warnOfLoad([{ name: 'get', loadShare }]), 'The load generator may be the bottleneck at: get.')
  assert.equal(warnOfLoad([{ name: 'get', loadShare: 0.5 }]), null)
})
