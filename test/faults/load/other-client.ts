import { randomUUID } from 'node:crypto'
import { drawId } from '../../../src/driver/kit/draw-id.ts'
import type { World } from '../stage/world.ts'
import { pause } from './client.ts'
import type { Random } from './random.ts'
import type { Shared } from './shared.ts'

/** A client of the primary that is none of ours: it changes rows by SQL, with and without an attempt, at once and in long transactions. */
export class OtherClient {
  readonly #world: World
  readonly #random: Random
  readonly #shared: Shared
  readonly #everyMs: number
  readonly #long: Set<Promise<unknown>> = new Set()
  #isOver = false
  #made = 0

  constructor(world: World, random: Random, shared: Shared, everyMs: number) {
    this.#world = world
    this.#random = random
    this.#shared = shared
    this.#everyMs = everyMs
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      await pause(this.#everyMs * (0.5 + this.#random.next()))
      // The server may be away.
      await this.#step().catch(() => undefined)
    }
    await Promise.all(this.#long)
  }

  stop(): void {
    this.#isOver = true
  }

  async #step(): Promise<void> {
    const id = this.#shared.pick(this.#random)
    const dice = this.#random.next()
    this.#made += 1
    const token = `other-${this.#made}`
    if (dice < 0.25 || id === null) await this.#take(token)
    else if (dice < 0.4) await this.#world.changeElsewhere(id)
    else if (dice < 0.55) await this.#world.sql(changeText(token, id))
    else if (dice < 0.65) await this.#world.removeElsewhere(id)
    else if (dice < 0.75) await this.#world.sql(this.#insertText(token, null))
    else if (dice < 0.83) await this.#move(token, id)
    else if (dice < 0.9)
      await this.#world.sql(`update item set id = '${randomUUID()}', token = '${token}' where id = '${id}'`)
    else if (this.#long.size < longMax) this.#begin(token, id)
  }

  /** A transaction that takes its time, and then commits or does not. */
  #begin(token: string, id: string): void {
    const { kind } = this.#world
    const text = this.#random.pick([
      changeText(token, id),
      this.#insertText(token, null),
      `delete from item where id = '${id}'`,
    ])
    const seconds = this.#random.between(2, 30) / 10
    const end = this.#random.next() < 0.8 ? 'commit' : 'rollback'
    const whole =
      kind === 'mysql'
        ? `begin not atomic start transaction; ${text}; do sleep(${seconds}); ${end}; end`
        : `begin; ${text}; select pg_sleep(${seconds}); ${end}`
    const doing = this.#world
      .sql(whole)
      .catch(() => undefined)
      .finally(() => this.#long.delete(doing))
    this.#long.add(doing)
  }

  /** Takes a unique key that creates of an outage may have taken, too, or frees one. */
  async #take(token: string): Promise<void> {
    const slug = this.#slug()
    const [row] = await this.#world.sql(`select count(*) as n from item where slug = '${slug}'`)
    if (Number(row?.n) > 0)
      await this.#world.sql(`update item set slug = null, token = '${token}' where slug = '${slug}'`)
    else await this.#world.sql(this.#insertText(token, slug))
  }

  /** A unique key goes from one row to another, which a copy may meet in either order. */
  async #move(token: string, id: string): Promise<void> {
    const slug = this.#slug()
    await this.#world.sql(`update item set slug = null, token = '${token}-freed' where slug = '${slug}'`)
    await this.#world.sql(`update item set slug = '${slug}', token = '${token}' where id = '${id}'`)
  }

  #slug(): string {
    return `slug-${this.#random.between(1, 60)}`
  }

  /** Ids of others say nothing of when they were made, or are those of their time. */
  #insertText(token: string, slug: string | null): string {
    const quote = this.#world.kind === 'mysql' ? '`' : '"'
    const columns = ['createdAt', 'updatedAt'].map((name) => `${quote}${name}${quote}`).join(', ')
    const id = this.#random.next() < 0.5 ? drawId() : randomUUID()
    const value = slug === null ? 'null' : `'${slug}'`
    return `insert into item (id, token, slug, ${columns}, version) values ('${id}', '${token}', ${value}, now(), now(), 1)`
  }
}

/** Long transactions at a time. */
const longMax = 3

function changeText(token: string, id: string): string {
  return `update item set token = '${token}' where id = '${id}'`
}
