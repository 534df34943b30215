import assert from 'node:assert/strict'
import { until, within } from '../../support/until.ts'
import { type Answer, answerLimitMs, ask, assertClean, storeOf, wholePool } from './driver.ts'
import type { Driven, ServerUnderTest } from './server-under-test.ts'

/** When a failure comes to a transaction. */
const moments = ['inside', 'COMMIT', 'BEGIN'] as const
type Moment = (typeof moments)[number]

const fallback = 'fallback; driver=sqlite'

/** A transaction that has come to its moment, where it stays until it is released. */
interface Held {
  readonly moment: Moment
  readonly release: () => Promise<unknown>
  readonly pending: Promise<Answer>
}

/** What a failure finds: nothing in hand, or a transaction at each moment beside one idle connection. */
export const occupations = ['idle', 'busy'] as const
export type Occupation = (typeof occupations)[number]

/** The connections of a service so occupied. */
export const poolSizes: Readonly<Record<Occupation, number>> = { idle: 2, busy: moments.length + 1 }

/** One occupation of one failure, in a process of its own. */
export class LifeCell implements Driven {
  readonly service: Driven['service']
  readonly front: Driven['front']
  readonly database: string
  readonly poolSize: number
  readonly feeds: Driven['feeds']
  readonly #server: ServerUnderTest
  readonly #occupation: Occupation
  readonly #held: Held[] = []
  #transactions: readonly (readonly [Moment, Answer])[] = []
  /** Ids of rows of the collection that were acknowledged, by either database. */
  readonly #kept: string[] = []

  constructor(server: ServerUnderTest, driven: Driven, occupation: Occupation) {
    this.service = driven.service
    this.front = driven.front
    this.database = driven.database
    this.poolSize = driven.poolSize
    this.feeds = driven.feeds
    this.#server = server
    this.#occupation = occupation
  }

  /** Lets a transaction come to each moment. */
  async begin(): Promise<void> {
    if (this.#occupation === 'idle') return
    // BEGIN comes last: it is the one that would be held of another's transaction.
    for (const moment of moments) this.#held.push(await (moment === 'inside' ? this.#inside() : this.#atWord(moment)))
  }

  async #inside(): Promise<Held> {
    const { service } = this
    await service.send('POST', '/hold/inside', undefined)
    const pending = ask(service, 'POST', '/transaction/inside')
    await until(async () => (await (await service.fetch('/inside/inside')).text()) === 'true', {
      what: 'the transaction',
    })
    return { moment: 'inside', pending, release: () => service.send('POST', '/go/inside', undefined) }
  }

  async #atWord(moment: 'BEGIN' | 'COMMIT'): Promise<Held> {
    const word = this.#server.words[moment === 'BEGIN' ? 'begin' : 'commit']
    const { met, release } = this.front.proxy.hold(word)
    // What was lost before its COMMIT is run again where it says so.
    const pending = ask(this.service, 'POST', `/transaction/${moment}${moment === 'BEGIN' ? '?rerun' : ''}`)
    await within(met, 5_000, `the ${moment} of the transaction`)
    return { moment, pending, release: async () => release() }
  }

  /** Lets the transactions go on into the failure, and asks four times more: each is answered in time, and well. */
  async hit(): Promise<void> {
    const startedAt = performance.now()
    const released = Promise.all(this.#held.map(({ release }) => release()))
    const asked = [
      ask(this.service, 'GET', '/api/feedback?limit=1'),
      ask(this.service, 'POST', '/api/feedback', { rating: 1 }),
      ask(this.service, 'GET', '/api/feedback?limit=2'),
      ask(this.service, 'POST', '/api/feedback', { rating: 2 }),
    ]
    await released
    this.#transactions = await Promise.all(
      this.#held.map(async ({ moment, pending }) => [moment, await pending] as const),
    )
    for (const answer of await Promise.all(asked)) {
      this.#assertInTime(answer, startedAt)
      assertClean(answer)
      if (answer.status === 201) this.#note(answer)
    }
    for (const [, answer] of this.#transactions) {
      this.#assertInTime(answer, startedAt)
      // What a transaction over the application's own entities gets of the fallback, which has no rows of them.
      if (answer.status !== 503 || answer.code !== 'INCOMPLETE') assertClean(answer)
    }
  }

  #assertInTime(answer: Answer, startedAt: number): void {
    assert.ok(answer.at - startedAt < answerLimitMs, this.#say(answer))
  }

  /** Milliseconds from `since` to the first answer of the fallback. */
  async loss(since: number): Promise<number> {
    const what = `the fallback (${this.#occupation})`
    await until(async () => (await storeOf(this.service)) === fallback, { withinMs: 15_000, everyMs: 20, what })
    return performance.now() - since
  }

  /** The fallback takes a write, and says what it is worth. */
  async writeOnFallback(): Promise<void> {
    const answer = await ask(this.service, 'POST', '/api/feedback', { rating: 3 })
    assert.deepEqual([answer.status, answer.store, answer.durability?.slice(0, 7)], [201, fallback, 'journal'])
    this.#note(answer)
    const health = (await (await this.service.fetch('/health')).json()) as { status: string } // Ours.
    assert.equal(health.status, 'warn')
  }

  /** Milliseconds from now to the first answer of the primary. */
  async back(): Promise<number> {
    const since = performance.now()
    const wanted = `primary; driver=${this.#server.driver}`
    const what = `the primary (${this.#occupation})`
    await until(async () => (await storeOf(this.service)) === wanted, { withinMs: 40_000, everyMs: 20, what })
    return performance.now() - since
  }

  /** Each slot works, no session is left, each row is in the primary, and the process ends as it should. */
  async isWhole(): Promise<void> {
    const answer = await ask(this.service, 'POST', '/api/feedback', { rating: 4 })
    assert.equal(answer.status, 201, this.#say(answer))
    this.#note(answer)
    await wholePool(this.#server, this)
    await this.#rowsAreInThePrimary()
    assert.deepEqual(await this.service.end(), { code: 0, signal: null })
    const defects = this.service.log().filter(({ event }) => /defect/.test(event ?? ''))
    assert.deepEqual(defects, [])
    await until(() => this.front.proxy.open === 0, { what: 'all connections to be closed' })
  }

  async #rowsAreInThePrimary(): Promise<void> {
    const rows = await this.#server.query('select id from feedback', this.database)
    const there = new Set(rows.map(({ id }) => String(id)))
    const missing = this.#kept.filter((id) => !there.has(id))
    assert.deepEqual(missing, [], 'acknowledged, and not in the primary')
    for (const [moment, transaction] of this.#transactions) {
      const { status, code, text } = transaction
      const marks = await this.#server.query(`select id from mark where id like '${moment}-%'`, this.database)
      const isPrimary = status === 200 && text.includes('"primary"')
      // Whole or not at all; where nobody can know, either.
      const wanted = isPrimary ? [2] : code === 'COMMIT_UNKNOWN' ? [0, 2] : [0]
      assert.ok(wanted.includes(marks.length), `${marks.length} marks of ${moment} after ${this.#say(transaction)}`)
    }
  }

  #note({ store, id }: Answer): void {
    assert.ok(store !== null && id !== null)
    this.#kept.push(id)
  }

  #say(answer: Answer): string {
    return `${this.#occupation}: ${JSON.stringify(answer)}`
  }
}
