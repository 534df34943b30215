import assert from 'node:assert/strict'
import { test } from 'node:test'
import { times } from '../../../src/database/machine/policy.ts'
import { hedgedAttempt } from '../../../src/database/supervisor/hedged-attempt.ts'
import { FakeClock, settle } from '../../support/fake-clock.ts'

interface Try {
  readonly signal: AbortSignal
  readonly answer: PromiseWithResolvers<void>
}

/** Tries that answer when the test says so, or when they are aborted. */
function tried(): { readonly tries: Try[]; attempt(signal: AbortSignal): Promise<void> } {
  const tries: Try[] = []
  return {
    tries,
    attempt(signal) {
      const answer = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => answer.reject(signal.reason))
      tries.push({ signal, answer })
      return answer.promise
    },
  }
}

const never = new AbortController().signal

test('a try that answers is the only one', async () => {
  const [clock, { tries, attempt }] = [new FakeClock(), tried()]
  const done = hedgedAttempt(clock, attempt, never)
  tries[0]?.answer.resolve()
  await done
  assert.deepEqual([tries.length, clock.pending], [1, 0])
})

test('a hanging try is joined by a new one every 750 ms, and the first success ends all', async () => {
  const [clock, { tries, attempt }] = [new FakeClock(), tried()]
  const done = hedgedAttempt(clock, attempt, never)
  await clock.advance(3 * times.hedgeMs)
  assert.deepEqual(
    tries.map(({ signal }) => signal.aborted),
    [false, true, true, false],
  )
  tries[3]?.answer.resolve()
  await done
  await settle()
  assert.ok(tries[0]?.signal.aborted)
  assert.equal(clock.pending, 0)
})

test('a slow try succeeds in its own time', async () => {
  const [clock, { tries, attempt }] = [new FakeClock(), tried()]
  const done = hedgedAttempt(clock, attempt, never)
  await clock.advance(10 * times.hedgeMs)
  tries[0]?.answer.resolve()
  await done
  assert.equal(clock.pending, 0)
})

test('the first try that fails by itself is the result', async () => {
  for (const which of [0, 2]) {
    const [clock, { tries, attempt }] = [new FakeClock(), tried()]
    const done = assert.rejects(hedgedAttempt(clock, attempt, never), /refused/)
    await clock.advance(2 * times.hedgeMs)
    tries[which]?.answer.reject(new Error('refused'))
    await done
    assert.equal(clock.pending, 0)
    assert.ok(tries.every(({ signal }, at) => at === which || signal.aborted))
  }
})

test('the limit ends all of them', async () => {
  const [clock, { tries, attempt }] = [new FakeClock(), tried()]
  const limit = new AbortController()
  const done = assert.rejects(hedgedAttempt(clock, attempt, limit.signal), /too long/)
  await clock.advance(times.hedgeMs)
  limit.abort(new Error('too long'))
  await done
  assert.ok(tries.every(({ signal }) => signal.aborted))
  assert.equal(clock.pending, 0)
})

test('what another try opens after the first success is given away', async () => {
  const clock = new FakeClock()
  const answers: PromiseWithResolvers<string>[] = []
  const attempt = (): Promise<string> => {
    const answer = Promise.withResolvers<string>()
    answers.push(answer)
    return answer.promise
  }
  const late: string[] = []
  const done = hedgedAttempt(clock, attempt, never, (value) => late.push(value))
  await clock.advance(2 * times.hedgeMs)
  answers[2]?.resolve('third')
  assert.equal(await done, 'third')
  answers[0]?.resolve('first')
  answers[1]?.reject(new Error('too late'))
  await settle()
  assert.deepEqual(late, ['first'])
})
