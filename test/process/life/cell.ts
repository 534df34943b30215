import assert from 'node:assert/strict'
import { until, within } from '../../support/until.ts'
import { type Answer, admin, answerLimitMs, ask, assertClean, storeOf, wholePool } from './driver.ts'
import type { Driven, ServerUnderTest } from './server-under-test.ts'

/** When a failure comes. */
export const moments = ['BEGIN', 'inside', 'COMMIT', 'idle'] as const
export type Moment = (typeof moments)[number]

const fallback = 'fallback; driver=sqlite'

/** One moment of one failure, in a process of its own. */
export class LifeCell implements Driven {
  readonly service: Driven['service']
  readonly front: Driven['front']
  readonly database: string
  readonly #server: ServerUnderTest
  readonly #moment: Moment
  #release: () => Promise<unknown> = async () => {}
  #pending: Promise<Answer> | null = null
  #transaction: Answer | null = null
  /** Ids of rows of the collection that were acknowledged, by where. */
  readonly #kept: { readonly primary: string[]; readonly fallback: string[] } = { primary: [], fallback: [] }

  constructor(server: ServerUnderTest, driven: Driven, moment: Moment) {
    this.service = driven.service
    this.front = driven.front
    this.database = driven.database
    this.#server = server
    this.#moment = moment
  }

  /** Lets a transaction come to this moment, where it stays until `hit`. */
  async begin(): Promise<void> {
    const { service, front } = this
    if (this.#moment === 'idle') return
    if (this.#moment === 'inside') {
      await service.send('POST', '/hold/it', undefined)
      this.#pending = ask(service, 'POST', '/transaction/it')
      await until(async () => (await (await service.fetch('/inside/it')).text()) === 'true', {
        what: 'the transaction',
      })
      this.#release = () => service.send('POST', '/go/it', undefined)
      return
    }
    const held = front.proxy.hold(this.#server.words[this.#moment === 'BEGIN' ? 'begin' : 'commit'])
    // What was lost before its COMMIT is run again where it says so.
    this.#pending = ask(service, 'POST', `/transaction/it${this.#moment === 'BEGIN' ? '?rerun' : ''}`)
    await within(held.met, 5_000, `the ${this.#moment} of the transaction`)
    this.#release = async () => held.release()
  }

  /** Lets the transaction go on into the failure, and asks four times more: each is answered in time, and well. */
  async hit(): Promise<void> {
    const startedAt = performance.now()
    const released = this.#release()
    const asked = [
      ask(this.service, 'GET', '/api/feedback?limit=1'),
      ask(this.service, 'POST', '/api/feedback', { rating: 1 }),
      ask(this.service, 'GET', '/api/feedback?limit=2'),
      ask(this.service, 'POST', '/api/feedback', { rating: 2 }),
    ]
    await released
    this.#transaction = await this.#pending
    const answers = await Promise.all(asked)
    for (const answer of this.#transaction === null ? answers : [...answers, this.#transaction]) {
      assert.ok(answer.at - startedAt < answerLimitMs, this.#say(answer))
      // What a transaction over the application's own entities gets of the fallback, which has no rows of them.
      const isRefused = answer === this.#transaction && answer.status === 503 && answer.code === 'INCOMPLETE'
      if (!isRefused) assertClean(answer)
      if (answer.status === 201) this.#note(answer)
    }
  }

  /** Milliseconds from `since` to the first answer of the fallback. */
  async loss(since: number): Promise<number> {
    const what = `the fallback (${this.#moment})`
    await until(async () => (await storeOf(this.service)) === fallback, { withinMs: 15_000, everyMs: 20, what })
    return performance.now() - since
  }

  /** The fallback takes a write, and says what it is worth. */
  async writeOnFallback(): Promise<void> {
    const answer = await ask(this.service, 'POST', '/api/feedback', { rating: 3 })
    assert.deepEqual([answer.status, answer.store, answer.durability], [201, fallback, 'fallback-only'])
    this.#note(answer)
    const health = (await (await this.service.fetch('/health')).json()) as { status: string } // Ours.
    assert.equal(health.status, 'warn')
  }

  /** Milliseconds from now to the first answer of the primary. */
  async back(): Promise<number> {
    const since = performance.now()
    const wanted = `primary; driver=${this.#server.driver}`
    const what = `the primary (${this.#moment})`
    await until(async () => (await storeOf(this.service)) === wanted, { withinMs: 15_000, everyMs: 20, what })
    return performance.now() - since
  }

  /** Each slot works, no session is left, each row is where it was said to be, and the process ends as it should. */
  async isWhole(): Promise<void> {
    const answer = await ask(this.service, 'POST', '/api/feedback', { rating: 4 })
    assert.equal(answer.status, 201, this.#say(answer))
    this.#note(answer)
    await wholePool(this.#server, this)
    await this.#rowsAreWhereTheyWereSaidToBe()
    await this.#leftIsTold()
    assert.deepEqual(await this.service.end(), { code: 0, signal: null })
    const defects = this.service.log().filter(({ event }) => /defect/.test(event ?? ''))
    assert.deepEqual(defects, [])
    await until(() => this.front.proxy.open === 0, { what: 'all connections to be closed' })
  }

  async #rowsAreWhereTheyWereSaidToBe(): Promise<void> {
    const rows = await this.#server.query('select id from feedback', this.database)
    const there = new Set(rows.map(({ id }) => String(id)))
    const missing = this.#kept.primary.filter((id) => !there.has(id))
    assert.deepEqual(missing, [], 'acknowledged by the primary, and not there')
    const doubled = this.#kept.fallback.filter((id) => there.has(id))
    assert.deepEqual(doubled, [], 'acknowledged by the fallback, and in the primary')
    if (this.#transaction === null) return
    const { status, code, text } = this.#transaction
    const marks = await this.#server.query('select id from mark', this.database)
    const isPrimary = status === 200 && text.includes('"primary"')
    // Whole or not at all; where nobody can know, either.
    const wanted = isPrimary ? [2] : code === 'COMMIT_UNKNOWN' ? [0, 2] : [0]
    assert.ok(wanted.includes(marks.length), `${marks.length} marks after ${this.#say(this.#transaction)}`)
  }

  async #leftIsTold(): Promise<void> {
    const status = await this.service.fetch('/status', { headers: { authorization: `Bearer ${admin}` } })
    const { database } = (await status.json()) as { database: { left: { total: number } } } // Ours.
    assert.equal(database.left.total, this.#kept.fallback.length)
    const said = this.service.log().some(({ event }) => event === 'rows.left')
    assert.equal(said, this.#kept.fallback.length > 0)
  }

  #note({ store, id }: Answer): void {
    assert.ok(store !== null && id !== null)
    this.#kept[store.startsWith('primary') ? 'primary' : 'fallback'].push(id)
  }

  #say(answer: Answer): string {
    return `${this.#moment}: ${JSON.stringify(answer)}`
  }
}
